/* SPDX-License-Identifier: Apache-2.0 */
#include "base/alloc.h"
#include "store/store_internal.h"

struct store_value *store_value_new_empty(size_t n, uint32_t room_at)
{
	size_t room = room_at == STORE_NO_ROOM ? 0 : STORE_ROOM;
	struct store_value *value;

	ASSERT(n < UINT32_MAX - STORE_ROOM && (room_at == STORE_NO_ROOM || room_at <= n));
	value = mem_resize(NULL, sizeof(*value) + room + n);
	*value = (struct store_value){
		.refs = 1, .start = (uint32_t)room, .n = (uint32_t)n, .room_at = room_at};
	return value;
}

struct store_value *store_value_new(struct str text, uint32_t room_at)
{
	struct store_value *value = store_value_new_empty(text.n, room_at);

	if (text.n) {
		memcpy(value->bytes + value->start, text.p, text.n);
	}
	return value;
}

struct store_value *store_value_ref(const struct store_value *value)
{
	struct store_value *v = (struct store_value *)value;

	v->refs++;
	return v;
}

void store_value_unref(const struct store_value *value)
{
	struct store_value *v = (struct store_value *)value;

	if (v && --v->refs == 0) {
		if (v->free_derived) {
			v->free_derived(v->derived);
		}
		mem_free(v);
	}
}

void store_value_fill(struct store_value *value, struct revision revision)
{
	char digits[STORE_ROOM];
	uint32_t n = 0;

	ASSERT(value->room_n == 0 && revision.n > 0);
	value->mod_revision = revision;
	if (value->room_at == STORE_NO_ROOM) {
		return;
	}
	for (int64_t v = revision.n; v; v /= 10) {
		digits[STORE_ROOM - ++n] = (char)('0' + v % 10);
	}
	memmove(value->bytes + value->start - n, value->bytes + value->start, value->room_at);
	value->start -= n;
	value->n += n;
	value->room_n = (uint8_t)n;
	memcpy(value->bytes + value->start + value->room_at, digits + STORE_ROOM - n, n);
}
