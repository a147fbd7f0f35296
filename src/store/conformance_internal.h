/* SPDX-License-Identifier: Apache-2.0 */
/* store/conformance_internal.h: the words that the cases are written in. */
#pragma once
#include "base/buf.h"
#include "base/test.h"
#include "base/vec.h"
#include "store/conformance.h"

/* One case's world. */
struct world {
	const struct conformance_backend *backend;
	void *ctx;
	struct sim_env *sim;
	struct store *store;
};

struct world world_new(void **state);
/* Open (again) with these options. */
void world_open(struct world *w, struct store_opts opts);
/* world_new and world_open with default options. */
struct world world_start(void **state);
/* Close and wait; what persists stays. */
void world_close(struct world *w);
void world_free(struct world *w);
/* Let something happen: here, or on the backend's thread. */
void world_turn(struct world *w);

/* expect: a revision, 0: must not exist, -1: anything. */
struct store_op op_put(const char *key, const char *text, int64_t expect);
struct store_op op_delete(const char *key, int64_t expect);
struct store_op op_check(const char *key, int64_t expect);

struct answer {
	bool done;
	int code;
	int64_t revision;
	size_t failed_op;
	char current[64]; /* "" if none */
	int64_t durable;  /* the head when it came */
	struct store *store;
};

void world_commit_later(struct world *w, const struct store_op *ops, size_t n, struct answer *a);
struct answer world_commit(struct world *w, const struct store_op *ops, size_t n);
#define COMMIT(w, ...)                                                                             \
	({                                                                                         \
		const struct store_op ops_[] = {__VA_ARGS__};                                      \
		world_commit((w), ops_, ARRAY_LEN(ops_));                                          \
	})
/* The revision of an answer that must be a success. */
int64_t conf_must(struct answer a);
/* A store_done_fn whose ctx is a struct answer with its store set. */
void conf_on_done(void *ctx, const struct store_result *result);

/* want NULL: no value. */
void conf_expect_text(const struct store_value *value, const char *want);
/* want: "key=text " for each. */
void world_expect_range(struct world *w, struct str start_key, struct str end, int64_t at,
			const char *want);
/* A store_each_fn whose ctx is a struct buf. */
bool conf_add_item(void *ctx, const struct store_item *item);

/* What a watch saw, as text: "5 a=x(was y) " per event, "| " behind each call. */
struct seen {
	struct store *store;
	struct buf text;
	size_t n;
	int64_t last;
	int ended;
	struct store_watch *watch;
	void (*react)(struct seen *seen);
	struct store_watch *victim;
	struct answer *answer;
};

void world_watch(struct world *w, struct seen *s, struct str from, struct str to, int64_t after);
int world_try_watch(struct world *w, struct seen *s, struct str from, struct str to, int64_t after);
void conf_seen_fini(struct seen *s);

/* ctx is a bool. */
void conf_set_true(void *ctx);

struct conformance_cases {
	VEC(struct CMUnitTest) list;
	const struct conformance_backend *backend;
};

#define ADD_CASE(cases, f)                                                                         \
	(*vec_push(&(cases)->list) =                                                               \
		 (struct CMUnitTest)cmocka_unit_test_prestate(f, (void *)(cases)->backend))

void conformance_add_data(struct conformance_cases *cases);
void conformance_add_watch(struct conformance_cases *cases);
void conformance_add_life(struct conformance_cases *cases);
