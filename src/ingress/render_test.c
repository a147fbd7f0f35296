/* SPDX-License-Identifier: Apache-2.0 */
#include "ingress/render.h"

#include "base/cleanup.h"
#include "base/test.h"
#include "ingress/fixture.h"

/* The golden file; COX_GOLDEN=write makes it anew, for a reader of the difference. */
#define GOLDEN "src/ingress/golden.conf"

static struct str http[] = {STR_INIT("0.0.0.0:80"), STR_INIT("[::]:80")};
static struct str https[] = {STR_INIT("0.0.0.0:443")};

static const struct render_opts opts = {
	.runtime_dir = "/run/cox/test/ingress",
	.script_name = STR_INIT("ingress_0"),
	.http = {http, 2},
	.https = {https, 1},
	.public_http_port = 80,
	.public_https_port = 8443,
	.workers = 2,
	.connections = 4096,
	.files_max = 20000,
};

static const struct ingress_case cases[] = {
	{.name = "shop",
	 .age = 1,
	 .annotations = {{"kubernetes.io/ingress.class", "nginx"},
			 {"nginx.ingress.kubernetes.io/enable-cors", "true"},
			 {"nginx.ingress.kubernetes.io/cors-allow-origin", "*"},
			 {"nginx.ingress.kubernetes.io/limit-rps", "100"},
			 {"nginx.ingress.kubernetes.io/limit-connections", "10"}},
	 .paths = {{"shop.example", "/", NULL, "front", 3000},
		   {"shop.example", "/api", NULL, "back", 5000}}},
	{.name = "all",
	 .age = 2,
	 .tls_host = "*.tls.example",
	 .tls_secret = "cert",
	 .annotations = {{"nginx.ingress.kubernetes.io/enable-cors", "true"},
			 {"nginx.ingress.kubernetes.io/cors-allow-origin",
			  "https://a.example,https://*.b.example"},
			 {"nginx.ingress.kubernetes.io/cors-expose-headers", "X-A, X-B"},
			 {"nginx.ingress.kubernetes.io/cors-allow-credentials", "false"},
			 {"nginx.ingress.kubernetes.io/limit-rpm", "30"},
			 {"nginx.ingress.kubernetes.io/limit-whitelist", "10.0.0.0/8,fd00::/8"},
			 {"nginx.ingress.kubernetes.io/whitelist-source-range", "192.0.2.0/24"},
			 {"nginx.ingress.kubernetes.io/proxy-body-size", "8m"},
			 {"nginx.ingress.kubernetes.io/proxy-read-timeout", "3600"},
			 {"nginx.ingress.kubernetes.io/limit-rate", "100"},
			 {"nginx.ingress.kubernetes.io/backend-protocol", "HTTPS"}},
	 .paths = {{"*.tls.example", "/", NULL, "secure", 0, "https"}}},
	{.name = "denied",
	 .age = 3,
	 .annotations = {{"nginx.ingress.kubernetes.io/auth-url", "http://auth\"; }"}},
	 .paths = {{"", "/a \"b\\{}", "Exact", "x"}}},
};

static void render_cases(size_t n, bool backwards, struct buf *out, char *generation)
{
	struct arena arena CLEANUP_ARENA = {0};
	struct claim *claims[ARRAY_LEN(cases)];
	const struct claim *list[ARRAY_LEN(cases)];
	struct model model;

	for (size_t i = 0; i < n; i++) {
		claims[i] = claim_new(make_ingress(&arena, &cases[i]));
		list[backwards ? n - 1 - i : i] = claims[i];
	}
	model_compute(&model, list, n, true);
	render(&model, &opts, out, generation);
	model_fini(&model);
	for (size_t i = 0; i < n; i++) {
		claim_free(claims[i]);
	}
}

TEST(the_configuration_is_as_reviewed)
{
	struct buf got CLEANUP_BUF = {0}, want CLEANUP_BUF = {0};
	char generation[RENDER_GENERATION_LEN + 1], chunk[4096];
	const char *mode = getenv("COX_GOLDEN");
	FILE *file;
	size_t n;

	render_cases(ARRAY_LEN(cases), false, &got, generation);
	if (mode && strcmp(mode, "write") == 0) {
		file = fopen(GOLDEN, "w");
		assert_non_null(file);
		fwrite(got.p, 1, got.n, file);
		fclose(file);
	}
	file = fopen(GOLDEN, "r");
	assert_non_null(file);
	while ((n = fread(chunk, 1, sizeof(chunk), file)) > 0) {
		buf_add(&want, chunk, n);
	}
	fclose(file);
	EXPECT_STR(buf_str(&got), buf_cstr(&want));
}

TEST(the_order_in_which_ingresses_came_changes_nothing)
{
	struct buf a CLEANUP_BUF = {0}, b CLEANUP_BUF = {0};
	char generation_a[RENDER_GENERATION_LEN + 1], generation_b[RENDER_GENERATION_LEN + 1];

	render_cases(ARRAY_LEN(cases), false, &a, generation_a);
	render_cases(ARRAY_LEN(cases), true, &b, generation_b);
	EXPECT_STR(buf_str(&a), buf_cstr(&b));
	assert_string_equal(generation_a, generation_b);
}

TEST(another_route_is_another_generation)
{
	struct buf a CLEANUP_BUF = {0}, b CLEANUP_BUF = {0};
	char generation_a[RENDER_GENERATION_LEN + 1], generation_b[RENDER_GENERATION_LEN + 1];

	render_cases(1, false, &a, generation_a);
	render_cases(2, false, &b, generation_b);
	assert_string_not_equal(generation_a, generation_b);
	assert_int_equal(strlen(generation_a), RENDER_GENERATION_LEN);
}

TEST(a_line_is_traced_to_its_ingress)
{
	struct str text = STR("http {\n\t# ingress a/b\n\tbad\n\t# end\n\tours\n"), ns, name;

	assert_true(render_find_owner(text, 3, &ns, &name));
	EXPECT_STR(ns, "a");
	EXPECT_STR(name, "b");
	assert_false(render_find_owner(text, 1, &ns, &name));
	assert_false(render_find_owner(text, 5, &ns, &name));
}

TEST_MAIN(the_configuration_is_as_reviewed, the_order_in_which_ingresses_came_changes_nothing,
	  another_route_is_another_generation, a_line_is_traced_to_its_ingress)
