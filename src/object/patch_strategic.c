/* SPDX-License-Identifier: Apache-2.0 */
/* Strategic merge: a merge patch that knows which lists are maps or sets. */
#include "base/alloc.h"
#include "codec/go_text.h"
#include "object/patch.h"
#include "object/patch_internal.h"

#define DIRECTIVE STR("$patch")
#define RETAIN_KEYS STR("$retainKeys")
#define SET_ORDER STR("$setElementOrder")
#define DELETE_FROM STR("$deleteFromPrimitiveList")

static int merge_map(struct strategic *s, struct json_value *original, struct json_value *patch,
		     const struct type_desc *type);

static int bad_retain_keys(struct strategic *s)
{
	return err_set(s->err, ERR_INVALID, "invalid patch format of retainKeys");
}

static int bad_set_order(struct strategic *s)
{
	return err_set(s->err, ERR_INVALID, "invalid patch format of setElementOrder list");
}

static const char *go_type(const struct json_value *v)
{
	static const char *const names[] = {"<nil>",
					    "bool",
					    "int64",
					    "float64",
					    "string",
					    "[]interface {}",
					    "map[string]interface {}"};

	return names[v->kind];
}

static int bad_type(struct strategic *s, enum json_kind expected, const struct json_value *got)
{
	struct json_value e = json_make(expected);

	return err_set(s->err, ERR_CONFLICT, "expected a %s, but received a %s", go_type(&e),
		       go_type(got));
}

static int bad_patch_type(struct strategic *s, const struct json_value *directive,
			  const struct json_value *map)
{
	struct buf b CLEANUP_BUF = {0};

	buf_puts(&b, "unknown patch type: ");
	patch_print(&b, directive);
	buf_puts(&b, " in map: ");
	patch_print(&b, map);
	return err_set(s->err, ERR_CONFLICT, "%s", buf_cstr(&b));
}

static bool is_directive_key(struct str key)
{
	return str_eq(key, RETAIN_KEYS) || str_has_prefix(key, SET_ORDER) ||
	       str_has_prefix(key, DELETE_FROM);
}

/* FIELD of $prefix/FIELD; false if it is not of that form. */
static bool cut_prefix(struct str key, struct str prefix, struct str *ret)
{
	if (key.n <= prefix.n || key.p[prefix.n] != '/') {
		return false;
	}
	*ret = str_from(key, prefix.n + 1);
	return true;
}

/* Makes a part of the patch fit to stand in the document: without nulls, without directives. False
 * if it is itself one (a map with $patch) and must not stand there at all. */
static bool clean(struct json_value *v)
{
	uint32_t n = 0;

	if (v->kind == JSON_ARRAY) {
		for (uint32_t i = 0; i < v->n; i++) {
			struct json_value item = v->items[i];

			if (clean(&item)) {
				v->items[n++] = item;
			}
		}
		v->n = n;
	} else if (v->kind == JSON_OBJECT) {
		if (json_get(v, DIRECTIVE)) {
			return false;
		}
		for (uint32_t i = 0; i < v->n; i++) {
			struct json_member m = v->members[i];

			if (m.value.kind != JSON_NULL && !is_directive_key(m.key) &&
			    clean(&m.value)) {
				v->members[n++] = m;
			}
		}
		v->index = n < v->n ? NULL : v->index;
		v->n = n;
	}
	return true;
}

static bool are_scalars(const struct json_value *v)
{
	return v->n && v->items[0].kind != JSON_OBJECT;
}

/* All items of both lists are of one type, which is that of the first and no list. */
static int check_items(struct strategic *s, const struct json_value *a, const struct json_value *b)
{
	const struct json_value *first = a->n ? a->items : b->items;

	if (first->kind == JSON_ARRAY) {
		return err_set(s->err, ERR_CONFLICT, "lists of lists are not supported");
	}
	for (size_t i = 0; i < (size_t)a->n + b->n; i++) {
		const struct json_value *v = i < a->n ? &a->items[i] : &b->items[i - a->n];

		if (v->kind != first->kind || v->kind == JSON_NULL) {
			struct buf text CLEANUP_BUF = {0};

			patch_print(&text, a);
			buf_add_char(&text, ' ');
			patch_print(&text, b);
			return err_set(s->err, ERR_CONFLICT,
				       "list element types are not identical: [%s]",
				       buf_cstr(&text));
		}
	}
	return 0;
}

/* Union of two lists of scalars, or what is left of the first without the second. */
static int merge_scalars(struct strategic *s, struct json_value *original,
			 const struct json_value *patch, bool removing)
{
	struct keyed live CLEANUP(keyed_fini) = {0};
	struct keyed change CLEANUP(keyed_fini) = {0};
	struct json_value merged = {.kind = JSON_ARRAY};

	if (keyed_init(s, &live, original->items, original->n, NULL) < 0 ||
	    keyed_init(s, &change, patch->items, patch->n, NULL) < 0) {
		return s->err->code;
	}
	if (removing) {
		keyed_drop(original, &live, &change);
		return 0;
	}
	for (size_t i = 0; i < original->n; i++) {
		if (keyed_find(&live, live.keys[i]) == (ptrdiff_t)i) {
			json_insert(s->arena, &merged, merged.n, original->items[i]);
		}
	}
	for (size_t i = 0; i < patch->n; i++) {
		if (keyed_find(&change, change.keys[i]) == (ptrdiff_t)i &&
		    keyed_find(&live, change.keys[i]) < 0) {
			json_insert(s->arena, &merged, merged.n, patch->items[i]);
		}
	}
	*original = merged;
	return keyed_reorder(s, original, patch, &live, NULL);
}

/* $patch inside items: `delete` takes away the items of that key, `replace` all. The patch keeps
 * its plain items. */
static int apply_item_directives(struct strategic *s, struct json_value *original,
				 struct json_value *patch, const char *merge_key)
{
	struct json_value doomed = {.kind = JSON_ARRAY};
	bool replace = false;
	uint32_t n = 0;

	for (uint32_t i = 0; i < patch->n; i++) {
		struct json_value *directive = json_get(&patch->items[i], DIRECTIVE);
		struct str word = directive && directive->kind == JSON_STRING ? json_str(directive)
									      : STR_NULL;

		if (!directive) {
			patch->items[n++] = patch->items[i];
		} else if (str_is(word, "delete")) {
			json_insert(s->arena, &doomed, doomed.n, patch->items[i]);
		} else if (str_is(word, "replace")) {
			replace = true;
		} else if (str_is(word, "merge")) {
			return err_set(s->err, ERR_CONFLICT,
				       "merging lists cannot yet be specified in the patch");
		} else {
			return bad_patch_type(s, directive, &patch->items[i]);
		}
	}
	patch->n = n;
	if (replace) {
		original->n = 0;
	}
	if (doomed.n) {
		struct keyed live CLEANUP(keyed_fini) = {0};
		struct keyed drop CLEANUP(keyed_fini) = {0};

		if (keyed_init(s, &drop, doomed.items, doomed.n, merge_key) < 0 ||
		    keyed_init(s, &live, original->items, original->n, merge_key) < 0) {
			return s->err->code;
		}
		keyed_drop(original, &live, &drop);
	}
	return 0;
}

static int merge_maps(struct strategic *s, struct json_value *original, struct json_value *patch,
		      const char *merge_key, const struct type_desc *type)
{
	struct keyed live CLEANUP(keyed_fini) = {0};
	struct keyed all CLEANUP(keyed_fini) = {0};
	struct keyed change CLEANUP(keyed_fini) = {0};

	if (apply_item_directives(s, original, patch, merge_key) < 0 ||
	    keyed_init(s, &live, original->items, original->n, merge_key) < 0 ||
	    keyed_init(s, &all, original->items, original->n, merge_key) < 0 ||
	    keyed_init(s, &change, patch->items, patch->n, merge_key) < 0) {
		return s->err->code;
	}
	for (uint32_t i = 0; i < patch->n; i++) {
		ptrdiff_t at = keyed_find(&all, change.keys[i]);
		int code;

		if (at < 0) {
			/* Later items of the patch may name it again. */
			map_put(&all.first, change.keys[i], (void *)((size_t)original->n + 1));
			clean(&patch->items[i]);
			json_insert(s->arena, original, original->n, patch->items[i]);
			continue;
		}
		code = merge_map(s, &original->items[at], &patch->items[i], type);
		if (code < 0) {
			return code;
		}
	}
	return keyed_reorder(s, original, patch, &live, merge_key);
}

/* The list `original` by the list `patch`; both must be lists. */
static int merge_list(struct strategic *s, struct json_value *original, struct json_value *patch,
		      const struct field_desc *f, bool removing)
{
	if (!removing && !(f->flags & FIELD_PATCH_MERGE)) {
		*original = *patch;
		return 0;
	}
	if (original->n == 0 && patch->n == 0) {
		return 0;
	}
	if (check_items(s, original, patch) < 0) {
		return s->err->code;
	}
	if (are_scalars(original) || are_scalars(patch)) {
		return merge_scalars(s, original, patch, removing);
	}
	if (!f->patch_merge_key) {
		return err_set(s->err, ERR_CONFLICT,
			       "cannot merge lists without merge key for struct");
	}
	return merge_maps(s, original, patch, f->patch_merge_key, f->message);
}

/* ---- maps ---- */

/* The field of a struct that a key names; free-form maps have none. */
static int look_up(struct strategic *s, const struct type_desc *type, struct str key,
		   const struct field_desc **ret)
{
	if (!type) {
		return err_set(
			s->err, ERR_CONFLICT,
			"merging an object in json but data type is not struct, instead is: map");
	}
	*ret = type_find_field(type, key);
	if (!*ret) {
		const char *dot = strrchr(type->name, '.');
		struct buf b CLEANUP_BUF = {0};

		go_quote(&b, key);
		return err_set(s->err, ERR_CONFLICT,
			       "unable to find api field in struct %s for the json field %s",
			       dot ? dot + 1 : type->name, buf_cstr(&b));
	}
	return 0;
}

static int look_up_list(struct strategic *s, const struct type_desc *type, struct str key,
			const struct field_desc **ret)
{
	int code = look_up(s, type, key, ret);

	if (code == 0 && (*ret)->shape != SHAPE_LIST) {
		return err_set(s->err, ERR_CONFLICT,
			       "expected slice or array type, but got: struct");
	}
	return code;
}

static int apply_retain_keys(struct strategic *s, struct json_value *original,
			     struct json_value *patch)
{
	const struct json_value *found = json_get(patch, RETAIN_KEYS);
	struct json_value kept = json_make(JSON_OBJECT);
	struct keyed retain CLEANUP(keyed_fini) = {0};
	struct json_value list;
	struct buf b CLEANUP_BUF = {0};

	if (!found) {
		return 0;
	}
	list = *found;
	if (list.kind != JSON_ARRAY) {
		return bad_retain_keys(s);
	}
	json_remove(patch, RETAIN_KEYS);
	if (keyed_init(s, &retain, list.items, list.n, NULL) < 0) {
		return s->err->code;
	}
	for (uint32_t i = 0; i < patch->n; i++) {
		const struct json_member *m = &patch->members[i];

		buf_clear(&b);
		json_write_string(&b, m->key);
		if (m->value.kind != JSON_NULL && !is_directive_key(m->key) &&
		    keyed_find(&retain, buf_str(&b)) < 0) {
			return bad_retain_keys(s);
		}
	}
	for (uint32_t i = 0; i < original->n; i++) {
		buf_clear(&b);
		json_write_string(&b, original->members[i].key);
		if (keyed_find(&retain, buf_str(&b)) >= 0) {
			json_set(s->arena, &kept, original->members[i].key,
				 original->members[i].value);
		}
	}
	*original = kept;
	return 0;
}

/* The items of the patch occur in the order list, in the same order; those that delete do not
 * count. */
static int check_order(struct strategic *s, const struct json_value *patch,
		       const struct json_value *order, const char *merge_key)
{
	struct keyed want CLEANUP(keyed_fini) = {0};
	struct keyed have CLEANUP(keyed_fini) = {0};
	size_t j = 0;

	if (patch->n == 0 || order->n == 0) {
		return 0;
	}
	if (keyed_init(s, &want, order->items, order->n, merge_key) < 0 ||
	    keyed_init(s, &have, patch->items, patch->n, merge_key) < 0) {
		return s->err->code;
	}
	for (size_t i = 0; i < patch->n; i++) {
		if (merge_key && json_get(&patch->items[i], DIRECTIVE)) {
			continue;
		}
		while (j < order->n && !str_eq(want.keys[j], have.keys[i])) {
			j++;
		}
		if (j == order->n) {
			struct buf b CLEANUP_BUF = {0};

			buf_puts(&b, "The order in patch list:\n");
			patch_print(&b, patch);
			buf_puts(&b, "\n doesn't match $setElementOrder list:\n");
			patch_print(&b, order);
			buf_add_char(&b, '\n');
			return err_set(s->err, ERR_CONFLICT, "%s", buf_cstr(&b));
		}
		j++;
	}
	return 0;
}

/* One $setElementOrder/FIELD together with the patch of FIELD, which is used up. */
static int apply_order(struct strategic *s, struct json_value *original, struct json_value *patch,
		       struct str name, const struct json_value *order,
		       const struct type_desc *type)
{
	struct json_value *live = json_get(original, name);
	struct json_value *change = json_get(patch, name);
	struct keyed before CLEANUP(keyed_fini) = {0};
	struct json_value empty = {.kind = JSON_ARRAY};
	struct json_value merged;
	const struct field_desc *f;
	const char *merge_key;
	int code;

	if (live && live->kind != JSON_ARRAY) {
		return bad_type(s, JSON_ARRAY, live);
	}
	if (change && change->kind != JSON_ARRAY) {
		return bad_type(s, JSON_ARRAY, change);
	}
	code = look_up_list(s, type, name, &f);
	merge_key = code == 0 ? f->patch_merge_key : NULL;
	if (code == 0) {
		code = check_order(s, change ? change : &empty, order, merge_key);
	}
	if (code < 0 || (!live && !change)) {
		return code;
	}
	if (keyed_init(s, &before, live ? live->items : NULL, live ? live->n : 0, merge_key) < 0) {
		return s->err->code;
	}
	merged = live ? *live : empty;
	if (live && change) {
		code = merge_list(s, &merged, change, f, false);
	} else if (change) {
		merged = *change;
		clean(&merged);
	}
	if (code == 0) {
		code = keyed_reorder(s, &merged, order, &before, merge_key);
	}
	if (code == 0) {
		json_set(s->arena, original, name, merged);
		json_remove(patch, name);
	}
	return code;
}

static int apply_orders(struct strategic *s, struct json_value *original, struct json_value *patch,
			const struct type_desc *type)
{
	for (uint32_t i = 0; i < patch->n;) {
		struct json_member m = patch->members[i];
		struct str name;
		int code;

		if (!str_has_prefix(m.key, SET_ORDER)) {
			i++;
			continue;
		}
		if (m.value.kind != JSON_ARRAY) {
			return bad_type(s, JSON_ARRAY, &m.value);
		}
		if (!cut_prefix(m.key, SET_ORDER, &name)) {
			return bad_set_order(s);
		}
		json_remove(patch, m.key);
		code = apply_order(s, original, patch, name, &m.value, type);
		if (code < 0) {
			return code;
		}
		i = 0; /* members have moved */
	}
	return 0;
}

/* Stands for a member that is to go: all of them go at once, so that no number of removals makes it
 * slow. */
enum { JSON_REMOVED = JSON_OBJECT + 1 };

static void mark_removed(struct json_value *member)
{
	if (member) {
		member->kind = JSON_REMOVED;
	}
}

static void drop_marked(struct json_value *object)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < object->n; i++) {
		if (object->members[i].value.kind != JSON_REMOVED) {
			object->members[n++] = object->members[i];
		}
	}
	object->index = n < object->n ? NULL : object->index;
	object->n = n;
}

static void put(struct strategic *s, struct json_value *original, struct str key,
		struct json_value value)
{
	if (clean(&value)) {
		json_set(s->arena, original, key, value);
	} else {
		mark_removed(json_get(original, key));
	}
}

static int merge_object(struct strategic *s, struct json_value *original, struct json_value *patch,
			struct str key, const struct type_desc *type)
{
	const struct field_desc *f;
	int code = look_up(s, type, key, &f);

	if (code < 0) {
		return code;
	}
	if (f->flags & FIELD_PATCH_REPLACE) {
		*original = *patch;
		return 0;
	}
	/* Of a free-form map nothing is known below. */
	return merge_map(s, original, patch, f->shape <= SHAPE_PTR ? f->message : NULL);
}

static int merge_member(struct strategic *s, struct json_value *original, struct json_member *m,
			const struct type_desc *type)
{
	bool removing = str_has_prefix(m->key, DELETE_FROM);
	struct str key = m->key;
	const struct field_desc *f;
	struct json_value *live;
	int code;

	if (removing && !cut_prefix(m->key, DELETE_FROM, &key)) {
		return err_set(s->err, ERR_INVALID, "invalid patch format of primitive list");
	}
	live = json_get(original, key);
	if (m->value.kind == JSON_NULL) {
		mark_removed(live);
		return 0;
	}
	if (!live || live->kind != m->value.kind ||
	    (live->kind != JSON_OBJECT && live->kind != JSON_ARRAY)) {
		if (!removing) {
			put(s, original, key, m->value);
		}
		return 0;
	}
	if (live->kind == JSON_OBJECT) {
		return merge_object(s, live, &m->value, key, type);
	}
	code = look_up_list(s, type, key, &f);
	return code < 0 ? code : merge_list(s, live, &m->value, f, removing);
}

static int merge_map(struct strategic *s, struct json_value *original, struct json_value *patch,
		     const struct type_desc *type)
{
	struct json_value *directive = json_get(patch, DIRECTIVE);
	int code;

	if (directive && directive->kind == JSON_STRING && str_is(json_str(directive), "replace")) {
		json_remove(patch, DIRECTIVE);
		*original = *patch;
		return 0;
	}
	if (directive && directive->kind == JSON_STRING && str_is(json_str(directive), "delete")) {
		*original = json_make(JSON_OBJECT);
		return 0;
	}
	if (directive) {
		return bad_patch_type(s, directive, patch);
	}
	code = apply_retain_keys(s, original, patch);
	if (code == 0) {
		code = apply_orders(s, original, patch, type);
	}
	for (uint32_t i = 0; i < patch->n && code == 0; i++) {
		code = merge_member(s, original, &patch->members[i], type);
	}
	drop_marked(original);
	return code;
}

int patch_apply_strategic(struct arena *arena, const struct type_desc *type, struct json_value *doc,
			  struct json_value *patch, struct err *err)
{
	struct err own CLEANUP_ERR = {0};
	struct strategic s = {arena, err ? err : &own};

	if (doc->kind != JSON_OBJECT || patch->kind != JSON_OBJECT) {
		return err_set(err, ERR_INVALID, "invalid JSON document");
	}
	return merge_map(&s, doc, patch, type);
}
