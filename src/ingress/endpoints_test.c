/* SPDX-License-Identifier: Apache-2.0 */
#include "ingress/endpoints.h"

#include "base/test.h"
#include "ingress/fixture.h"

struct known {
	struct arena arena;
	struct endpoints e;
};

static void init(struct known *k)
{
	*k = (struct known){0};
	endpoints_init(&k->e);
}

static void fini(struct known *k)
{
	endpoints_fini(&k->e);
	arena_fini(&k->arena);
}

static void set_slice(struct known *k, const char *name, const char *service,
		      const struct endpoint_case *endpoints, int64_t revision)
{
	struct str former;

	endpoints_set_slice(&k->e,
			    make_slice(&k->arena, "ns", name, service, 8080, "http", endpoints),
			    revision, &former);
}

static void expect(struct known *k, const struct backend_ref *ref, enum resolution want,
		   const char *addresses)
{
	struct buf out CLEANUP_BUF = {0};

	assert_int_equal(endpoints_resolve(&k->e, STR("ns"), ref, &out), want);
	EXPECT_STR(buf_str(&out), addresses);
}

static const struct backend_ref by_number = {.service = STR_INIT("web"), .port_number = 80};
static const struct backend_ref by_name = {.service = STR_INIT("web"),
					   .port_name = STR_INIT("http")};

TEST(ready_endpoints_of_all_slices_are_sorted_and_named_once)
{
	static const struct endpoint_case a[] = {
		{"10.0.0.2", "r"}, {"10.0.0.9", ""}, {"10.0.0.8", "t"}, {NULL, NULL}};
	static const struct endpoint_case b[] = {{"10.0.0.1", "r"},
						 {"10.0.0.2", "r"},
						 {"fd00:0::1", "r"},
						 {"evil; }", "r"},
						 {NULL, NULL}};
	struct known k;

	init(&k);
	set_slice(&k, "a", "web", a, 5);
	set_slice(&k, "b", "web", b, 6);
	expect(&k, &by_number, NO_SERVICE, "");
	endpoints_set_service(&k.e, make_service(&k.arena, "ns", "web", 80, "http"));
	expect(&k, &by_number, RESOLVED, "10.0.0.1:8080 10.0.0.2:8080 [fd00::1]:8080");
	expect(&k, &by_name, RESOLVED, "10.0.0.1:8080 10.0.0.2:8080 [fd00::1]:8080");
	assert_int_equal(k.e.revision, 6);
	fini(&k);
}

TEST(endpoints_that_terminate_but_serve_are_used_when_nothing_else_is_left)
{
	static const struct endpoint_case a[] = {{"10.0.0.2", "t"}, {"10.0.0.3", ""}, {NULL, NULL}};
	struct known k;

	init(&k);
	endpoints_set_service(&k.e, make_service(&k.arena, "ns", "web", 80, "http"));
	set_slice(&k, "a", "web", a, 1);
	expect(&k, &by_number, RESOLVED, "10.0.0.2:8080");
	fini(&k);
}

TEST(what_a_service_lacks_is_told_apart)
{
	static const struct backend_ref other = {.service = STR_INIT("web"), .port_number = 81};
	struct known k;
	struct core_service *service;

	init(&k);
	service = make_service(&k.arena, "ns", "web", 80, "http");
	endpoints_set_service(&k.e, service);
	expect(&k, &other, NO_PORT, "");
	service->spec.type = STR("ExternalName");
	endpoints_set_service(&k.e, service);
	expect(&k, &by_number, IS_EXTERNAL_NAME, "");
	endpoints_remove_service(&k.e, STR("ns"), STR("web"));
	expect(&k, &by_number, NO_SERVICE, "");
	assert_int_equal(k.e.services.n, 0);
	fini(&k);
}

TEST(a_slice_that_moves_to_another_service_leaves_the_former)
{
	static const struct endpoint_case a[] = {{"10.0.0.2", "r"}, {NULL, NULL}};
	struct known k;
	struct str former, now;

	init(&k);
	endpoints_set_service(&k.e, make_service(&k.arena, "ns", "web", 80, "http"));
	set_slice(&k, "a", "web", a, 1);
	now = endpoints_set_slice(&k.e, make_slice(&k.arena, "ns", "a", "other", 8080, "http", a),
				  2, &former);
	EXPECT_STR(former, "ns/web");
	EXPECT_STR(now, "ns/other");
	expect(&k, &by_number, RESOLVED, "");
	EXPECT_STR(endpoints_remove_slice(&k.e, STR("ns"), STR("a"), 3), "ns/other");
	assert_int_equal(k.e.services.n, 1); /* the other was only a name */
	assert_int_equal(k.e.revision, 3);
	fini(&k);
}

TEST_MAIN(ready_endpoints_of_all_slices_are_sorted_and_named_once,
	  endpoints_that_terminate_but_serve_are_used_when_nothing_else_is_left,
	  what_a_service_lacks_is_told_apart,
	  a_slice_that_moves_to_another_service_leaves_the_former)
