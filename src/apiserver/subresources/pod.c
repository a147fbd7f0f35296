/* SPDX-License-Identifier: Apache-2.0 */
/* pods/binding (and the bindings resource), pods/eviction. */
#include "apiserver/apiserver_internal.h"
#include "apiserver/codec.h"
#include "apiserver/subresources/subresources.h"
#include "apiserver/verbs/write.h"

static enum stage_result not_found(struct request *r)
{
	struct status_about about = {STR_NULL, STR("pods"), r->info.name};

	return answer_status(r, status_not_found(&r->arena, &about));
}

/* From here on the request is about the pod, whatever path it came by. */
static void point_at_pod(struct request *r, struct str name)
{
	r->resource = &resource_core_pods;
	r->info.resource = STR("pods");
	r->info.name = name;
	r->key = registry_key(&r->arena, r->resource, r->info.ns, name);
}

static struct core_pod_condition *find_condition(struct core_pod *pod, struct str type)
{
	for (size_t i = 0; i < pod->status.conditions.n; i++) {
		if (str_eq(pod->status.conditions.p[i].type, type)) {
			return &pod->status.conditions.p[i];
		}
	}
	return NULL;
}

static void set_scheduled(struct request *r, struct core_pod *pod)
{
	struct core_pod_condition *c = find_condition(pod, STR("PodScheduled"));

	if (!c) {
		struct core_pod_condition *p = ARENA_ARRAY(&r->arena, pod->status.conditions.n + 1,
							   struct core_pod_condition);

		if (pod->status.conditions.n) {
			memcpy(p, pod->status.conditions.p, pod->status.conditions.n * sizeof(*p));
		}
		pod->status.conditions.p = p;
		c = &p[pod->status.conditions.n++];
	}
	*c = (struct core_pod_condition){
		.type = STR("PodScheduled"),
		.status = STR("True"),
		.last_transition_time = {.sec = env_wall_ns(r->api->env) / NS_PER_SEC, .set = true},
	};
}

static void merge_map(struct arena *a, struct str_map *into, const struct str_map *from)
{
	struct str_pair *p = ARENA_ARRAY(a, into->n + from->n, struct str_pair);
	size_t i = 0;
	size_t j = 0;
	size_t n = 0;

	while (i < into->n || j < from->n) {
		int c = i == into->n   ? 1
			: j == from->n ? -1
				       : str_cmp(into->p[i].key, from->p[j].key);

		if (c < 0) {
			p[n++] = into->p[i++];
		} else {
			i += c == 0;
			p[n++] = from->p[j++];
		}
	}
	*into = (struct str_map){p, n};
}

static struct meta_status *check_binding(struct write *w, const struct core_binding *b)
{
	struct request *r = w->r;
	struct core_pod *pod = (void *)w->old;
	struct status_about about = request_about(r);

	if (b->metadata.uid.n && !str_eq(b->metadata.uid, pod->metadata.uid)) {
		return status_conflict(
			&r->arena, &about,
			STR("Precondition failed: the UID of the binding is not the pod's"));
	}
	if (pod->metadata.deletion_timestamp) {
		return status_conflict(
			&r->arena, &about,
			arena_printf(&r->arena,
				     "pod %.*s is being deleted, cannot be assigned to a host",
				     STR_ARG(pod->metadata.name)));
	}
	if (pod->spec.node_name.n) {
		return status_conflict(
			&r->arena, &about,
			arena_printf(&r->arena, "pod %.*s is already assigned to node \"%.*s\"",
				     STR_ARG(pod->metadata.name), STR_ARG(pod->spec.node_name)));
	}
	if (pod->spec.scheduling_gates.n) {
		return status_conflict(&r->arena, &about,
				       arena_printf(&r->arena,
						    "pod %.*s has non-empty .spec.schedulingGates",
						    STR_ARG(pod->metadata.name)));
	}
	return NULL;
}

static void bound(void *ctx, const struct store_result *result)
{
	struct write *w = ctx;
	struct request *r = w->r;
	struct meta_status *s;

	if (result->code == 0) {
		s = status_new(&r->arena, 201, "", STR(""));
		s->status = STR("Success");
	} else {
		s = status_internal(
			&r->arena,
			arena_str(&r->arena, str_of(result->message ? result->message
								    : err_text(result->code))));
	}
	store_value_unref(w->base);
	store_value_unref(w->value);
	request_resume(r, answer_status(r, s));
}

enum stage_result pod_binding(struct request *r)
{
	struct core_binding *b =
		codec_decode_body(r, &type_core_binding, STR(""), STR("v1"), STR("Binding"));
	struct meta_status *refusal;
	struct store_op op = {.kind = STORE_PUT};
	struct core_pod *pod;
	struct write *w;

	if (!b) {
		return STAGE_ANSWERED;
	}
	if (!b->target.name.n || (b->target.kind.n && !str_is(b->target.kind, "Node"))) {
		return answer_status(
			r, status_bad_request(
				   &r->arena,
				   "target: Invalid value: a binding needs the name of a Node"));
	}
	point_at_pod(r, r->info.name.n ? r->info.name : b->metadata.name);
	w = write_new(r, WRITE_UPDATE);
	if (!w->base) {
		return not_found(r);
	}
	refusal = check_binding(w, b);
	if (refusal) {
		return write_refuse(w, refusal);
	}
	w->obj = codec_decode_value(&r->arena, r->resource, w->base);
	pod = (void *)w->obj;
	pod->spec.node_name = b->target.name;
	merge_map(&r->arena, &pod->metadata.annotations, &b->metadata.annotations);
	merge_map(&r->arena, &pod->metadata.labels, &b->metadata.labels);
	set_scheduled(r, pod);
	pod->status.nominated_node_name = STR_NULL;
	w->value = codec_encode_value(r->resource, w->obj, w->base);
	op.key = r->key;
	op.value = store_value_ref(w->value);
	op.expect = w->base->mod_revision;
	store_commit(r->api->store, &op, 1, bound, w);
	return STAGE_PENDING;
}

enum stage_result pod_eviction(struct request *r)
{
	struct policy_eviction *e = codec_decode_body(r, &type_policy_eviction, STR("policy"),
						      STR("v1"), STR("Eviction"));
	struct meta_delete_options *options = ARENA_NEW(&r->arena, struct meta_delete_options);
	struct write *w;

	if (!e) {
		return STAGE_ANSWERED;
	}
	if (e->metadata.name.n && !str_eq(e->metadata.name, r->info.name)) {
		return answer_status(
			r,
			status_bad_request(&r->arena,
					   "name in URL does not match name in Eviction object"));
	}
	r->sub = NULL;
	w = write_new(r, WRITE_DELETE);
	if (!w->base) {
		return not_found(r);
	}
	r->options.dry_run =
		r->options.dry_run || (e->delete_options && e->delete_options->dry_run.n);
	return delete_object(w, e->delete_options ? e->delete_options : options);
}
