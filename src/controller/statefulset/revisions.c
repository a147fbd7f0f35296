/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"
#include "base/sort.h"
#include "codec/json.h"
#include "controller/label_map.h"
#include "controller/owned.h"
#include "controller/statefulset/set.h"
#include "object/decode.h"
#include "object/encode.h"
#include "rules/controller_ref.h"
#include "rules/hash.h"

#define HASH_LABEL "controller.kubernetes.io/hash"

enum { HISTORY_DEFAULT = 10 };

/* What `kubectl rollout undo` applies as a strategic merge patch: {"spec":{"template":{"$patch":"replace", ...}}}. */
static struct str data_of(struct arena *a, const struct core_pod_template_spec *template)
{
	struct buf b CLEANUP_BUF = {0};
	struct buf t CLEANUP_BUF = {0};

	object_encode(&t, &type_core_pod_template_spec, template, NULL, NULL);
	buf_puts(&b, "{\"spec\":{\"template\":{\"$patch\":\"replace\"");
	if (t.n > 2) {
		buf_add_char(&b, ',');
	}
	buf_add_str(&b, str_from(buf_str(&t), 1));
	buf_puts(&b, "}}");
	return arena_str(a, buf_str(&b));
}

/* The template of a revision; NULL if its data is none. */
static struct core_pod_template_spec *template_of(struct arena *a, struct str data)
{
	struct core_pod_template_spec *template = ARENA_NEW(a, struct core_pod_template_spec);
	struct json_value doc;
	struct json_value *t;

	if (json_parse(a, data, NULL, &doc, NULL) < 0) {
		return NULL;
	}
	t = json_get(&doc, STR("spec"));
	t = t ? json_get(t, STR("template")) : NULL;
	if (!t ||
	    object_decode_value(a, &type_core_pod_template_spec, t, template, NULL, NULL) < 0) {
		return NULL;
	}
	return template;
}

static int cmp_revision(const void *pa, const void *pb, void *ctx UNUSED)
{
	const struct set_revision *a = pa;
	const struct set_revision *b = pb;

	if (a->number != b->number) {
		return a->number < b->number ? -1 : 1;
	}
	return str_cmp(a->name, b->name);
}

static void find_history(struct set *set)
{
	struct arena *a = set->snapshot->arena;
	struct selector selector;
	struct set_revision **sorted;
	struct owned owned;

	if (label_selector_of(a, set->s->spec.selector, &selector, NULL) < 0) {
		return;
	}
	owned_claim(set->snapshot, set->actions, set->frozen, &selector,
		    &resource_apps_controllerrevisions, NULL, &owned);
	sorted = ARENA_ARRAY(a, owned.n, struct set_revision *);
	set->history = ARENA_ARRAY(a, owned.n + 1, struct set_revision);
	for (size_t i = 0; i < owned.n; i++) {
		const struct apps_controller_revision *r = FROZEN_AS(
			owned.p[i], apps_controllerrevisions, struct apps_controller_revision);

		sorted[i] = ARENA_NEW(a, struct set_revision);
		*sorted[i] = (struct set_revision){
			.object = r, .name = r->metadata.name, .number = r->revision};
	}
	sort_pointers((void **)sorted, owned.n, cmp_revision, NULL);
	for (size_t i = 0; i < owned.n; i++) {
		set->history[i] = *sorted[i];
	}
	set->nhistory = owned.n;
}

static int64_t next_number(const struct set *set)
{
	return set->nhistory ? set->history[set->nhistory - 1].number + 1 : 1;
}

/* A template that was used before gets the newest number. */
static void renumber(struct set *set, struct set_revision *r)
{
	struct apps_controller_revision copy = *r->object;

	if (r == &set->history[set->nhistory - 1]) {
		return;
	}
	copy.revision = r->number = next_number(set);
	actions_update(set->actions, &resource_apps_controllerrevisions, &copy);
	actions_next_stage(set->actions);
}

static void create(struct set *set, struct str data)
{
	struct arena *a = set->snapshot->arena;
	const struct meta_object_meta *meta = &set->s->metadata;
	struct meta_owner_reference ref = controller_ref_make(a, &resource_apps_statefulsets, meta);
	struct str hash = content_hash(a, data, set->s->status.collision_count);
	struct apps_controller_revision r = {
		.metadata = {.namespace = meta->namespace,
			     .annotations = meta->annotations,
			     .labels = set->s->spec.template.metadata.labels},
		.data = data,
		.revision = next_number(set),
	};

	r.metadata.name = arena_printf(a, "%.*s-%.*s", STR_ARG(meta->name), STR_ARG(hash));
	set->update = (struct set_revision){.name = r.metadata.name, .number = r.revision};
	if (snapshot_get(set->snapshot, &resource_apps_controllerrevisions, meta->namespace,
			 r.metadata.name)) {
		/* Something else has that name: the status brings us back with another hash. */
		set->collision_count = ARENA_NEW(a, int32_t);
		*set->collision_count =
			(set->s->status.collision_count ? *set->s->status.collision_count : 0) + 1;
		return;
	}
	label_map_set(a, &r.metadata.labels, STR(HASH_LABEL), hash);
	r.metadata.owner_references.p = &ref;
	r.metadata.owner_references.n = 1;
	actions_create(set->actions, &resource_apps_controllerrevisions, &r);
	actions_next_stage(set->actions);
}

void revisions_find(struct set *set)
{
	struct arena *a = set->snapshot->arena;
	struct str data = data_of(a, &set->s->spec.template);
	bool found = false;

	find_history(set);
	for (size_t i = set->nhistory; i-- > 0 && !found;) {
		if (str_eq(set->history[i].object->data, data)) {
			renumber(set, &set->history[i]);
			set->update = set->history[i];
			found = true;
		}
	}
	if (!found) {
		create(set, data);
	}
	set->update.template = ARENA_NEW(a, struct core_pod_template_spec);
	*set->update.template = set->s->spec.template;
	set->current = set->update;
	for (size_t i = 0; i < set->nhistory; i++) {
		if (str_eq(set->history[i].name, set->s->status.current_revision)) {
			struct core_pod_template_spec *template =
				template_of(a, set->history[i].object->data);

			if (template) {
				set->current = set->history[i];
				set->current.template = template;
			}
		}
	}
}

static bool is_live(const struct set *set, struct str name)
{
	bool live = str_eq(name, set->current.name) || str_eq(name, set->update.name);

	for (int32_t i = 0; i < set->replicas && !live; i++) {
		live = set->slots[i] && str_eq(set_pod_revision(set->slots[i]), name);
	}
	for (size_t i = 0; i < set->ncondemned && !live; i++) {
		live = str_eq(set_pod_revision(set->condemned[i]), name);
	}
	return live;
}

void revisions_clean(struct set *set)
{
	size_t limit = (size_t)MAX(set->s->spec.revision_history_limit
					   ? *set->s->spec.revision_history_limit
					   : HISTORY_DEFAULT,
				   0);
	size_t dead = 0;

	for (size_t i = 0; i < set->nhistory; i++) {
		dead += !is_live(set, set->history[i].name);
	}
	for (size_t i = 0; i < set->nhistory && dead > limit; i++) {
		const struct meta_object_meta *meta = &set->history[i].object->metadata;
		struct delete_opts opts = {.uid = meta->uid};

		if (!is_live(set, set->history[i].name)) {
			actions_delete(set->actions, &resource_apps_controllerrevisions,
				       meta->namespace, meta->name, &opts);
			dead--;
		}
	}
}
