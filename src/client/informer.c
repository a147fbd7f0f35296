/* SPDX-License-Identifier: Apache-2.0 */
#include "client/informer.h"

#include "base/alloc.h"
#include "base/buf.h"
#include "base/map.h"
#include "base/vec.h"

/* List-watch in one: a watch with sendInitialEvents delivers the state, a bookmark, then changes. When it breaks it is resumed from the
 * last revision; when that is too old the state comes again, and what is not in it has been deleted meanwhile (mark and sweep). */

enum { RETRY_MIN_MS = 50, RETRY_MAX_MS = 30000 };

struct entry {
	struct str key; /* "ns/name" or "name"; owned */
	struct frozen *object;
	uint64_t round; /* of the initial list that it was last seen in */
};

struct bucket {
	VEC(struct entry *) entries; /* in order of key */
};

struct index {
	const struct informer_index_desc *desc;
	struct map buckets; /* derived key -> struct bucket */
};

struct handler {
	struct informer_handler h;
	bool told; /* what was there when it came has been delivered */
	bool removed;
};

/* On its way through the loop; outlives an informer that is freed meanwhile. */
struct late {
	struct env_task task;
	struct informer *informer; /* NULL: freed */
};

struct informer {
	struct informers *all;
	const struct resource_desc *resource;
	char *field_selector;
	struct map entries;
	VEC(struct entry *) sorted; /* by key */
	VEC(struct index *) indexes;
	VEC(struct handler *) handlers;
	struct client_watch *watch;
	struct env_timer retry;
	struct late *late; /* handlers that came late are told on the next turn; NULL: none */
	int64_t retry_ms;
	int64_t revision;
	uint64_t round;
	bool listing; /* initial events are still coming */
	bool synced;
};

struct informers {
	struct client *client;
	VEC(struct informer *) list;
};

struct informers *informers_new(struct client *client)
{
	struct informers *all = NEW(struct informers);

	all->client = client;
	return all;
}

static int cmp_key(struct str a, struct str b)
{
	/* '/' sorts before everything that may stand in a name, so that namespaces stay together. */
	size_t n = MIN(a.n, b.n);

	for (size_t i = 0; i < n; i++) {
		int x = a.p[i] == '/' ? 0 : (unsigned char)a.p[i];
		int y = b.p[i] == '/' ? 0 : (unsigned char)b.p[i];

		if (x != y) {
			return x - y;
		}
	}
	return a.n < b.n ? -1 : a.n > b.n;
}

/* First position whose key is not below `key`. */
static size_t lower_bound(struct entry *const *p, size_t n, struct str key)
{
	size_t lo = 0;
	size_t hi = n;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (cmp_key(p[mid]->key, key) < 0) {
			lo = mid + 1;
		} else {
			hi = mid;
		}
	}
	return lo;
}

#define INSERT_SORTED(v, entry)                                                                    \
	do {                                                                                       \
		size_t at_ = lower_bound((v)->p, (v)->n, (entry)->key);                            \
		(void)vec_push(v);                                                                 \
		memmove(&(v)->p[at_ + 1], &(v)->p[at_], ((v)->n - 1 - at_) * sizeof(*(v)->p));     \
		(v)->p[at_] = (entry);                                                             \
	} while (0)

#define REMOVE_SORTED(v, entry)                                                                    \
	do {                                                                                       \
		size_t at_ = lower_bound((v)->p, (v)->n, (entry)->key);                            \
		ASSERT(at_ < (v)->n && (v)->p[at_] == (entry));                                    \
		vec_remove(v, at_);                                                                \
	} while (0)

struct index_change {
	struct index *index;
	struct entry *entry;
	bool add;
};

static void change_bucket(void *ctx, struct str key)
{
	struct index_change *c = ctx;
	struct bucket *b = map_find(&c->index->buckets, key);

	if (c->add) {
		if (!b) {
			b = NEW(struct bucket);
			map_put(&c->index->buckets, key, b);
		}
		if (lower_bound(b->entries.p, b->entries.n, c->entry->key) == b->entries.n ||
		    b->entries.p[lower_bound(b->entries.p, b->entries.n, c->entry->key)] !=
			    c->entry) {
			INSERT_SORTED(&b->entries, c->entry);
		}
		return;
	}
	if (!b) {
		return; /* the same key twice in one object */
	}
	if (lower_bound(b->entries.p, b->entries.n, c->entry->key) < b->entries.n &&
	    b->entries.p[lower_bound(b->entries.p, b->entries.n, c->entry->key)] == c->entry) {
		REMOVE_SORTED(&b->entries, c->entry);
	}
	if (!b->entries.n) {
		map_remove(&c->index->buckets, key);
		vec_fini(&b->entries);
		mem_free(b);
	}
}

static void index_entry(struct informer *inf, struct entry *e, const struct frozen *object,
			bool add)
{
	for (size_t i = 0; i < inf->indexes.n; i++) {
		struct index_change c = {inf->indexes.p[i], e, add};

		c.index->desc->keys(object, change_bucket, &c);
	}
}

static struct str object_key(struct buf *b, const struct frozen *f)
{
	buf_clear(b);
	if (f->head->metadata.namespace.n) {
		buf_add_str(b, f->head->metadata.namespace);
		buf_add_char(b, '/');
	}
	buf_add_str(b, f->head->metadata.name);
	return buf_str(b);
}

static void tell(struct informer *inf, struct frozen *old, struct frozen *new_)
{
	for (size_t i = 0; i < inf->handlers.n; i++) {
		struct handler *h = inf->handlers.p[i];

		if (h->told && !h->removed) {
			h->h.changed(h->h.ctx, old, new_);
		}
	}
}

static void tell_advanced(struct informer *inf)
{
	for (size_t i = 0; i < inf->handlers.n; i++) {
		struct handler *h = inf->handlers.p[i];

		if (h->told && !h->removed && h->h.advanced) {
			h->h.advanced(h->h.ctx);
		}
	}
}

static void put_object(struct informer *inf, struct frozen *object)
{
	struct buf b CLEANUP_BUF = {0};
	struct str key = object_key(&b, object);
	struct entry *e = map_find(&inf->entries, key);
	struct frozen *old = NULL;

	if (!e) {
		e = NEW(struct entry);
		e->key = str_make(mem_dup_str(key.p, key.n), key.n);
		map_put(&inf->entries, e->key, e);
		INSERT_SORTED(&inf->sorted, e);
	} else {
		if (e->object->revision >= object->revision) {
			e->round = inf->round;
			return; /* told again after a resumed watch */
		}
		old = e->object;
		index_entry(inf, e, old, false);
	}
	e->round = inf->round;
	e->object = frozen_ref(object);
	index_entry(inf, e, object, true);
	tell(inf, old, object);
	frozen_unref(old);
}

static void remove_entry(struct informer *inf, struct entry *e)
{
	struct frozen *old = e->object;

	index_entry(inf, e, old, false);
	map_remove(&inf->entries, e->key);
	REMOVE_SORTED(&inf->sorted, e);
	tell(inf, old, NULL);
	frozen_unref(old);
	mem_free((char *)e->key.p);
	mem_free(e);
}

static void remove_object(struct informer *inf, struct frozen *object)
{
	struct buf b CLEANUP_BUF = {0};
	struct entry *e = map_find(&inf->entries, object_key(&b, object));

	if (e) {
		remove_entry(inf, e);
	}
}

/* The initial list is complete: what it did not contain has gone. */
static void finish_list(struct informer *inf)
{
	bool first = !inf->synced;

	inf->listing = false;
	inf->synced = true;
	for (size_t i = inf->sorted.n; i-- > 0;) {
		if (inf->sorted.p[i]->round != inf->round) {
			remove_entry(inf, inf->sorted.p[i]);
		}
	}
	for (size_t i = 0; first && i < inf->handlers.n; i++) {
		struct handler *h = inf->handlers.p[i];

		if (h->h.synced && h->told && !h->removed) {
			h->h.synced(h->h.ctx);
		}
	}
}

static void on_bookmark(struct informer *inf, int64_t revision)
{
	if (inf->listing) {
		inf->revision = revision;
		finish_list(inf);
	} else if (revision > inf->revision) {
		inf->revision = revision;
	}
	tell_advanced(inf);
}

static void on_event(void *ctx, enum watch_event event, struct frozen *object)
{
	struct informer *inf = ctx;

	inf->retry_ms = RETRY_MIN_MS;
	if (event == WATCH_BOOKMARK) {
		on_bookmark(inf, object->revision);
		return;
	}
	/* While the state is being listed its objects come in any order of revision: until the bookmark nothing can be said of what
	 * is reflected here. Afterwards an older event is one that was told before. (Equal is fine: a transaction may write
	 * several objects under one revision.) */
	if (!inf->listing) {
		if (object->revision < inf->revision) {
			return;
		}
		inf->revision = object->revision;
	}
	if (event == WATCH_DELETED) {
		remove_object(inf, object);
	} else {
		put_object(inf, object);
	}
}

static void start(struct informer *inf);

static void on_retry(struct env_timer *timer)
{
	start(CONTAINER_OF(timer, struct informer, retry));
}

static void on_ended(void *ctx, int code, struct str message UNUSED)
{
	struct informer *inf = ctx;

	inf->watch = NULL;
	if (code == ERR_COMPACTED && !inf->listing) {
		inf->revision = 0; /* everything again */
		start(inf);
		return;
	}
	inf->retry.fn = on_retry;
	env_timer_start_in(inf->all->client->env, &inf->retry, inf->retry_ms * NS_PER_MS);
	inf->retry_ms = MIN(inf->retry_ms * 2, (int64_t)RETRY_MAX_MS);
}

static void start(struct informer *inf)
{
	char version[24];
	struct client_watch_opts opts = {
		.resource = inf->resource,
		.field_selector = str_of(inf->field_selector),
		.event = on_event,
		.ended = on_ended,
		.ctx = inf,
	};

	if (inf->synced && inf->revision) {
		snprintf(version, sizeof(version), "%lld", (long long)inf->revision);
		opts.resource_version = str_of(version);
	} else {
		opts.send_initial_events = true;
		inf->listing = true;
		inf->round++;
	}
	inf->watch = client_watch_start(inf->all->client, &opts);
}

struct informer *informers_find(const struct informers *all, const struct resource_desc *resource)
{
	for (size_t i = 0; i < all->list.n; i++) {
		if (all->list.p[i]->resource == resource) {
			return all->list.p[i];
		}
	}
	return NULL;
}

struct informer *informers_get(struct informers *all, const struct resource_desc *resource,
			       struct str field_selector)
{
	struct informer *inf = informers_find(all, resource);

	if (inf) {
		return inf;
	}
	inf = NEW(struct informer);
	inf->all = all;
	inf->resource = resource;
	inf->field_selector = field_selector.n ? str_dup_cstr(field_selector) : NULL;
	inf->retry_ms = RETRY_MIN_MS;
	map_init(&inf->entries, MAP_BORROW_KEYS);
	*vec_push(&all->list) = inf;
	start(inf);
	return inf;
}

static void index_free(struct index *index)
{
	struct str key;
	void *value;

	for (size_t i = 0; map_next(&index->buckets, &i, &key, &value);) {
		struct bucket *b = value;

		vec_fini(&b->entries);
		mem_free(b);
	}
	map_fini(&index->buckets);
	mem_free(index);
}

static void informer_free(struct informer *inf)
{
	if (inf->late) {
		inf->late->informer = NULL;
	}
	client_watch_stop(inf->watch);
	env_timer_stop(inf->all->client->env, &inf->retry);
	for (size_t i = 0; i < inf->indexes.n; i++) {
		index_free(inf->indexes.p[i]);
	}
	for (size_t i = 0; i < inf->sorted.n; i++) {
		frozen_unref(inf->sorted.p[i]->object);
		mem_free((char *)inf->sorted.p[i]->key.p);
		mem_free(inf->sorted.p[i]);
	}
	for (size_t i = 0; i < inf->handlers.n; i++) {
		mem_free(inf->handlers.p[i]);
	}
	map_fini(&inf->entries);
	vec_fini(&inf->sorted);
	vec_fini(&inf->indexes);
	vec_fini(&inf->handlers);
	mem_free(inf->field_selector);
	mem_free(inf);
}

void informers_free(struct informers *all)
{
	if (all) {
		for (size_t i = 0; i < all->list.n; i++) {
			informer_free(all->list.p[i]);
		}
		vec_fini(&all->list);
		mem_free(all);
	}
}

bool informers_have_synced(const struct informers *all)
{
	for (size_t i = 0; i < all->list.n; i++) {
		if (!all->list.p[i]->synced) {
			return false;
		}
	}
	return true;
}

static void tell_late(struct env_task *task)
{
	struct late *late = CONTAINER_OF(task, struct late, task);
	struct informer *inf = late->informer;

	mem_free(late);
	if (!inf) {
		return;
	}
	inf->late = NULL;
	for (size_t i = 0; i < inf->handlers.n; i++) {
		struct handler *h = inf->handlers.p[i];

		if (h->told || h->removed) {
			continue;
		}
		h->told = true;
		for (size_t j = 0; j < inf->sorted.n; j++) {
			h->h.changed(h->h.ctx, NULL, inf->sorted.p[j]->object);
		}
		if (inf->synced && h->h.synced) {
			h->h.synced(h->h.ctx);
		}
	}
}

void informer_add_handler(struct informer *informer, const struct informer_handler *handler)
{
	struct handler *h = NEW(struct handler);

	h->h = *handler;
	*vec_push(&informer->handlers) = h;
	if (!informer->late) {
		informer->late = NEW(struct late);
		informer->late->informer = informer;
		informer->late->task.fn = tell_late;
		env_post(informer->all->client->env, &informer->late->task);
	}
}

void informer_remove_handlers(struct informer *informer, const void *ctx)
{
	for (size_t i = 0; i < informer->handlers.n; i++) {
		if (informer->handlers.p[i]->h.ctx == ctx) {
			informer->handlers.p[i]->removed = true;
		}
	}
}

bool informer_has_synced(const struct informer *informer)
{
	return informer->synced;
}

int64_t informer_revision(const struct informer *informer)
{
	return informer->revision;
}

struct frozen *informer_get(const struct informer *informer, struct str ns, struct str name)
{
	struct buf b CLEANUP_BUF = {0};
	struct entry *e;

	if (ns.n) {
		buf_add_str(&b, ns);
		buf_add_char(&b, '/');
	}
	buf_add_str(&b, name);
	e = map_find(&informer->entries, buf_str(&b));
	return e ? e->object : NULL;
}

void informer_each(const struct informer *informer, struct str ns, informer_each_fn each, void *ctx)
{
	struct buf b CLEANUP_BUF = {0};
	size_t i = 0;

	if (ns.n) {
		buf_add_str(&b, ns);
		buf_add_char(&b, '/');
		i = lower_bound(informer->sorted.p, informer->sorted.n, buf_str(&b));
	}
	for (; i < informer->sorted.n; i++) {
		struct entry *e = informer->sorted.p[i];

		if (ns.n && !str_has_prefix(e->key, buf_str(&b))) {
			return;
		}
		if (!each(ctx, e->object)) {
			return;
		}
	}
}

size_t informer_count(const struct informer *informer)
{
	return informer->sorted.n;
}

static struct index *find_index(const struct informer *informer,
				const struct informer_index_desc *desc)
{
	for (size_t i = 0; i < informer->indexes.n; i++) {
		if (informer->indexes.p[i]->desc == desc) {
			return informer->indexes.p[i];
		}
	}
	return NULL;
}

void informer_add_index(struct informer *informer, const struct informer_index_desc *desc)
{
	struct index *index;

	if (find_index(informer, desc)) {
		return;
	}
	index = NEW(struct index);
	index->desc = desc;
	map_init(&index->buckets, 0);
	*vec_push(&informer->indexes) = index;
	for (size_t i = 0; i < informer->sorted.n; i++) {
		struct index_change c = {index, informer->sorted.p[i], true};

		desc->keys(informer->sorted.p[i]->object, change_bucket, &c);
	}
}

void informer_each_indexed(const struct informer *informer, const struct informer_index_desc *desc,
			   struct str key, informer_each_fn each, void *ctx)
{
	struct index *index = find_index(informer, desc);
	struct bucket *b;

	ASSERT(index);
	b = map_find(&index->buckets, key);
	for (size_t i = 0; b && i < b->entries.n; i++) {
		if (!each(ctx, b->entries.p[i]->object)) {
			return;
		}
	}
}
