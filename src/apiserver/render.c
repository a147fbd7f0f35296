/* SPDX-License-Identifier: Apache-2.0 */
#include "apiserver/render.h"

#include "apiserver/apiserver_internal.h"
#include "apiserver/codec.h"
#include "apiserver/table/table.h"
#include "apiserver/watcher.h"
#include "codec/json.h"
#include "object/encode.h"

static void release_value(void *owner)
{
	store_value_unref(owner);
}

static void add_static(slice_vec *out, struct str s)
{
	*vec_push(out) = slice_static(s);
}

static void add_buf(slice_vec *out, struct buf *b)
{
	if (b->n) {
		*vec_push(out) = slice_steal(b);
	}
}

static void add_value_part(slice_vec *out, const struct store_value *value, struct str part)
{
	*vec_push(out) = (struct slice){part.p, part.n, release_value, store_value_ref(value)};
}

/* The length of {"kind":"Pod","apiVersion":"v1", : what every stored text of the resource begins with. */
static size_t head_len(const struct resource_desc *resource)
{
	const struct resource_desc *s = resource_storage(resource);

	return strlen("{\"kind\":\"\",\"apiVersion\":\"\",") + strlen(s->kind) +
	       strlen(s->version) + (s->group[0] ? strlen(s->group) + 1 : 0);
}

static void write_head(struct buf *b, const char *kind, const char *group, const char *version)
{
	buf_printf(b, "{\"kind\":\"%s\",\"apiVersion\":\"%s%s%s\",", kind, group,
		   group[0] ? "/" : "", version);
}

/* A stored object under the group-version that was asked for; its own: the very bytes. */
static void add_object(slice_vec *out, const struct resource_desc *resource,
		       const struct store_value *value)
{
	if (resource_storage(resource) == resource) {
		add_value_part(out, value, store_value_text(value));
	} else {
		struct arena a CLEANUP_ARENA = {0};
		struct buf b = {0};

		object_encode(&b, resource->type, codec_decode_value(&a, resource, value), NULL,
			      NULL);
		add_buf(out, &b);
	}
}

/* Object metadata alone, as PartialObjectMetadata. */
static void write_metadata(struct buf *b, const struct meta_object_meta *m, bool head)
{
	if (head) {
		buf_puts(b,
			 "{\"kind\":\"PartialObjectMetadata\",\"apiVersion\":\"meta.k8s.io/v1\",");
	} else {
		buf_puts(b, "{");
	}
	buf_puts(b, "\"metadata\":");
	object_encode(b, &type_meta_object_meta, m, NULL, NULL);
	buf_puts(b, "}");
}

static void write_row(struct buf *b, const struct resource_desc *resource,
		      const struct store_value *value, int64_t now_sec)
{
	struct arena a CLEANUP_ARENA = {0};
	const struct object_head *obj = codec_decode_value(&a, resource, value);

	buf_puts(b, "{");
	table_write_cells(b, resource, obj, now_sec, &a);
	buf_puts(b, ",\"object\":");
	write_metadata(b, &obj->metadata, true);
	buf_puts(b, "}");
}

static int64_t now_sec(const struct apiserver *api)
{
	return env_wall_ns(api->env) / NS_PER_SEC;
}

static void write_list_meta(struct buf *b, const struct answer_list *list)
{
	buf_printf(b, "\"metadata\":{\"resourceVersion\":\"%lld\"", (long long)list->revision);
	if (list->continue_token.n) {
		buf_puts(b, ",\"continue\":");
		json_write_string(b, list->continue_token);
	}
	if (list->remaining >= 0) {
		buf_printf(b, ",\"remainingItemCount\":%lld", (long long)list->remaining);
	}
	buf_puts(b, "}");
}

static void render_table(struct request *r, const struct store_value *const *items, size_t n,
			 const struct answer_list *list, slice_vec *out)
{
	struct buf b = {0};

	buf_puts(&b, "{\"kind\":\"Table\",\"apiVersion\":\"meta.k8s.io/v1\",");
	if (list) {
		write_list_meta(&b, list);
	} else {
		buf_printf(&b, "\"metadata\":{\"resourceVersion\":\"%lld\"}",
			   (long long)items[0]->mod_revision.n);
	}
	buf_puts(&b, ",");
	table_write_columns(&b, r->resource);
	buf_puts(&b, ",\"rows\":[");
	for (size_t i = 0; i < n; i++) {
		buf_add_str(&b, i ? STR(",") : STR(""));
		write_row(&b, r->resource, items[i], now_sec(r->api));
	}
	buf_puts(&b, "]}\n");
	add_buf(out, &b);
}

static void render_list(struct request *r, slice_vec *out)
{
	const struct answer_list *list = &r->answer.list;
	bool own = resource_storage(r->resource) == r->resource;
	struct buf b = {0};

	write_head(&b, r->resource->list_kind, r->resource->group, r->resource->version);
	write_list_meta(&b, list);
	buf_puts(&b, ",\"items\":[");
	add_buf(out, &b);
	for (size_t i = 0; i < list->n; i++) {
		const struct store_value *v = list->items[i];

		add_static(out, i ? STR(",{") : STR("{"));
		if (own) {
			add_value_part(out, v,
				       str_from(store_value_text(v), head_len(r->resource)));
		} else {
			struct arena a CLEANUP_ARENA = {0};
			struct buf one = {0};

			object_encode(&one, r->resource->type,
				      codec_decode_value(&a, r->resource, v), NULL, NULL);
			buf_consume(&one, strlen("{\"kind\":\"\",\"apiVersion\":\"\",") +
						  strlen(r->resource->kind) +
						  strlen(r->resource->group) + 1 +
						  strlen(r->resource->version));
			add_buf(out, &one);
		}
	}
	add_static(out, STR("]}\n"));
}

static void render_metadata_list(struct request *r, slice_vec *out)
{
	const struct answer_list *list = &r->answer.list;
	struct buf b = {0};

	write_head(&b, "PartialObjectMetadataList", "meta.k8s.io", "v1");
	write_list_meta(&b, list);
	buf_puts(&b, ",\"items\":[");
	for (size_t i = 0; i < list->n; i++) {
		struct arena a CLEANUP_ARENA = {0};
		const struct object_head *obj = codec_decode_value(&a, r->resource, list->items[i]);

		buf_add_str(&b, i ? STR(",") : STR(""));
		write_metadata(&b, &obj->metadata, true);
	}
	buf_puts(&b, "]}\n");
	add_buf(out, &b);
}

static void render_value(struct request *r, enum answer_form form, slice_vec *out)
{
	const struct store_value *value = r->answer.value;

	if (form == ANSWER_TABLE) {
		render_table(r, &value, 1, NULL, out);
	} else if (form == ANSWER_METADATA) {
		struct arena a CLEANUP_ARENA = {0};
		struct buf b = {0};

		write_metadata(&b, &codec_decode_value(&a, r->resource, value)->metadata, true);
		buf_puts(&b, "\n");
		add_buf(out, &b);
	} else {
		add_object(out, r->resource, value);
		add_static(out, STR("\n"));
	}
}

void render_answer(struct request *r, const struct accepted *accepted, slice_vec *out)
{
	const struct answer *answer = &r->answer;
	struct buf b = {0};

	switch (answer->kind) {
	case ANSWER_STATUS:
		object_encode(&b, &type_meta_status, answer->status, NULL, NULL);
		buf_puts(&b, "\n");
		add_buf(out, &b);
		break;
	case ANSWER_OBJECT:
		object_encode(&b, answer->type, answer->object, NULL, NULL);
		buf_puts(&b, "\n");
		add_buf(out, &b);
		break;
	case ANSWER_VALUE:
		render_value(r, accepted->form, out);
		break;
	case ANSWER_LIST:
		if (accepted->form == ANSWER_TABLE) {
			render_table(r, answer->list.items, answer->list.n, &answer->list, out);
		} else if (accepted->form == ANSWER_METADATA_LIST) {
			render_metadata_list(r, out);
		} else {
			render_list(r, out);
		}
		break;
	case ANSWER_BYTES:
		*vec_push(out) = slice_copy(answer->bytes);
		break;
	default:
		ASSERT(!"an answer of this kind has no body");
	}
}

static const char *const event_names[] = {[WATCH_ADDED] = "ADDED",
					  [WATCH_MODIFIED] = "MODIFIED",
					  [WATCH_DELETED] = "DELETED",
					  [WATCH_BOOKMARK] = "BOOKMARK"};

static void render_bookmark(const struct resource_desc *resource, const struct watcher_event *event,
			    slice_vec *out)
{
	struct buf b = {0};

	buf_puts(&b, "{\"type\":\"BOOKMARK\",\"object\":");
	write_head(&b, resource->kind, resource->group, resource->version);
	buf_printf(&b, "\"metadata\":{\"resourceVersion\":\"%lld\"", (long long)event->revision);
	if (event->initial_end) {
		buf_puts(&b, ",\"annotations\":{\"k8s.io/initial-events-end\":\"true\"}");
	}
	buf_puts(&b, "}}}\n");
	add_buf(out, &b);
}

/* The last version of a deleted object, at the revision of the deletion: three pieces of the same bytes. */
static void add_at_revision(slice_vec *out, const struct store_value *value, int64_t revision)
{
	struct str text = store_value_text(value);
	char digits[24];
	int n = snprintf(digits, sizeof(digits), "%lld", (long long)revision);

	add_value_part(out, value, str_sub(text, 0, value->room_at));
	*vec_push(out) = slice_copy(str_make(digits, (size_t)n));
	add_value_part(out, value, str_from(text, value->room_at + value->room_n));
}

static void render_event_form(struct apiserver *api, const struct resource_desc *resource,
			      const struct watcher_event *event, enum answer_form form, bool first,
			      slice_vec *out)
{
	struct arena a CLEANUP_ARENA = {0};
	struct object_head *obj = codec_decode_value(&a, resource, event->value);
	struct buf b = {0};

	obj->metadata.resource_version = arena_printf(&a, "%lld", (long long)event->revision);
	buf_printf(&b, "{\"type\":\"%s\",\"object\":", event_names[event->type]);
	if (form == ANSWER_TABLE) {
		buf_printf(&b,
			   "{\"kind\":\"Table\",\"apiVersion\":\"meta.k8s.io/"
			   "v1\",\"metadata\":{\"resourceVersion\":\"%lld\"},",
			   (long long)event->revision);
		if (first) {
			table_write_columns(&b, resource);
		} else {
			buf_puts(&b, "\"columnDefinitions\":null");
		}
		buf_puts(&b, ",\"rows\":[{");
		table_write_cells(&b, resource, obj, now_sec(api), &a);
		buf_puts(&b, ",\"object\":");
		write_metadata(&b, &obj->metadata, true);
		buf_puts(&b, "}]}");
	} else if (form == ANSWER_PLAIN) {
		object_encode(&b, resource->type, obj, NULL, NULL);
	} else {
		write_metadata(&b, &obj->metadata, true);
	}
	buf_puts(&b, "}\n");
	add_buf(out, &b);
}

void render_event(struct apiserver *api, const struct resource_desc *resource,
		  const struct watcher_event *event, enum answer_form form, bool first,
		  slice_vec *out)
{
	bool own = resource_storage(resource) == resource;

	if (event->type == WATCH_BOOKMARK) {
		render_bookmark(resource, event, out);
		return;
	}
	if (form != ANSWER_PLAIN || !own) {
		render_event_form(api, resource, event, form, first, out);
		return;
	}
	add_static(out, event->type == WATCH_ADDED	? STR("{\"type\":\"ADDED\",\"object\":")
			: event->type == WATCH_MODIFIED ? STR("{\"type\":\"MODIFIED\",\"object\":")
							: STR("{\"type\":\"DELETED\",\"object\":"));
	if (event->revision == event->value->mod_revision.n) {
		add_value_part(out, event->value, store_value_text(event->value));
	} else {
		add_at_revision(out, event->value, event->revision);
	}
	add_static(out, STR("}\n"));
}

void render_event_status(const struct meta_status *status, slice_vec *out)
{
	struct buf b = {0};

	buf_puts(&b, "{\"type\":\"ERROR\",\"object\":");
	object_encode(&b, &type_meta_status, status, NULL, NULL);
	buf_puts(&b, "}\n");
	add_buf(out, &b);
}
