/* SPDX-License-Identifier: Apache-2.0 */
#include "ingress/model.h"

#include "base/test.h"
#include "ingress/fixture.h"

#define CASES_MAX 4

struct merged {
	struct arena arena;
	struct claim *claims[CASES_MAX];
	struct model model;
};

static void merge(struct merged *m, const struct ingress_case *cases, size_t n)
{
	const struct claim *claims[CASES_MAX];

	*m = (struct merged){0};
	for (size_t i = 0; i < n; i++) {
		claims[i] = m->claims[i] = claim_new(make_ingress(&m->arena, &cases[i]));
		assert_non_null(claims[i]);
	}
	model_compute(&m->model, claims, n, true);
}

static void fini(struct merged *m)
{
	model_fini(&m->model);
	for (size_t i = 0; i < CASES_MAX; i++) {
		claim_free(m->claims[i]);
	}
	arena_fini(&m->arena);
}

/* One line per location: host, "=" or "^", path, owner or 404, backend, "r" for a redirect. */
static struct str dump(struct merged *m)
{
	struct str out = STR("");

	for (size_t i = 0; i < m->model.servers.n; i++) {
		const struct server *s = m->model.servers.p[i];

		for (size_t j = 0; j < s->locations.n; j++) {
			const struct location *l = &s->locations.p[j];

			out = arena_printf(&m->arena, "%.*s%.*s %s%.*s %.*s %.*s%s\n", STR_ARG(out),
					   STR_ARG(s->host), l->exact ? "=" : "^", STR_ARG(l->path),
					   STR_ARG(l->claim ? l->claim->name : STR("404")),
					   STR_ARG(l->backend), l->redirect ? " r" : "");
		}
	}
	return out;
}

static void expect(const struct ingress_case *cases, size_t n, const char *want,
		   const char *problem)
{
	struct merged m;

	merge(&m, cases, n);
	EXPECT_STR(dump(&m), want);
	assert_int_equal(m.model.problems.n, problem ? 1 : 0);
	if (problem) {
		assert_string_equal(m.model.problems.p[0].problem.reason, problem);
	}
	fini(&m);
}

TEST(a_prefix_matches_by_segments_and_an_implementation_specific_path_by_bytes)
{
	struct ingress_case c = {
		.paths = {{"a.example", "/", NULL, "front", 3000},
			  {"a.example", "/api/", "Prefix", "back", 5000},
			  {"a.example", "/raw", "ImplementationSpecific", "raw", 80},
			  {"a.example", "/one", "Exact", "one", 80}}};

	expect(&c, 1,
	       " ^/ 404 \n"
	       "a.example =/api web default/back/5000\n"
	       "a.example =/one web default/one/80\n"
	       "a.example ^/ web default/front/3000\n"
	       "a.example ^/api/ web default/back/5000\n"
	       "a.example ^/raw web default/raw/80\n",
	       NULL);
}

TEST(the_older_ingress_keeps_a_path_that_both_claim)
{
	struct ingress_case cases[] = {
		{.name = "young",
		 .age = 20,
		 .paths = {{"a.example", "/", NULL, "young"}, {"a.example", "/y", NULL, "young"}}},
		{.name = "old", .age = 10, .paths = {{"a.example", "/", NULL, "old"}}},
	};

	expect(cases, 2,
	       " ^/ 404 \n"
	       "a.example =/y young default/young/80\n"
	       "a.example ^/ old default/old/80\n"
	       "a.example ^/y/ young default/young/80\n",
	       "PathConflict");
}

TEST(creation_in_the_same_second_is_decided_by_name)
{
	struct ingress_case cases[] = {
		{.name = "b", .paths = {{"a.example", "/", NULL, "b"}}},
		{.name = "a", .paths = {{"a.example", "/", NULL, "a"}}},
	};

	expect(cases, 2, " ^/ 404 \na.example ^/ a default/a/80\n", "PathConflict");
}

TEST(an_exact_path_beats_the_equality_half_of_an_older_prefix)
{
	struct ingress_case cases[] = {
		{.name = "old", .age = 1, .paths = {{"a.example", "/p", NULL, "old"}}},
		{.name = "young", .age = 2, .paths = {{"a.example", "/p", "Exact", "young"}}},
	};

	expect(cases, 2,
	       " ^/ 404 \n"
	       "a.example =/p young default/young/80\n"
	       "a.example ^/ 404 \n"
	       "a.example ^/p/ old default/old/80\n",
	       NULL);
}

TEST(a_rule_without_host_serves_every_other_host)
{
	struct ingress_case c = {.paths = {{"", "/", NULL, "any"}}};

	expect(&c, 1, " ^/ web default/any/80\n", NULL);
}

TEST(a_default_backend_without_rules_serves_every_other_host)
{
	struct ingress_case cases[] = {
		{.name = "x", .default_service = "fallback"},
		{.name = "y", .paths = {{"a.example", "/p", "Exact", "p"}}},
	};

	expect(cases, 2,
	       " ^/ x default/fallback/80\n"
	       "a.example =/p y default/p/80\n"
	       "a.example ^/ 404 \n",
	       NULL);
}

TEST(a_default_backend_serves_the_rest_of_its_own_hosts)
{
	struct ingress_case c = {.default_service = "fallback",
				 .paths = {{"a.example", "/p", "Exact", "p"}}};

	expect(&c, 1,
	       " ^/ 404 \n"
	       "a.example =/p web default/p/80\n"
	       "a.example ^/ web default/fallback/80\n",
	       NULL);
}

TEST(http_is_redirected_only_where_tls_covers_the_host)
{
	struct ingress_case c = {
		.tls_host = "*.example",
		.tls_secret = "cert",
		.paths = {{"a.example", "/", NULL, "a"}, {"b.a.example", "/", NULL, "b"}}};

	expect(&c, 1,
	       " ^/ 404 \na.example ^/ web default/a/80 r\nb.a.example ^/ web default/b/80\n",
	       NULL);
}

TEST(ssl_redirect_false_keeps_http_and_force_ssl_redirect_needs_no_tls)
{
	struct ingress_case cases[] = {
		{.name = "off",
		 .tls_host = "a.example",
		 .tls_secret = "c",
		 .paths = {{"a.example", "/", NULL, "a"}},
		 .annotations = {{"nginx.ingress.kubernetes.io/ssl-redirect", "false"}}},
		{.name = "force",
		 .paths = {{"b.example", "/", NULL, "b"}},
		 .annotations = {{"nginx.ingress.kubernetes.io/force-ssl-redirect", "true"}}},
	};

	expect(cases, 2,
	       " ^/ 404 \na.example ^/ off default/a/80\nb.example ^/ force default/b/80 r\n",
	       NULL);
}

TEST(a_port_is_taken_by_name_or_number)
{
	struct ingress_case c = {.paths = {{"a.example", "/a", "Exact", "s", 8080},
					   {"a.example", "/b", "Exact", "s", 0, "http"}}};

	expect(&c, 1,
	       " ^/ 404 \n"
	       "a.example =/a web default/s/8080\n"
	       "a.example =/b web default/s/http\n"
	       "a.example ^/ 404 \n",
	       NULL);
}

TEST(paths_and_hosts_that_cannot_be_served_are_reported_and_left_out)
{
	static const struct path_case bad[] = {
		{"a b", "/", NULL, "s"},	   {"*.*.example", "/", NULL, "s"},
		{"a\"; }", "/", NULL, "s"},	   {"a.example", "api", NULL, "s"},
		{"a.example", "/a\n}", NULL, "s"}, {"a.example", "/%0a", NULL, "s"},
		{"a.example", "/%zz", NULL, "s"},  {"a.example", "/%4", NULL, "s"},
		{"a.example", "/a//b", NULL, "s"}, {"a.example", "/%2e./a/../b", NULL, "s"},
		{"-a.example", "/", NULL, "s"},	   {"a..example", "/", NULL, "s"},
	};

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct ingress_case c = {.paths = {bad[i]}};
		struct merged m;

		merge(&m, &c, 1);
		assert_int_equal(m.claims[0]->problems.list.n, 1);
		assert_int_equal(m.model.backends.n, 0);
		fini(&m);
	}
}

TEST(a_backend_port_without_number_says_how_it_is_written)
{
	struct arena arena = {0};
	struct ingress_case c = {.paths = {{"a.example", "/", NULL, "s"}}};
	struct networking_ingress *in = make_ingress(&arena, &c);
	struct claim *claim;

	in->spec.rules.p[0].http->paths.p[0].backend.service->port.number = 0;
	claim = claim_new(in);
	assert_int_equal(claim->problems.list.n, 1);
	assert_true(str_contains(claim->problems.list.p[0].message, STR("port: {number: 80}")));
	claim_free(claim);
	arena_fini(&arena);
}

TEST(paths_are_compared_decoded)
{
	struct ingress_case c = {.paths = {{"a.example", "/a%20b", "Exact", "s"},
					   {"a.example", "/a b", "Exact", "t"}}};

	expect(&c, 1, " ^/ 404 \na.example =/a b web default/s/80\na.example ^/ 404 \n",
	       "PathConflict");
}

TEST_MAIN(a_prefix_matches_by_segments_and_an_implementation_specific_path_by_bytes,
	  the_older_ingress_keeps_a_path_that_both_claim,
	  creation_in_the_same_second_is_decided_by_name,
	  an_exact_path_beats_the_equality_half_of_an_older_prefix,
	  a_rule_without_host_serves_every_other_host,
	  a_default_backend_without_rules_serves_every_other_host,
	  a_default_backend_serves_the_rest_of_its_own_hosts,
	  http_is_redirected_only_where_tls_covers_the_host,
	  ssl_redirect_false_keeps_http_and_force_ssl_redirect_needs_no_tls,
	  a_port_is_taken_by_name_or_number,
	  paths_and_hosts_that_cannot_be_served_are_reported_and_left_out,
	  a_backend_port_without_number_says_how_it_is_written, paths_are_compared_decoded)
