/* SPDX-License-Identifier: Apache-2.0 */
#include "object/patch.h"

/* Drops null members of objects, at any depth. */
static void drop_nulls(struct json_value *v)
{
	uint32_t n = 0;

	for (uint32_t i = 0; v->kind == JSON_ARRAY && i < v->n; i++) {
		drop_nulls(&v->items[i]);
	}
	if (v->kind != JSON_OBJECT) {
		return;
	}
	for (uint32_t i = 0; i < v->n; i++) {
		if (v->members[i].value.kind != JSON_NULL) {
			v->members[n] = v->members[i];
			drop_nulls(&v->members[n++].value);
		}
	}
	if (n < v->n) {
		v->n = n;
		v->index = NULL;
	}
}

/* The result is put together anew, so that no number of removals makes it slow. */
static void merge(struct arena *arena, struct json_value *doc, struct json_value *patch)
{
	struct json_value result = json_make(JSON_OBJECT);

	result.cap = doc->n + patch->n;
	result.members = result.cap ? ARENA_ARRAY(arena, result.cap, struct json_member) : NULL;
	for (uint32_t i = 0; i < doc->n; i++) {
		struct json_member m = doc->members[i];
		struct json_value *change = json_get(patch, m.key);

		if (change && change->kind == JSON_NULL) {
			continue;
		}
		if (change && change->kind == JSON_OBJECT && m.value.kind == JSON_OBJECT) {
			merge(arena, &m.value, change);
		} else if (change) {
			if (m.value.kind != JSON_OBJECT) {
				drop_nulls(change);
			}
			m.value = *change;
		}
		result.members[result.n++] = m;
	}
	for (uint32_t i = 0; i < patch->n; i++) {
		struct json_member m = patch->members[i];

		if (m.value.kind != JSON_NULL && !json_get(doc, m.key)) {
			drop_nulls(&m.value);
			result.members[result.n++] = m;
		}
	}
	*doc = result;
}

int patch_apply_merge(struct arena *arena, struct json_value *doc, struct json_value *patch,
		      struct err *err)
{
	if (doc->kind != JSON_OBJECT) {
		return err_set(err, ERR_INVALID, "Invalid JSON Document");
	}
	if (patch->kind != JSON_OBJECT) {
		return err_set(err, ERR_INVALID, "Invalid JSON Patch");
	}
	merge(arena, doc, patch);
	return 0;
}
