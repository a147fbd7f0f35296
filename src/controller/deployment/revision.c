/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"
#include "base/sort.h"
#include "controller/deployment/rollout.h"
#include "controller/label_map.h"
#include "object/object.h"
#include "rules/controller_ref.h"
#include "rules/hash.h"

enum { HISTORY_TEXT_MAX = 2000 };

static int64_t revision_of(const struct str_map *annotations)
{
	int64_t n;

	return str_to_int64(label_map_get(annotations, STR(DEPLOYMENT_REVISION)), &n) < 0 ? 0 : n;
}

/* The template without the label that tells sets apart. */
static bool same_template(const struct rollout *ro, const struct apps_replica_set *rs)
{
	struct core_pod_template_spec a = rs->spec.template;
	struct core_pod_template_spec b = ro->d->spec.template;

	label_map_remove(ro->snapshot->arena, &a.metadata.labels, STR(DEPLOYMENT_HASH_LABEL));
	label_map_remove(ro->snapshot->arena, &b.metadata.labels, STR(DEPLOYMENT_HASH_LABEL));
	return object_equal(&type_core_pod_template_spec, &a, &b);
}

void revision_find(struct rollout *ro)
{
	ro->new_ = NULL;
	for (size_t i = 0; i < ro->n && !ro->new_; i++) {
		if (same_template(ro, ro->sets[i].rs)) {
			ro->new_ = &ro->sets[i]; /* the oldest, should there be several */
		}
	}
}

/* One more than any other set has. */
static int64_t next_revision(const struct rollout *ro)
{
	int64_t max = 0;

	for (size_t i = 0; i < ro->n; i++) {
		if (&ro->sets[i] != ro->new_) {
			max = MAX(max, revision_of(&ro->sets[i].rs->metadata.annotations));
		}
	}
	return max + 1;
}

/* Annotations that belong to the Deployment alone. */
static bool is_own_annotation(struct str key)
{
	static const char *const own[] = {
		"kubectl.kubernetes.io/last-applied-configuration",
		DEPLOYMENT_REVISION,
		DEPLOYMENT_REVISION_HISTORY,
		DEPLOYMENT_DESIRED,
		DEPLOYMENT_MAX,
		"deprecated.deployment.rollback.to",
	};

	for (size_t i = 0; i < ARRAY_LEN(own); i++) {
		if (str_eq(key, str_of(own[i]))) {
			return true;
		}
	}
	return false;
}

/* "1,4" grows by the revision that the set had until now; the oldest fall out when it gets long. */
static struct str longer_history(struct rollout *ro, struct str history, struct str revision)
{
	while (history.n && history.n + revision.n + 1 > HISTORY_TEXT_MAX) {
		struct str first;

		if (!str_cut(&history, ',', &first)) {
			break;
		}
	}
	if (!history.n) {
		return revision;
	}
	return arena_printf(ro->snapshot->arena, "%.*s,%.*s", STR_ARG(history), STR_ARG(revision));
}

static bool set_revision(struct rollout *ro, struct str_map *map)
{
	struct arena *a = ro->snapshot->arena;
	struct str had = label_map_get(map, STR(DEPLOYMENT_REVISION));
	int64_t revision = next_revision(ro);

	if (revision_of(map) >= revision) {
		return false;
	}
	if (had.n) {
		struct str history = label_map_get(map, STR(DEPLOYMENT_REVISION_HISTORY));

		label_map_set(a, map, STR(DEPLOYMENT_REVISION_HISTORY),
			      longer_history(ro, history, had));
	}
	return label_map_set(a, map, STR(DEPLOYMENT_REVISION),
			     arena_printf(a, "%lld", (long long)revision));
}

/* desired-replicas and max-replicas: by which the next look notices that the Deployment was scaled. */
static bool set_sizes(struct rollout *ro, struct str_map *map)
{
	struct arena *a = ro->snapshot->arena;
	bool changed;

	changed =
		label_map_set(a, map, STR(DEPLOYMENT_DESIRED), arena_printf(a, "%d", ro->replicas));
	changed |= label_map_set(a, map, STR(DEPLOYMENT_MAX),
				 arena_printf(a, "%d", ro->replicas + ro->max_surge));
	return changed;
}

static bool copy_annotations(struct rollout *ro, struct str_map *map)
{
	const struct str_map *from = &ro->d->metadata.annotations;
	bool changed = false;

	for (size_t i = 0; i < from->n; i++) {
		if (!is_own_annotation(from->p[i].key)) {
			changed |= label_map_set(ro->snapshot->arena, map, from->p[i].key,
						 from->p[i].value);
		}
	}
	return changed;
}

struct str_map revision_annotations(struct rollout *ro, const struct rollout_set *set,
				    bool *ret_changed)
{
	struct str_map map = set->rs->metadata.annotations;

	*ret_changed = false;
	if (set == ro->new_) {
		*ret_changed |= copy_annotations(ro, &map);
		*ret_changed |= set_revision(ro, &map);
	}
	if (set->annotate || set->want != set->size) {
		*ret_changed |= set_sizes(ro, &map);
	}
	return map;
}

/* ---- the new set ---- */

static struct meta_label_selector *
selector_with(struct arena *a, const struct meta_label_selector *selector, struct str hash)
{
	struct meta_label_selector *copy = ARENA_NEW(a, struct meta_label_selector);

	*copy = *selector;
	label_map_set(a, &copy->match_labels, STR(DEPLOYMENT_HASH_LABEL), hash);
	return copy;
}

static void create_set(struct rollout *ro, struct str hash, struct str name)
{
	struct arena *a = ro->snapshot->arena;
	struct meta_owner_reference ref =
		controller_ref_make(a, &resource_apps_deployments, &ro->d->metadata);
	int32_t replicas = rolling_new_size(ro, NULL);
	struct apps_replica_set rs = {
		.metadata = {.name = name, .namespace = ro->d->metadata.namespace},
		.spec = {.replicas = &replicas,
			 .min_ready_seconds = ro->d->spec.min_ready_seconds,
			 .template = ro->d->spec.template},
	};

	label_map_set(a, &rs.spec.template.metadata.labels, STR(DEPLOYMENT_HASH_LABEL), hash);
	rs.metadata.labels = rs.spec.template.metadata.labels;
	rs.spec.selector = selector_with(a, ro->d->spec.selector, hash);
	rs.metadata.owner_references.p = &ref;
	rs.metadata.owner_references.n = 1;
	copy_annotations(ro, &rs.metadata.annotations);
	set_revision(ro, &rs.metadata.annotations);
	set_sizes(ro, &rs.metadata.annotations);
	actions_create(ro->actions, &resource_apps_replicasets, &rs);
	actions_on_failure(
		ro->actions, ro->frozen, "ReplicaSetCreateError",
		arena_printf(a, "Failed to create new replica set \"%.*s\": ", STR_ARG(name)));
	if (replicas > 0) {
		actions_on_success(ro->actions, ro->frozen, "ScalingReplicaSet",
				   arena_printf(a, "Scaled up replica set %.*s from 0 to %d",
						STR_ARG(name), replicas));
	}
}

bool revision_create(struct rollout *ro)
{
	struct arena *a = ro->snapshot->arena;
	const struct pass_failure *failed = ro->snapshot->failed;
	struct str hash;
	struct str name;

	if (ro->new_) {
		return false;
	}
	hash = pod_template_hash(a, &ro->d->spec.template, ro->d->status.collision_count);
	name = arena_printf(a, "%.*s-%.*s", STR_ARG(ro->d->metadata.name), STR_ARG(hash));
	if (snapshot_get(ro->snapshot, &resource_apps_replicasets, ro->d->metadata.namespace,
			 name)) {
		/* Another template, or another owner, has this name: another hash. */
		ro->collision_count = ARENA_NEW(a, int32_t);
		*ro->collision_count =
			(ro->d->status.collision_count ? *ro->d->status.collision_count : 0) + 1;
		return true;
	}
	if (failed && failed->verb == VERB_CREATE &&
	    failed->resource == &resource_apps_replicasets) {
		status_note(ro, "False", "ReplicaSetCreateError", failed->message);
		create_set(ro, hash, name);
		return true;
	}
	create_set(ro, hash, name);
	actions_next_stage(ro->actions);
	status_note(ro, "True", "NewReplicaSetCreated",
		    arena_printf(a, "Created new replica set \"%.*s\"", STR_ARG(name)));
	return true;
}

/* The Deployment carries the revision of its new set. */
static bool sync_own_revision(struct rollout *ro)
{
	struct apps_deployment copy = *ro->d;
	struct str revision =
		label_map_get(&ro->new_->rs->metadata.annotations, STR(DEPLOYMENT_REVISION));

	if (!revision.n || !label_map_set(ro->snapshot->arena, &copy.metadata.annotations,
					  STR(DEPLOYMENT_REVISION), revision)) {
		return false;
	}
	actions_update(ro->actions, &resource_apps_deployments, &copy);
	return true;
}

bool revision_sync(struct rollout *ro)
{
	struct apps_replica_set copy;
	bool changed;

	if (!ro->new_) {
		return false;
	}
	copy = *ro->new_->rs;
	copy.metadata.annotations = revision_annotations(ro, ro->new_, &changed);
	if (changed || copy.spec.min_ready_seconds != ro->d->spec.min_ready_seconds) {
		copy.spec.min_ready_seconds = ro->d->spec.min_ready_seconds;
		actions_update(ro->actions, &resource_apps_replicasets, &copy);
		return true;
	}
	return sync_own_revision(ro);
}

/* ---- history ---- */

static int cmp_revision(const void *pa, const void *pb, void *ctx UNUSED)
{
	const struct rollout_set *a = pa;
	const struct rollout_set *b = pb;
	int64_t ra = revision_of(&a->rs->metadata.annotations);
	int64_t rb = revision_of(&b->rs->metadata.annotations);

	return ra < rb ? -1 : ra > rb;
}

void revision_clean(struct rollout *ro)
{
	struct rollout_set **old =
		ARENA_ARRAY(ro->snapshot->arena, ro->n + 1, struct rollout_set *);
	const int32_t *limit = ro->d->spec.revision_history_limit;
	size_t n = 0;

	for (size_t i = 0; i < ro->n; i++) {
		if (&ro->sets[i] != ro->new_ && !ro->sets[i].rs->metadata.deletion_timestamp) {
			old[n++] = &ro->sets[i];
		}
	}
	if (!limit || *limit == INT32_MAX || n <= (size_t)MAX(*limit, 0)) {
		return;
	}
	sort_pointers((void **)old, n, cmp_revision, NULL);
	for (size_t i = 0; i < n - (size_t)MAX(*limit, 0); i++) {
		const struct apps_replica_set *rs = old[i]->rs;
		struct delete_opts opts = {.uid = rs->metadata.uid,
					   .propagation = PROPAGATION_BACKGROUND};

		if (!rs->status.replicas && !old[i]->size &&
		    rs->status.observed_generation >= rs->metadata.generation) {
			actions_delete(ro->actions, &resource_apps_replicasets,
				       rs->metadata.namespace, rs->metadata.name, &opts);
		}
	}
}
