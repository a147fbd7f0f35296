/* SPDX-License-Identifier: Apache-2.0 */
#include "client/event_recorder.h"

#include "base/buf.h"
#include "base/list.h"
#include "base/map.h"
#include "codec/json.h"
#include "codec/time.h"

/* The numbers of upstream's EventCorrelator. */
enum {
	CACHE_MAX = 4096,
	SIMILAR_MAX = 10,
	BURST = 25,
	MESSAGE_MAX = 1024,
};
#define SIMILAR_WINDOW_NS (600 * NS_PER_SEC)
#define REFILL_NS (300 * NS_PER_SEC)

/* What was sent before: found by everything that the event says. */
struct sent {
	struct str key;	  /* owned */
	struct list used; /* least recently first */
	char *ns, *name;  /* of the Event object */
	int32_t count;
	struct timestamp first;
	bool in_flight; /* one write at a time; what comes meanwhile is counted and sent behind it */
	bool again;
	bool exists;
};

/* Different messages of one reason about one object. */
struct similar {
	struct str key;
	struct list used;
	int64_t last_ns;
	struct map messages;
};

/* Token bucket of one object. */
struct bucket {
	struct str key;
	struct list used;
	double tokens;
	int64_t last_ns;
};

struct cache {
	struct map map;
	struct list used;
};

struct event_recorder {
	struct client *client;
	char *component, *host;
	struct cache sent, similar, buckets;
	size_t in_flight;
	bool freed;
};

struct flight {
	struct event_recorder *recorder;
	struct str key; /* of the sent, which may have been evicted meanwhile; owned */
	struct arena arena;
	struct core_event event;
	bool patch;
};

struct event_recorder *event_recorder_new(struct client *client, struct str component,
					  struct str host)
{
	struct event_recorder *r = NEW(struct event_recorder);
	struct cache *caches[] = {&r->sent, &r->similar, &r->buckets};

	r->client = client;
	r->component = str_dup_cstr(component);
	r->host = str_dup_cstr(host);
	for (size_t i = 0; i < ARRAY_LEN(caches); i++) {
		map_init(&caches[i]->map, MAP_BORROW_KEYS);
		list_init(&caches[i]->used);
	}
	return r;
}

static void sent_free(struct sent *s)
{
	list_remove(&s->used);
	mem_free((char *)s->key.p);
	mem_free(s->ns);
	mem_free(s->name);
	mem_free(s);
}

static void similar_free(struct similar *s)
{
	list_remove(&s->used);
	map_fini(&s->messages);
	mem_free((char *)s->key.p);
	mem_free(s);
}

static void bucket_free(struct bucket *b)
{
	list_remove(&b->used);
	mem_free((char *)b->key.p);
	mem_free(b);
}

static void recorder_drop(struct event_recorder *r)
{
	struct list *l;

	while (!list_is_empty(&r->sent.used)) {
		l = r->sent.used.next;
		sent_free(CONTAINER_OF(l, struct sent, used));
	}
	while (!list_is_empty(&r->similar.used)) {
		l = r->similar.used.next;
		similar_free(CONTAINER_OF(l, struct similar, used));
	}
	while (!list_is_empty(&r->buckets.used)) {
		l = r->buckets.used.next;
		bucket_free(CONTAINER_OF(l, struct bucket, used));
	}
	map_fini(&r->sent.map);
	map_fini(&r->similar.map);
	map_fini(&r->buckets.map);
	mem_free(r->component);
	mem_free(r->host);
	mem_free(r);
}

void event_recorder_free(struct event_recorder *r)
{
	if (!r) {
		return;
	}
	r->freed = true;
	if (!r->in_flight) {
		recorder_drop(r);
	}
}

bool event_recorder_is_idle(const struct event_recorder *r)
{
	return !r->in_flight;
}

/* The entry of a key, moved to the most recent end; *made tells that it is new. */
static void *cache_get(struct cache *c, struct str key, size_t size, size_t used_offset,
		       void (*drop)(void *), bool *made)
{
	char *e = map_find(&c->map, key);
	struct list *used;

	*made = !e;
	if (!e) {
		e = mem_new(size);
		*(struct str *)e = str_make(mem_dup_str(key.p, key.n), key.n);
		map_put(&c->map, *(struct str *)e, e);
		if (c->map.n > CACHE_MAX) {
			char *oldest = (char *)c->used.next - used_offset;

			map_remove(&c->map, *(struct str *)oldest);
			drop(oldest);
		}
	}
	used = (struct list *)(e + used_offset);
	list_remove(used);
	list_add_tail(&c->used, used);
	return e;
}

static void drop_sent(void *p)
{
	sent_free(p);
}

static void drop_similar(void *p)
{
	similar_free(p);
}

static void drop_bucket(void *p)
{
	bucket_free(p);
}

static void add_about(struct buf *b, const struct core_object_reference *about)
{
	buf_printf(b, "%.*s/%.*s/%.*s/%.*s/%.*s", STR_ARG(about->kind), STR_ARG(about->namespace),
		   STR_ARG(about->name), STR_ARG(about->uid), STR_ARG(about->api_version));
}

static bool take_token(struct event_recorder *r, const struct core_object_reference *about)
{
	struct buf key CLEANUP_BUF = {0};
	int64_t now = env_mono_ns(r->client->env);
	struct bucket *b;
	bool made;

	add_about(&key, about);
	b = cache_get(&r->buckets, buf_str(&key), sizeof(*b), offsetof(struct bucket, used),
		      drop_bucket, &made);
	if (made) {
		b->tokens = BURST;
	} else {
		b->tokens = MIN((double)BURST,
				b->tokens + (double)(now - b->last_ns) / (double)REFILL_NS);
	}
	b->last_ns = now;
	if (b->tokens < 1) {
		return false;
	}
	b->tokens -= 1;
	return true;
}

/* True if there have been so many different messages lately that this one is only counted. */
static bool is_one_of_many(struct event_recorder *r, struct str group, struct str message)
{
	int64_t now = env_mono_ns(r->client->env);
	struct similar *s;
	bool made;

	s = cache_get(&r->similar, group, sizeof(*s), offsetof(struct similar, used), drop_similar,
		      &made);
	if (!made && now - s->last_ns > SIMILAR_WINDOW_NS) {
		map_fini(&s->messages);
		made = true;
	}
	if (made) {
		map_init(&s->messages, 0);
	}
	s->last_ns = now;
	if (s->messages.n >= SIMILAR_MAX && !map_find(&s->messages, message)) {
		return true;
	}
	map_put(&s->messages, message, s);
	return false;
}

static struct timestamp now_of(struct event_recorder *r)
{
	return (struct timestamp){.sec = env_wall_ns(r->client->env) / NS_PER_SEC, .set = true};
}

static void write_event(struct event_recorder *r, struct sent *s, struct flight *f, bool patch);

static void flight_free(struct flight *f)
{
	arena_fini(&f->arena);
	mem_free((char *)f->key.p);
	mem_free(f);
}

static void on_written(void *ctx, const struct client_result *result)
{
	struct flight *f = ctx;
	struct event_recorder *r = f->recorder;
	struct sent *s = map_find(&r->sent.map, f->key);

	r->in_flight--;
	if (r->freed) {
		flight_free(f);
		if (!r->in_flight) {
			recorder_drop(r);
		}
		return;
	}
	if (!s) {
		flight_free(f);
		return;
	}
	s->in_flight = false;
	s->exists = result->code == 0;
	if (f->patch && result->code == ERR_NOT_FOUND) {
		write_event(r, s, f, false); /* it has expired */
	} else if (s->again && s->exists) {
		write_event(r, s, f, true);
	} else {
		flight_free(f);
	}
}

static struct str patch_text(struct flight *f)
{
	struct buf b CLEANUP_BUF = {0};

	buf_printf(&b, "{\"count\":%d,\"lastTimestamp\":\"", f->event.count);
	time_write(&b, f->event.last_timestamp.sec);
	buf_puts(&b, "\",\"message\":");
	json_write_string(&b, f->event.message);
	buf_add_char(&b, '}');
	return arena_str(&f->arena, buf_str(&b));
}

static void write_event(struct event_recorder *r, struct sent *s, struct flight *f, bool patch)
{
	struct client_request req = {.resource = &resource_core_events,
				     .ns = f->event.metadata.namespace};

	f->patch = patch;
	s->in_flight = true;
	s->again = false;
	f->event.count = s->count;
	f->event.first_timestamp = s->first;
	f->event.last_timestamp = now_of(r);
	if (patch) {
		req.verb = VERB_PATCH;
		req.name = f->event.metadata.name;
		req.patch_type = PATCH_STRATEGIC;
		req.patch = patch_text(f);
	} else {
		req.verb = VERB_CREATE;
		req.body_type = &type_core_event;
		req.body = &f->event;
	}
	r->in_flight++;
	client_call(r->client, &req, on_written, f);
}

static struct core_object_reference dup_reference(struct arena *a,
						  const struct core_object_reference *ref)
{
	return (struct core_object_reference){
		.kind = arena_str(a, ref->kind),
		.namespace = arena_str(a, ref->namespace),
		.name = arena_str(a, ref->name),
		.uid = arena_str(a, ref->uid),
		.api_version = arena_str(a, ref->api_version),
		.resource_version = arena_str(a, ref->resource_version),
		.field_path = arena_str(a, ref->field_path),
	};
}

static struct flight *flight_new(struct event_recorder *r, struct sent *s,
				 const struct core_object_reference *about, const char *type,
				 const char *reason, struct str message)
{
	struct flight *f = NEW(struct flight);
	struct arena *a = &f->arena;

	f->recorder = r;
	f->key = str_make(mem_dup_str(s->key.p, s->key.n), s->key.n);
	f->event = (struct core_event){
		.metadata = {.name = arena_str(a, str_of(s->name)),
			     .namespace = arena_str(a, str_of(s->ns))},
		.involved_object = dup_reference(a, about),
		.reason = arena_str(a, str_of(reason)),
		.message = arena_str(a, message),
		.source = {.component = arena_str(a, str_of(r->component)),
			   .host = arena_str(a, str_of(r->host))},
		.type = arena_str(a, str_of(type)),
		.reporting_component = arena_str(a, str_of(r->component)),
		.reporting_instance = arena_str(a, str_of(r->host)),
	};
	return f;
}

/* NAME.15d2c4a7b6e0f1a3: the object's name and the time, as upstream. */
static char *event_name(struct event_recorder *r, struct str about)
{
	struct buf b CLEANUP_BUF = {0};
	uint64_t noise;

	/* The low bits are random: two events of one object may fall into one nanosecond of a simulated clock. */
	env_random(r->client->env, &noise, sizeof(noise));
	about = str_sub(about, 0, 253 - 17);
	buf_printf(&b, "%.*s.%llx", STR_ARG(about),
		   (unsigned long long)env_wall_ns(r->client->env) +
			   (unsigned long long)(noise % 1000));
	return buf_steal(&b);
}

void event_recorder_record(struct event_recorder *r, const struct core_object_reference *about,
			   const char *type, const char *reason, struct str message)
{
	struct buf key CLEANUP_BUF = {0};
	struct buf text CLEANUP_BUF = {0};
	struct sent *s;
	bool made;
	bool many;

	if (!take_token(r, about)) {
		return;
	}
	message = str_sub(message, 0, MESSAGE_MAX);
	add_about(&key, about);
	buf_printf(&key, "/%s/%s", type, reason);
	many = is_one_of_many(r, buf_str(&key), message);
	if (many) {
		buf_puts(&text, "(combined from similar events): ");
	} else {
		buf_printf(&key, "/%.*s", STR_ARG(message));
	}
	buf_add_str(&text, message);
	s = cache_get(&r->sent, buf_str(&key), sizeof(*s), offsetof(struct sent, used), drop_sent,
		      &made);
	if (made) {
		s->ns = str_dup_cstr(about->namespace.n ? about->namespace : STR("default"));
		s->name = event_name(r, about->name);
		s->first = now_of(r);
	}
	s->count++;
	if (s->in_flight) {
		s->again = true;
		return;
	}
	write_event(r, s,
		    flight_new(r, s, about, type, reason, str_sub(buf_str(&text), 0, MESSAGE_MAX)),
		    s->exists);
}
