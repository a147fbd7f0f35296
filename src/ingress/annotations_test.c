/* SPDX-License-Identifier: Apache-2.0 */
#include "ingress/annotations.h"

#include "base/buf.h"
#include "base/test.h"

struct parsed {
	struct arena arena;
	struct annotations a;
	struct problems problems;
};

static void parse_raw(struct parsed *p, struct str key, struct str value)
{
	struct str_pair pair = {key, value};

	*p = (struct parsed){0};
	p->problems.arena = &p->arena;
	annotations_parse(&(struct str_map){&pair, 1}, &p->arena, &p->a, &p->problems);
}

static void parse(struct parsed *p, const char *name, const char *value)
{
	struct arena names = {0};

	parse_raw(p, arena_printf(&names, ANNOTATION_PREFIX "%s", name), str_of(value));
	arena_fini(&names);
}

static void fini(struct parsed *p)
{
	vec_fini(&p->problems.list);
	arena_fini(&p->arena);
}

TEST(values_that_ingress_nginx_documents_are_taken)
{
	static const struct {
		const char *name, *value;
		size_t offset;
		int64_t want;
	} cases[] = {
		{"limit-rps", "100", offsetof(struct annotations, limit_rps), 100},
		{"limit-rps", " 7 ", offsetof(struct annotations, limit_rps), 7},
		{"limit-rpm", "0", offsetof(struct annotations, limit_rpm), 0},
		{"limit-connections", "10", offsetof(struct annotations, limit_connections), 10},
		{"limit-burst-multiplier", "3",
		 offsetof(struct annotations, limit_burst_multiplier), 3},
		{"proxy-body-size", "8m", offsetof(struct annotations, body_bytes_max), 8 << 20},
		{"proxy-body-size", "1G", offsetof(struct annotations, body_bytes_max), 1 << 30},
		{"proxy-body-size", "512k", offsetof(struct annotations, body_bytes_max),
		 512 << 10},
		{"proxy-body-size", "100", offsetof(struct annotations, body_bytes_max), 100},
		{"proxy-body-size", "0", offsetof(struct annotations, body_bytes_max), 0},
		{"proxy-read-timeout", "3600", offsetof(struct annotations, read_timeout_s), 3600},
		{"backend-protocol", "https", offsetof(struct annotations, backend_protocol),
		 BACKEND_HTTPS},
		{"cors-max-age", "600", offsetof(struct annotations, cors_max_age_s), 600},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct parsed p;

		parse(&p, cases[i].name, cases[i].value);
		assert_int_equal(p.problems.list.n, 0);
		assert_false(p.a.denied);
		assert_int_equal(*(int64_t *)((char *)&p.a + cases[i].offset), cases[i].want);
		fini(&p);
	}
}

TEST(cors_defaults_are_those_of_ingress_nginx)
{
	struct parsed p;

	parse(&p, "enable-cors", "true");
	assert_true(p.a.enable_cors);
	assert_true(p.a.cors_allow_credentials);
	EXPECT_STR(p.a.cors_allow_origin, "*");
	EXPECT_STR(p.a.cors_allow_methods, "GET, PUT, POST, DELETE, PATCH, OPTIONS");
	EXPECT_STR(p.a.cors_allow_headers,
		   "DNT,Keep-Alive,User-Agent,X-Requested-With,If-Modified-Since,"
		   "Cache-Control,Content-Type,Range,Authorization");
	assert_int_equal(p.a.cors_max_age_s, 1728000);
	assert_int_equal(p.a.limit_burst_multiplier, 5);
	fini(&p);
}

TEST(origins_become_a_canonical_list)
{
	struct parsed p;

	parse(&p, "cors-allow-origin", "https://A.example , http://*.b.example:8080");
	EXPECT_STR(p.a.cors_allow_origin, "https://a.example http://*.b.example:8080");
	fini(&p);
	parse(&p, "cors-allow-origin", "https://a.example,*");
	EXPECT_STR(p.a.cors_allow_origin, "*");
	fini(&p);
}

TEST(address_blocks_lose_their_host_bits)
{
	struct parsed p;

	parse(&p, "whitelist-source-range", "10.1.2.3/8, fd00::7/64,192.0.2.1");
	assert_int_equal(p.a.source_range.n, 3);
	assert_int_equal(p.a.source_range.p[0].addr[0], 10);
	assert_int_equal(p.a.source_range.p[0].addr[1], 0);
	assert_int_equal(p.a.source_range.p[1].prefix, 64);
	assert_int_equal(p.a.source_range.p[1].addr[15], 0);
	assert_int_equal(p.a.source_range.p[2].prefix, 32);
	fini(&p);
}

/* Whatever would mean something to nginx or to HTTP. */
static const char *const attacks[] = {
	"\"",
	"'",
	";}",
	"1;}",
	"*\"; return 200 \"x",
	"https://a.example\"; }",
	"https://a.example\n",
	"a\r\nSet-Cookie: x",
	"$pid",
	"${pid}",
	"https://$host",
	"{",
	"}",
	"#",
	"\\",
	"https://a.example\\",
	"https://a b.example",
	"1 2",
	"10.0.0.0/8; allow all",
	"GET\n",
	"X-A\nB",
	"X-A\"",
	"true; }",
	"8m;",
	"",
	" ",
	",",
	"https://",
	"://x",
	"https://a.example:0",
	"https://a.example:99999",
	"https://a.example:80/",
	"\xff",
	"https://\xc3\xa9.example",
	"10.0.0.0/33",
	"10.0.0/8",
	"1.2.3.4/",
	"::1/129",
	"9223372036854775808",
	"-1",
	"https://a.example:+80",
	"+-1",
	"0x10",
	"1e3",
	"1mm",
	"m",
};

static void expect_harmless(struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		assert_null(memchr("\"'\\;{}$#()\r\n\t", s.p[i], 14));
		assert_in_range((unsigned char)s.p[i], ' ', '~');
	}
}

TEST(no_annotation_takes_a_value_that_could_inject)
{
	static const char *const names[] = {
		"enable-cors",
		"cors-allow-origin",
		"cors-allow-methods",
		"cors-allow-headers",
		"cors-expose-headers",
		"cors-allow-credentials",
		"cors-max-age",
		"limit-rps",
		"limit-rpm",
		"limit-connections",
		"limit-burst-multiplier",
		"limit-rate",
		"limit-rate-after",
		"limit-whitelist",
		"whitelist-source-range",
		"proxy-body-size",
		"proxy-connect-timeout",
		"proxy-send-timeout",
		"proxy-read-timeout",
		"ssl-redirect",
		"force-ssl-redirect",
		"backend-protocol",
	};

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		for (size_t j = 0; j < ARRAY_LEN(attacks); j++) {
			struct parsed p;

			parse(&p, names[i], attacks[j]);
			expect_harmless(p.a.cors_allow_origin);
			expect_harmless(p.a.cors_allow_methods);
			expect_harmless(p.a.cors_allow_headers);
			expect_harmless(p.a.cors_expose_headers);
			assert_in_range(p.a.backend_protocol, BACKEND_HTTP, BACKEND_HTTPS);
			fini(&p);
		}
	}
}

TEST(an_invalid_value_denies_and_names_the_annotation_but_not_the_value)
{
	struct parsed p;

	parse(&p, "limit-rps", "many\n\"");
	assert_true(p.a.denied);
	assert_int_equal(p.problems.list.n, 1);
	assert_string_equal(p.problems.list.p[0].reason, "InvalidAnnotation");
	assert_true(str_contains(p.problems.list.p[0].message,
				 STR("nginx.ingress.kubernetes.io/limit-rps")));
	assert_false(str_contains(p.problems.list.p[0].message, STR("many")));
	fini(&p);
}

TEST(an_unknown_annotation_is_named_and_has_no_effect)
{
	struct parsed p;

	parse(&p, "rewrite-target", "/$1");
	assert_false(p.a.denied);
	assert_int_equal(p.problems.list.n, 1);
	assert_true(str_contains(p.problems.list.p[0].message, STR("rewrite-target")));
	fini(&p);
}

TEST(a_guard_that_we_do_not_have_denies)
{
	static const char *const names[] = {"auth-url", "auth-type", "denylist-source-range",
					    "server-snippet", "canary"};

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		struct parsed p;

		parse(&p, names[i], "x");
		assert_true(p.a.denied);
		assert_int_equal(p.problems.list.n, 1);
		fini(&p);
	}
}

TEST(other_annotations_are_none_of_our_business)
{
	struct parsed p;

	parse_raw(&p, STR("cert-manager.io/cluster-issuer"), STR("x"));
	assert_int_equal(p.problems.list.n, 0);
	assert_false(p.a.denied);
	fini(&p);
}

TEST(a_value_beyond_the_limit_is_invalid)
{
	struct buf value CLEANUP_BUF = {0};
	struct parsed p;

	for (int i = 0; i < 300; i++) {
		buf_puts(&value, "X-A-header-name,");
	}
	buf_puts(&value, "X");
	parse(&p, "cors-allow-headers", buf_cstr(&value));
	assert_true(p.a.denied);
	fini(&p);
}

TEST_MAIN(values_that_ingress_nginx_documents_are_taken, cors_defaults_are_those_of_ingress_nginx,
	  origins_become_a_canonical_list, address_blocks_lose_their_host_bits,
	  no_annotation_takes_a_value_that_could_inject,
	  an_invalid_value_denies_and_names_the_annotation_but_not_the_value,
	  an_unknown_annotation_is_named_and_has_no_effect, a_guard_that_we_do_not_have_denies,
	  other_annotations_are_none_of_our_business, a_value_beyond_the_limit_is_invalid)
