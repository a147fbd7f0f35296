/* SPDX-License-Identifier: Apache-2.0 */
#include "ingress/sync.h"

#include "base/alloc.h"

struct sync_item {
	char *text;
	bool dirty;
	bool swept; /* not set since the last sweep */
};

void sync_init(struct sync *sync, const unsigned char instance[8])
{
	*sync = (struct sync){.needs_full = true};
	map_init(&sync->items, 0);
	for (size_t i = 0; i < 8; i++) {
		snprintf(sync->instance + 2 * i, 3, "%02x", instance[i]);
	}
}

void sync_fini(struct sync *sync)
{
	struct str key;
	void *value;

	for (size_t i = 0; map_next(&sync->items, &i, &key, &value);) {
		struct sync_item *item = value;

		mem_free(item->text);
		mem_free(item);
	}
	map_fini(&sync->items);
}

static struct sync_item *find_item(const struct sync *sync, char kind, struct str key,
				   struct buf *full_key)
{
	buf_add_char(full_key, kind);
	buf_add_char(full_key, ' ');
	buf_add_str(full_key, key);
	return map_find(&sync->items, buf_str(full_key));
}

static void set_text(struct sync *sync, struct sync_item *item, struct str text)
{
	if (item->text && str_eq(str_of(item->text), text)) {
		return;
	}
	mem_free(item->text);
	item->text = str_dup_cstr(text);
	sync->dirty += !item->dirty;
	item->dirty = true;
}

void sync_set(struct sync *sync, char kind, struct str key, struct str text)
{
	struct buf full_key CLEANUP_BUF = {0};
	struct sync_item *item = find_item(sync, kind, key, &full_key);

	if (!item) {
		item = NEW(struct sync_item);
		map_put(&sync->items, buf_str(&full_key), item);
	}
	item->swept = false;
	set_text(sync, item, text);
}

bool sync_has(const struct sync *sync, char kind, struct str key)
{
	struct buf full_key CLEANUP_BUF = {0};

	return find_item(sync, kind, key, &full_key);
}

void sync_sweep(struct sync *sync)
{
	struct str key;
	void *value;

	for (size_t i = 0; map_next(&sync->items, &i, &key, &value);) {
		struct sync_item *item = value;

		if (key.p[0] == 'c') {
			if (item->swept) {
				set_text(sync, item, STR(""));
			}
			item->swept = true;
		}
	}
}

bool sync_is_pending(const struct sync *sync)
{
	return sync->needs_full || sync->dirty;
}

void sync_build(struct sync *sync, bool full, struct buf *out)
{
	char seq[sizeof(sync->seq)];
	struct str key;
	void *value;

	full = full || sync->needs_full;
	snprintf(seq, sizeof(seq), "%s-%llu", sync->instance, (unsigned long long)++sync->counter);
	buf_printf(out, "cox-ingress 1 %s %s\n", full ? "full" : sync->seq, seq);
	for (size_t i = 0; map_next(&sync->items, &i, &key, &value);) {
		struct sync_item *item = value;

		/* A full update forgets by not naming; services without endpoints are named, at no harm. */
		if ((full && (item->text[0] || key.p[0] == 'e')) || (!full && item->dirty)) {
			buf_add_str(out, key);
			if (item->text[0]) {
				buf_add_char(out, ' ');
				buf_add_str(out, str_of(item->text));
			}
			buf_add_char(out, '\n');
		}
		item->dirty = false;
	}
	buf_puts(out, "end\n");
	memcpy(sync->seq, seq, sizeof(seq));
	sync->needs_full = false;
	sync->dirty = 0;
}

void sync_lost(struct sync *sync)
{
	sync->needs_full = true;
}
