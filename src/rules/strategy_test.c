/* SPDX-License-Identifier: Apache-2.0 */
/* Runs the cases of tests/golden/rules/NAME.cases, or of the one file that COX_CASES names:
 *     == pods: what is shown here             the resource (pods/status: a write of the status)
 *     {spec: {containers: [...]}}             what a client sends, YAML
 *     -- old                                  an update of this; otherwise it is a create
 *     -- errors                               all that the tables and the strategy find, in order
 *     -- warnings                             not compared if missing
 *     -- becomes                              a part of the object after defaults and prepare_*;
 *                                             null: not there
 * metadata.name is x unless it is given. */
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/test.h"
#include "codec/yaml.h"
#include "object/decode.h"
#include "object/defaults.h"
#include "object/encode.h"
#include "object/object.h"
#include "object/validate.h"
#include "rules/strategy.h"
#include "types/types.h"

struct rule_case {
	struct str title;
	struct str manifest, old, errors, warnings, becomes; /* p == NULL: not there */
};

static struct str read_file(struct arena *a, const char *path)
{
	int fd CLEANUP_FD = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	char *p;

	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &st), 0);
	p = arena_bytes(a, (size_t)st.st_size + 1);
	assert_int_equal(read(fd, p, (size_t)st.st_size), st.st_size);
	return str_make(p, (size_t)st.st_size);
}

/* ---- one case ---- */

static const struct resource_desc *find_resource(struct str name)
{
	for (size_t i = 0; i < all_resources_n; i++) {
		const struct resource_desc *r = all_resources[i];
		struct str group = name;
		struct str plain;

		str_cut(&group, '.', &plain);
		if (str_eq(str_of(r->resource), plain) &&
		    (!group.p || str_eq(str_of(r->group), group))) {
			return r;
		}
	}
	print_error("no resource %.*s\n", STR_ARG(name));
	fail();
	return NULL;
}

static struct json_value yaml(struct arena *a, struct str text)
{
	struct err e CLEANUP_ERR = {0};
	struct json_value v;

	if (yaml_parse(a, text, true, &v, &e) < 0) {
		print_error("%.*s\n%s\n", STR_ARG(text), err_msg(&e));
		fail();
	}
	return v;
}

static void *decode(struct arena *a, const struct resource_desc *r, struct str text)
{
	struct err e CLEANUP_ERR = {0};
	struct decode_report report = {.notes = {.arena = a}};
	struct json_value v = yaml(a, text);
	void *obj = arena_alloc(a, r->type->size);
	struct meta_object_meta *meta;

	if (object_decode_value(a, r->type, &v, obj, &report, &e) < 0) {
		print_error("%s\n", err_msg(&e));
		fail();
	}
	if (report.notes.n) {
		print_error("unknown field %.*s\n", STR_ARG(report.notes.p[0].path));
		fail();
	}
	meta = object_member(r->type, obj, STR("metadata"));
	if (!meta->name.n && !meta->generate_name.n) {
		meta->name = STR("x");
	}
	return obj;
}

static void set_defaults(struct arena *a, const struct resource_desc *r, const struct strategy *s,
			 void *obj)
{
	object_apply_defaults(a, r->type, obj);
	if (s->set_defaults) {
		s->set_defaults(a, obj);
	}
}

struct texts {
	struct buf buf;
};

static void add_text(void *ctx, struct str text)
{
	struct texts *t = ctx;

	buf_add_str(&t->buf, text);
	buf_add_char(&t->buf, '\n');
}

/* Everything in want is in got. */
static bool is_part(const struct json_value *want, const struct json_value *got)
{
	if (want->kind == JSON_OBJECT) {
		bool all = got && got->kind == JSON_OBJECT;

		for (size_t i = 0; all && i < want->n; i++) {
			all = is_part(&want->members[i].value, json_get(got, want->members[i].key));
		}
		return all;
	}
	if (want->kind == JSON_ARRAY) {
		bool all = got && got->kind == JSON_ARRAY && got->n == want->n;

		for (size_t i = 0; all && i < want->n; i++) {
			all = is_part(&want->items[i], &got->items[i]);
		}
		return all;
	}
	return want->kind == JSON_NULL ? !got : got && json_equal(want, got);
}

/* All cases run; the numbers of those that failed come at the end. */
static int failures;

static void complain(const struct rule_case *c, const char *what, struct str got, struct str want)
{
	failures++;
	fprintf(stderr, "%.*s\n%s: got\n%.*s\nwant\n%.*s\n\n", STR_ARG(c->title), what,
		STR_ARG(got), STR_ARG(want));
}

static void expect_text(const struct rule_case *c, const char *what, struct str got,
			struct str want)
{
	if (!str_eq(str_trim(got), str_trim(want))) {
		complain(c, what, str_trim(got), str_trim(want));
	}
}

static void expect_part(struct arena *a, const struct rule_case *c, const struct type_desc *type,
			const void *obj)
{
	struct buf b CLEANUP_BUF = {0};
	struct json_value want = yaml(a, c->becomes);
	struct json_value got;

	object_encode(&b, type, obj, NULL, NULL);
	got = yaml(a, buf_str(&b));
	if (!is_part(&want, &got)) {
		complain(c, "becomes", buf_str(&b), c->becomes);
	}
}

/* The status of *obj in a copy of old. */
static void *with_status(struct arena *a, const struct type_desc *type, const void *old,
			 const void *obj)
{
	const struct field_desc *f = type_find_field(type, STR("status"));
	char *both = arena_alloc(a, type->size);

	memcpy(both, old, type->size);
	memcpy(both + f->offset, (const char *)obj + f->offset, f->elem_size);
	return both;
}

static void write_errors(struct buf *out, const struct field_errors *errs)
{
	for (size_t i = 0; i < errs->n; i++) {
		field_error_write(out, &errs->p[i]);
		buf_add_char(out, '\n');
	}
}

/* What the API server does on a write; the object as it would be stored. */
static void *write_object(struct arena *a, const struct rule_case *c, const struct resource_desc *r,
			  const struct strategy *s, bool status, void **ret_old)
{
	void *obj = decode(a, r, c->manifest);
	void *old = NULL;

	if (c->old.p) {
		old = decode(a, r, c->old);
		set_defaults(a, r, s, old);
	}
	*ret_old = old;
	if (status) {
		obj = with_status(a, r->type, old, obj);
	}
	set_defaults(a, r, s, obj);
	if (status && s->prepare_status) {
		s->prepare_status(a, obj, old);
	} else if (!status && old && s->prepare_update) {
		s->prepare_update(a, obj, old);
	} else if (!old && s->prepare_create) {
		s->prepare_create(a, obj);
	}
	set_defaults(a, r, s, obj);
	return obj;
}

/* A function that is repeated changes nothing more. */
static void expect_idempotent(struct arena *a, const struct rule_case *c,
			      const struct resource_desc *r, const struct strategy *s,
			      const void *obj, const void *old)
{
	void *again = arena_alloc(a, r->type->size);

	object_dup(a, r->type, obj, again);
	set_defaults(a, r, s, again);
	if (old && s->prepare_update) {
		s->prepare_update(a, again, old);
	} else if (!old && s->prepare_create) {
		s->prepare_create(a, again);
	}
	if (!object_equal(r->type, obj, again)) {
		complain(c, "defaults", STR("something else the second time"), STR("the same"));
	}
}

static void run_case(const struct rule_case *c)
{
	struct arena a CLEANUP_ARENA = {0};
	struct buf text CLEANUP_BUF = {0};
	struct buf before CLEANUP_BUF = {0};
	struct buf after CLEANUP_BUF = {0};
	struct field_errors errs = {.arena = &a};
	struct texts warnings = {0};
	const struct warn_sink sink = {.arena = &a, .add = add_text, .ctx = &warnings};
	struct str what = c->title;
	struct str name;
	bool found = str_cut(&what, ':', &name) && what.p;
	bool status = str_has_suffix(name, STR("/status"));
	const struct resource_desc *r;
	const struct strategy *s;
	const struct meta_object_meta *meta;
	void *old;
	void *obj;

	assert_true(found);
	r = find_resource(status ? str_sub(name, 0, name.n - strlen("/status")) : name);
	s = strategy_find(r);
	obj = write_object(&a, c, r, s, status, &old);
	if (old) {
		object_encode(&before, r->type, old, NULL, NULL);
	}
	meta = object_member(r->type, obj, STR("metadata"));
	if (!old) {
		strategy_check_name(s, &errs, meta->name, meta->generate_name);
	}
	object_validate(&errs, r->type, obj, old, VALIDATE_BUILTIN);
	if (status && s->validate_status) {
		s->validate_status(&errs, obj, old);
	} else if (!status && s->validate) {
		s->validate(&errs, obj, old);
	}
	write_errors(&text, &errs);
	if (s->warn && !status) {
		s->warn(&sink, obj, old);
	}
	expect_text(c, "errors", buf_str(&text), c->errors);
	if (c->warnings.p) {
		expect_text(c, "warnings", buf_str(&warnings.buf), c->warnings);
	}
	buf_fini(&warnings.buf);
	if (c->becomes.p) {
		expect_part(&a, c, r->type, obj);
	}
	if (!status) {
		expect_idempotent(&a, c, r, s, obj, old);
	}
	if (old) {
		object_encode(&after, r->type, old, NULL, NULL);
		expect_text(c, "the old object", buf_str(&after), buf_str(&before));
	}
}

/* ---- files of cases ---- */

static struct str *section_of(struct rule_case *c, struct str name)
{
	if (str_is(name, "old")) {
		return &c->old;
	}
	if (str_is(name, "errors")) {
		return &c->errors;
	}
	if (str_is(name, "warnings")) {
		return &c->warnings;
	}
	if (str_is(name, "becomes")) {
		return &c->becomes;
	}
	print_error("no section is called %.*s\n", STR_ARG(name));
	fail();
	return NULL;
}

static size_t run_file(const char *path)
{
	struct arena a CLEANUP_ARENA = {0};
	struct str text = read_file(&a, path);
	struct rule_case c = {0};
	struct str *section = NULL;
	size_t n = 0;

	while (text.n) {
		struct str rest = text;
		struct str line;

		str_cut(&rest, '\n', &line);
		rest = rest.p ? rest : str_from(text, text.n);
		if (str_has_prefix(line, STR("== "))) {
			if (n++) {
				run_case(&c);
			}
			c = (struct rule_case){.title = str_from(line, 3)};
			section = &c.manifest;
			*section = str_make(rest.p, 0);
		} else if (str_has_prefix(line, STR("-- "))) {
			section = section_of(&c, str_trim(str_from(line, 3)));
			*section = str_make(rest.p, 0);
		} else if (section) {
			section->n += text.n - rest.n;
		}
		text = rest;
	}
	if (n) {
		run_case(&c);
	}
	return n;
}

TEST(cases_hold)
{
	const char *one = getenv("COX_CASES");
	const char *folder = "tests/golden/rules";
	DIR *dir = one ? NULL : opendir(folder);
	size_t n = one ? run_file(one) : 0;
	struct dirent *e;

	assert_true(one || dir);
	while (dir && (e = readdir(dir))) {
		struct arena a CLEANUP_ARENA = {0};

		if (str_has_suffix(str_of(e->d_name), STR(".cases"))) {
			n += run_file(arena_printf(&a, "%s/%s", folder, e->d_name).p);
		}
	}
	if (dir) {
		closedir(dir);
	}
	assert_true(n > 0);
	assert_int_equal(failures, 0);
}

/* Whatever is missing, nothing crashes. */
TEST(every_resource_takes_an_empty_object)
{
	for (size_t i = 0; i < all_resources_n; i++) {
		const struct resource_desc *r = all_resources[i];
		const struct strategy *s = strategy_find(r);
		struct arena a CLEANUP_ARENA = {0};
		struct buf ignored CLEANUP_BUF = {0};
		struct texts warnings = {0};
		const struct warn_sink sink = {.arena = &a, .add = add_text, .ctx = &warnings};
		struct field_errors errs = {.arena = &a};
		void *old = arena_alloc(&a, r->type->size);
		void *obj = arena_alloc(&a, r->type->size);

		if (!type_find_field(r->type, STR("metadata"))) {
			continue;
		}
		for (int update = 0; update < 2; update++) {
			set_defaults(&a, r, s, obj);
			if (update && s->prepare_update) {
				s->prepare_update(&a, obj, old);
			} else if (!update && s->prepare_create) {
				s->prepare_create(&a, obj);
			}
			if (update && s->prepare_status) {
				s->prepare_status(&a, obj, old);
			}
			if (s->validate) {
				s->validate(&errs, obj, update ? old : NULL);
			}
			if (s->validate_status) {
				s->validate_status(&errs, obj, old);
			}
			if (s->warn) {
				s->warn(&sink, obj, update ? old : NULL);
			}
		}
		write_errors(&ignored, &errs);
		buf_fini(&warnings.buf);
	}
}

/* A strategy that nobody finds would be dead. */
TEST(stored_kinds_have_strategies)
{
	static const char *const plain[] = {"componentstatuses", NULL};

	for (size_t i = 0; i < all_resources_n; i++) {
		const struct resource_desc *r = all_resources[i];
		bool may = !(r->verbs & VERB_UPDATE) || r->storage;

		for (size_t k = 0; plain[k]; k++) {
			may |= str_eq(str_of(plain[k]), str_of(r->resource));
		}
		if (!may && strategy_find(r)->resource != r) {
			print_error("%s has no strategy\n", r->resource);
			fail();
		}
	}
}

TEST_MAIN(cases_hold, every_resource_takes_an_empty_object, stored_kinds_have_strategies)
