/* SPDX-License-Identifier: Apache-2.0 */
/* RFC 6902, with the leniencies of the library that upstream uses: a path need not begin with a
 * slash, replace of an absent member adds it, absent equals null in test. */
#include "base/buf.h"
#include "object/patch.h"

struct json_patcher {
	struct arena *arena;
	struct json_value *doc;
	struct err *err;
	size_t copied;
	size_t moved;
};

/* A place that an operation names: a member of an object, or an item of a list. */
struct place {
	struct str path; /* as the operation has it */
	struct json_value *container;
	struct str key;
};

typedef int (*operation_fn)(struct json_patcher *p, const struct json_value *op);

static bool get_string(const struct json_value *op, struct str name, struct str *ret)
{
	const struct json_value *v = json_get(op, name);

	if (!v || v->kind != JSON_STRING) {
		return false;
	}
	*ret = json_str(v);
	return true;
}

/* ~1 is /, ~0 is ~ */
static struct str unescape(struct arena *arena, struct str s)
{
	char *p;
	size_t n = 0;

	if (str_find_char(s, '~') < 0) {
		return s;
	}
	p = arena_bytes(arena, s.n);
	for (size_t i = 0; i < s.n; i++) {
		bool escape =
			s.p[i] == '~' && i + 1 < s.n && (s.p[i + 1] == '0' || s.p[i + 1] == '1');

		p[n++] = !escape ? s.p[i] : s.p[i + 1] == '1' ? '/' : '~';
		i += escape;
	}
	return str_make(p, n);
}

/* The item that `key` names in a list of n, or ERR_INVALID (no number), ERR_RANGE (not of 64 bits),
 * ERR_NOT_FOUND. Negative ones count from the end. */
static int find_index(struct str key, size_t n, size_t *ret)
{
	int64_t i;
	int code = str_to_int64(key, &i);

	if (code < 0) {
		return code;
	}
	if (i < 0) {
		i += (int64_t)n;
	}
	if (i < 0 || i >= (int64_t)n) {
		return ERR_NOT_FOUND;
	}
	*ret = (size_t)i;
	return 0;
}

/* NULL if there is none; bad indexes too. A removal has cost an object its index, so that looking
 * costs as much again. */
static struct json_value *get_child(struct json_patcher *p, struct json_value *container,
				    struct str key)
{
	size_t i;

	if (container->kind == JSON_ARRAY) {
		return find_index(key, container->n, &i) == 0 ? &container->items[i] : NULL;
	}
	p->moved += container->index ? 1 : container->n;
	return json_get(container, key);
}

static bool find_place(struct json_patcher *p, struct str path, struct place *ret)
{
	struct json_value *v = p->doc;
	struct str rest = path;
	struct str part;

	str_cut(&rest, '/', &part); /* what stands before the first slash */
	if (!rest.p) {
		return false;
	}
	for (;;) {
		str_cut(&rest, '/', &part);
		part = unescape(p->arena, part);
		if (v->kind != JSON_OBJECT && v->kind != JSON_ARRAY) {
			return false;
		}
		if (!rest.p) {
			break;
		}
		v = get_child(p, v, part);
		if (!v) {
			return false;
		}
	}
	*ret = (struct place){path, v, part};
	return true;
}

static int index_error(struct json_patcher *p, int code, struct str key)
{
	if (code != ERR_NOT_FOUND) {
		return err_set(p->err, ERR_CONFLICT, "strconv.Atoi: parsing \"%.*s\": %s",
			       STR_ARG(key),
			       code == ERR_RANGE ? "value out of range" : "invalid syntax");
	}
	return err_set(p->err, ERR_CONFLICT,
		       "Unable to access invalid index: %.*s: invalid index referenced",
		       STR_ARG(key));
}

static int count_moved(struct json_patcher *p, size_t n)
{
	p->moved += n;
	if (p->moved > PATCH_MOVED_MAX) {
		return err_set(p->err, ERR_LIMIT,
			       "the patch shifts too many list items and members, more than %d",
			       PATCH_MOVED_MAX);
	}
	return 0;
}

static int add_to_list(struct json_patcher *p, struct place *at, struct json_value value)
{
	struct json_value *list = at->container;
	size_t i = list->n;
	int code;

	if (!str_is(at->key, "-")) {
		code = find_index(at->key, (size_t)list->n + 1, &i);
		if (code < 0) {
			index_error(p, code, at->key);
			return code == ERR_NOT_FOUND
				       ? ERR_CONFLICT
				       : err_wrap(p->err,
						  "value was not a proper array index: '%.*s'",
						  STR_ARG(at->key));
		}
	}
	if (count_moved(p, list->n - i) < 0) {
		return ERR_LIMIT;
	}
	json_insert(p->arena, list, i, value);
	return 0;
}

static int add_at(struct json_patcher *p, struct place *at, struct json_value value)
{
	if (at->container->kind == JSON_ARRAY) {
		return add_to_list(p, at, value);
	}
	json_set(p->arena, at->container, at->key, value);
	return 0;
}

static int remove_at(struct json_patcher *p, struct place *at)
{
	struct json_value *c = at->container;
	size_t i;
	int code;

	if (count_moved(p, c->n) < 0) {
		return ERR_LIMIT;
	}
	if (c->kind == JSON_OBJECT) {
		return json_remove(c, at->key)
			       ? 0
			       : err_set(p->err, ERR_CONFLICT,
					 "Unable to remove nonexistent key: %.*s: missing value",
					 STR_ARG(at->key));
	}
	code = find_index(at->key, c->n, &i);
	if (code < 0) {
		return index_error(p, code, at->key);
	}
	json_remove_item(c, i);
	return 0;
}

/* The value at a place that may be read: NULL for an absent member, an error for an absent item. */
static int read_at(struct json_patcher *p, struct place *at, struct json_value **ret)
{
	size_t i;
	int code;

	*ret = NULL;
	if (at->container->kind == JSON_OBJECT) {
		*ret = get_child(p, at->container, at->key);
		return 0;
	}
	code = find_index(at->key, at->container->n, &i);
	if (code < 0) {
		return index_error(p, code, at->key);
	}
	*ret = &at->container->items[i];
	return 0;
}

static struct json_value value_of(const struct json_value *op)
{
	const struct json_value *v = json_get(op, STR("value"));

	return v ? *v : json_make(JSON_NULL);
}

static int missing_path(struct json_patcher *p, const char *op, const char *what)
{
	return err_set(p->err, ERR_CONFLICT, "%s operation failed to decode %s: missing value", op,
		       what);
}

static int does_not_apply(struct json_patcher *p, const char *op, const char *what, struct str path)
{
	return err_set(p->err, ERR_CONFLICT, "%s operation does not apply: %s: %.*s: missing value",
		       op, what, STR_ARG(path));
}

static int does_not_apply_quoted(struct json_patcher *p, const char *op, struct str path)
{
	return err_set(p->err, ERR_CONFLICT,
		       "%s operation does not apply: doc is missing path: \"%.*s\": missing value",
		       op, STR_ARG(path));
}

static int wrap(struct json_patcher *p, const char *op, const char *what, struct str path)
{
	return err_wrap(p->err, "error in %s for %s: '%.*s'", op, what, STR_ARG(path));
}

static int apply_add(struct json_patcher *p, const struct json_value *op)
{
	struct place at;
	struct str path;

	if (!get_string(op, STR("path"), &path)) {
		return missing_path(p, "add", "path");
	}
	if (!find_place(p, path, &at)) {
		return does_not_apply_quoted(p, "add", path);
	}
	return add_at(p, &at, value_of(op)) < 0 ? wrap(p, "add", "path", path) : 0;
}

static int apply_remove(struct json_patcher *p, const struct json_value *op)
{
	struct place at;
	struct str path;

	if (!get_string(op, STR("path"), &path)) {
		return missing_path(p, "remove", "path");
	}
	if (!find_place(p, path, &at)) {
		return does_not_apply_quoted(p, "remove", path);
	}
	return remove_at(p, &at) < 0 ? wrap(p, "remove", "path", path) : 0;
}

static int apply_replace(struct json_patcher *p, const struct json_value *op)
{
	struct json_value value = value_of(op);
	struct json_value *old;
	struct place at;
	struct str path;

	if (!get_string(op, STR("path"), &path)) {
		return err_set(p->err, ERR_CONFLICT,
			       "replace operation failed to decode path: operation missing path "
			       "field: missing value");
	}
	if (path.n == 0) {
		if (value.kind != JSON_OBJECT && value.kind != JSON_ARRAY) {
			return err_set(p->err, ERR_CONFLICT,
				       "replace operation value must be object or array");
		}
		*p->doc = value;
		return 0;
	}
	if (!find_place(p, path, &at)) {
		return does_not_apply(p, "replace", "doc is missing path", path);
	}
	if (read_at(p, &at, &old) < 0) {
		return does_not_apply(p, "replace", "doc is missing key", path);
	}
	if (at.container->kind == JSON_OBJECT) {
		json_set(p->arena, at.container, at.key, value);
	} else {
		*old = value;
	}
	return 0;
}

static int apply_move(struct json_patcher *p, const struct json_value *op)
{
	struct json_value *found;
	struct json_value value;
	struct place at;
	struct str from, path;

	if (!get_string(op, STR("from"), &from)) {
		return err_set(p->err, ERR_CONFLICT,
			       "move operation failed to decode from: operation, missing from "
			       "field: missing value");
	}
	if (!find_place(p, from, &at)) {
		return does_not_apply(p, "move", "doc is missing from path", from);
	}
	if (read_at(p, &at, &found) < 0) {
		return wrap(p, "move", "path", at.key);
	}
	value = found ? *found : json_make(JSON_NULL);
	if (remove_at(p, &at) < 0) {
		return wrap(p, "move", "path", at.key);
	}
	if (!get_string(op, STR("path"), &path)) {
		return err_set(p->err, ERR_CONFLICT,
			       "move operation failed to decode path: operation missing path "
			       "field: missing value");
	}
	if (!find_place(p, path, &at)) {
		return does_not_apply(p, "move", "doc is missing destination path", path);
	}
	return add_at(p, &at, value) < 0 ? wrap(p, "move", "path", path) : 0;
}

static int apply_copy(struct json_patcher *p, const struct json_value *op)
{
	struct json_value value = json_make(JSON_NULL);
	struct json_value *found;
	struct place at;
	struct str from, path;

	if (!get_string(op, STR("from"), &from)) {
		return err_set(p->err, ERR_CONFLICT,
			       "copy operation failed to decode from: operation, missing from "
			       "field: missing value");
	}
	if (!find_place(p, from, &at)) {
		return does_not_apply(p, "copy", "doc is missing from path", from);
	}
	if (read_at(p, &at, &found) < 0) {
		return wrap(p, "copy", "from", from);
	}
	if (!get_string(op, STR("path"), &path)) {
		return missing_path(p, "copy", "path");
	}
	if (found) {
		p->copied += json_count(found);
		if (p->copied > PATCH_COPIED_MAX) {
			return err_set(p->err, ERR_LIMIT,
				       "Unable to complete the copy, the accumulated size increase "
				       "of copy is %zu values, "
				       "exceeding the limit %d",
				       p->copied, PATCH_COPIED_MAX);
		}
		value = json_dup(p->arena, found);
	}
	if (!find_place(p, path, &at)) {
		return does_not_apply(p, "copy", "doc is missing destination path", path);
	}
	return add_at(p, &at, value) < 0 ? err_wrap(p->err, "error while adding value during copy")
					 : 0;
}

static bool is_null(const struct json_value *v)
{
	return !v || v->kind == JSON_NULL;
}

static int apply_test(struct json_patcher *p, const struct json_value *op)
{
	const struct json_value *want = json_get(op, STR("value"));
	struct json_value *found = p->doc;
	struct place at;
	struct str path;

	if (!get_string(op, STR("path"), &path)) {
		return err_set(p->err, ERR_CONFLICT,
			       "test operation failed to decode path: operation missing path "
			       "field: missing value");
	}
	if (path.n) {
		if (!find_place(p, path, &at)) {
			return does_not_apply(p, "test", "is missing path", path);
		}
		if (read_at(p, &at, &found) < 0) {
			return wrap(p, "test", "path", path);
		}
	}
	if (is_null(found) || is_null(want) ? is_null(found) && is_null(want)
					    : json_equal(found, want)) {
		return 0;
	}
	return err_set(p->err, ERR_CONFLICT, "testing value %.*s failed: test failed",
		       STR_ARG(path));
}

static const struct {
	const char *name;
	operation_fn apply;
} operations[] = {
	{"add", apply_add},   {"remove", apply_remove}, {"replace", apply_replace},
	{"move", apply_move}, {"copy", apply_copy},	{"test", apply_test},
};

static int apply_one(struct json_patcher *p, const struct json_value *op)
{
	struct str name = STR("unknown");

	get_string(op, STR("op"), &name);
	for (size_t i = 0; i < ARRAY_LEN(operations); i++) {
		if (str_eq(str_of(operations[i].name), name)) {
			return operations[i].apply(p, op);
		}
	}
	return err_set(p->err, ERR_CONFLICT, "Unexpected kind: %.*s", STR_ARG(name));
}

int patch_apply_json(struct arena *arena, struct json_value *doc, const struct json_value *patch,
		     struct err *err)
{
	struct err own CLEANUP_ERR = {0};
	struct json_patcher p = {.arena = arena, .doc = doc, .err = err ? err : &own};
	int code = 0;

	if (patch->kind != JSON_ARRAY) {
		return err_set(err, ERR_INVALID,
			       "json: cannot unmarshal %s into Go value of type jsonpatch.Patch",
			       json_kind_name(patch));
	}
	if (patch->n > PATCH_OPERATIONS_MAX) {
		return err_set(err, ERR_LIMIT,
			       "The allowed maximum operations in a JSON patch is %d, got %u",
			       PATCH_OPERATIONS_MAX, patch->n);
	}
	for (uint32_t i = 0; i < patch->n; i++) {
		if (patch->items[i].kind != JSON_OBJECT) {
			return err_set(err, ERR_INVALID,
				       "json: cannot unmarshal %s into Go value of type "
				       "jsonpatch.Operation",
				       json_kind_name(&patch->items[i]));
		}
	}
	for (uint32_t i = 0; i < patch->n && code == 0; i++) {
		code = apply_one(&p, &patch->items[i]);
		if (code == 0) {
			code = count_moved(&p, 0);
		}
	}
	return code;
}
