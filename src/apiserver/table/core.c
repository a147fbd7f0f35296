/* SPDX-License-Identifier: Apache-2.0 */
/* The core group, but for pods. */
#include "apiserver/table/cells.h"
#include "object/quantity.h"
#include "rules/selector.h"

void print_config_map(struct table_row *row, const struct object_head *obj)
{
	const struct core_config_map *cm = (const void *)obj;

	cell_name(row, obj);
	table_cell_printf(row, "%zu", cm->data.n + cm->binary_data.n);
	cell_object_age(row, obj);
}

void print_secret(struct table_row *row, const struct object_head *obj)
{
	const struct core_secret *s = (const void *)obj;

	cell_name(row, obj);
	table_cell_str(row, s->type);
	table_cell_printf(row, "%zu", s->data.n);
	cell_object_age(row, obj);
}

void print_service_account(struct table_row *row, const struct object_head *obj)
{
	cell_name(row, obj);
	cell_object_age(row, obj);
}

void print_namespace(struct table_row *row, const struct object_head *obj)
{
	cell_name(row, obj);
	table_cell_str(row, ((const struct core_namespace *)(const void *)obj)->status.phase);
	cell_object_age(row, obj);
}

static void cell_node_status(struct table_row *row, const struct core_node *node)
{
	struct str ready = STR("Unknown");

	for (size_t i = 0; i < node->status.conditions.n; i++) {
		const struct core_node_condition *c = &node->status.conditions.p[i];

		if (str_is(c->type, "Ready")) {
			ready = str_is(c->status, "True") ? STR("Ready") : STR("NotReady");
		}
	}
	table_cell_printf(row, "%.*s%s", STR_ARG(ready),
			  node->spec.unschedulable ? ",SchedulingDisabled" : "");
}

static void cell_node_roles(struct table_row *row, const struct core_node *node)
{
	struct str prefix = STR("node-role.kubernetes.io/");
	struct buf b CLEANUP_BUF = {0};

	for (size_t i = 0; i < node->metadata.labels.n; i++) {
		const struct str_pair *l = &node->metadata.labels.p[i];
		struct str role = STR_NULL;

		if (str_has_prefix(l->key, prefix)) {
			role = str_from(l->key, prefix.n);
		} else if (str_is(l->key, "kubernetes.io/role")) {
			role = l->value;
		}
		if (role.n) {
			buf_printf(&b, "%s%.*s", b.n ? "," : "", STR_ARG(role));
		}
	}
	cell_or_none(row, buf_str(&b));
}

static void cell_node_address(struct table_row *row, const struct core_node *node, const char *type)
{
	for (size_t i = 0; i < node->status.addresses.n; i++) {
		if (str_eq(node->status.addresses.p[i].type, str_of(type))) {
			table_cell_str(row, node->status.addresses.p[i].address);
			return;
		}
	}
	table_cell_str(row, NONE);
}

static void cell_or_unknown(struct table_row *row, struct str s)
{
	table_cell_str(row, s.n ? s : STR("<unknown>"));
}

void print_node(struct table_row *row, const struct object_head *obj)
{
	const struct core_node *node = (const void *)obj;

	cell_name(row, obj);
	cell_node_status(row, node);
	cell_node_roles(row, node);
	cell_object_age(row, obj);
	table_cell_str(row, node->status.node_info.kubelet_version);
	cell_node_address(row, node, "InternalIP");
	cell_node_address(row, node, "ExternalIP");
	cell_or_unknown(row, node->status.node_info.os_image);
	cell_or_unknown(row, node->status.node_info.kernel_version);
	cell_or_unknown(row, node->status.node_info.container_runtime_version);
}

static void cell_external_ip(struct table_row *row, const struct core_service *svc)
{
	struct buf b CLEANUP_BUF = {0};

	if (str_is(svc->spec.type, "ExternalName")) {
		table_cell_str(row, svc->spec.external_name);
		return;
	}
	for (size_t i = 0;
	     str_is(svc->spec.type, "LoadBalancer") && i < svc->status.load_balancer.ingress.n;
	     i++) {
		const struct core_load_balancer_ingress *in =
			&svc->status.load_balancer.ingress.p[i];

		buf_printf(&b, "%s%.*s", b.n ? "," : "", STR_ARG(in->ip.n ? in->ip : in->hostname));
	}
	for (size_t i = 0; i < svc->spec.external_ips.n; i++) {
		buf_printf(&b, "%s%.*s", b.n ? "," : "", STR_ARG(svc->spec.external_ips.p[i]));
	}
	if (!b.n && str_is(svc->spec.type, "LoadBalancer")) {
		table_cell_str(row, STR("<pending>"));
		return;
	}
	cell_or_none(row, buf_str(&b));
}

static void cell_service_ports(struct table_row *row, const struct core_service *svc)
{
	struct buf b CLEANUP_BUF = {0};

	for (size_t i = 0; i < svc->spec.ports.n; i++) {
		const struct core_service_port *p = &svc->spec.ports.p[i];

		buf_printf(&b, "%s%d", i ? "," : "", p->port);
		if (p->node_port > 0) {
			buf_printf(&b, ":%d", p->node_port);
		}
		buf_printf(&b, "/%.*s", STR_ARG(p->protocol));
	}
	cell_or_none(row, buf_str(&b));
}

void print_service(struct table_row *row, const struct object_head *obj)
{
	const struct core_service *svc = (const void *)obj;

	cell_name(row, obj);
	table_cell_str(row, svc->spec.type);
	cell_or_none(row, svc->spec.cluster_ip);
	cell_external_ip(row, svc);
	cell_service_ports(row, svc);
	cell_object_age(row, obj);
	cell_map(row, &svc->spec.selector);
}

enum { ENDPOINTS_SHOWN = 3 };

static void write_subset(struct buf *b, const struct core_endpoint_subset *s, size_t *shown,
			 size_t *all)
{
	for (size_t i = 0; i < s->addresses.n; i++) {
		for (size_t j = 0; j < (s->ports.n ? s->ports.n : 1); j++) {
			(*all)++;
			if (*shown == ENDPOINTS_SHOWN) {
				continue;
			}
			buf_printf(b, "%s%.*s", *shown ? "," : "", STR_ARG(s->addresses.p[i].ip));
			if (s->ports.n) {
				buf_printf(b, ":%d", s->ports.p[j].port);
			}
			(*shown)++;
		}
	}
}

void print_endpoints(struct table_row *row, const struct object_head *obj)
{
	const struct core_endpoints *e = (const void *)obj;
	struct buf b CLEANUP_BUF = {0};
	size_t shown = 0;
	size_t all = 0;

	for (size_t i = 0; i < e->subsets.n; i++) {
		write_subset(&b, &e->subsets.p[i], &shown, &all);
	}
	if (all > shown) {
		buf_printf(&b, " + %zu more...", all - shown);
	}
	cell_name(row, obj);
	cell_or_none(row, buf_str(&b));
	cell_object_age(row, obj);
}

static struct str access_modes(struct arena *a, const struct str_list *modes)
{
	static const struct {
		const char *mode, *short_;
	} names[] = {{"ReadWriteOnce", "RWO"},
		     {"ReadOnlyMany", "ROX"},
		     {"ReadWriteMany", "RWX"},
		     {"ReadWriteOncePod", "RWOP"}};
	struct buf b CLEANUP_BUF = {0};

	for (size_t n = 0; n < ARRAY_LEN(names); n++) {
		for (size_t i = 0; i < modes->n; i++) {
			if (str_eq(modes->p[i], str_of(names[n].mode))) {
				buf_printf(&b, "%s%s", b.n ? "," : "", names[n].short_);
				break;
			}
		}
	}
	return arena_str(a, buf_str(&b));
}

static void cell_storage(struct table_row *row, const struct quantity_map *capacity)
{
	struct buf b CLEANUP_BUF = {0};

	for (size_t i = 0; i < capacity->n; i++) {
		if (str_is(capacity->p[i].key, "storage")) {
			quantity_write(&b, capacity->p[i].value);
		}
	}
	table_cell_str(row, buf_str(&b));
}

static struct str deref(const struct str *s, struct str otherwise)
{
	return s && s->p ? *s : otherwise;
}

void print_persistent_volume(struct table_row *row, const struct object_head *obj)
{
	const struct core_persistent_volume *pv = (const void *)obj;
	const struct core_object_reference *claim = pv->spec.claim_ref;

	cell_name(row, obj);
	cell_storage(row, &pv->spec.capacity);
	table_cell_str(row, access_modes(row->arena, &pv->spec.access_modes));
	table_cell_str(row, pv->spec.persistent_volume_reclaim_policy);
	table_cell_str(row,
		       pv->metadata.deletion_timestamp ? STR("Terminating") : pv->status.phase);
	if (claim) {
		table_cell_printf(row, "%.*s/%.*s", STR_ARG(claim->namespace),
				  STR_ARG(claim->name));
	} else {
		table_cell_str(row, STR(""));
	}
	table_cell_str(row, pv->spec.storage_class_name);
	table_cell_str(row, deref(pv->spec.volume_attributes_class_name, UNSET));
	table_cell_str(row, pv->status.reason);
	cell_object_age(row, obj);
	table_cell_str(row, deref(pv->spec.volume_mode, UNSET));
}

void print_persistent_volume_claim(struct table_row *row, const struct object_head *obj)
{
	const struct core_persistent_volume_claim *pvc = (const void *)obj;
	bool bound = pvc->spec.volume_name.n > 0;

	cell_name(row, obj);
	table_cell_str(row,
		       pvc->metadata.deletion_timestamp ? STR("Terminating") : pvc->status.phase);
	table_cell_str(row, pvc->spec.volume_name);
	if (bound) {
		cell_storage(row, &pvc->status.capacity);
		table_cell_str(row, access_modes(row->arena, &pvc->status.access_modes));
	} else {
		table_cell_str(row, STR(""));
		table_cell_str(row, STR(""));
	}
	table_cell_str(row, deref(pvc->spec.storage_class_name, STR("")));
	table_cell_str(row, deref(pvc->spec.volume_attributes_class_name, UNSET));
	cell_object_age(row, obj);
	table_cell_str(row, deref(pvc->spec.volume_mode, UNSET));
}

static void cell_event_times(struct table_row *row, const struct core_event *e, bool last)
{
	struct timestamp first = e->first_timestamp.set ? e->first_timestamp : e->event_time;
	struct timestamp newest = e->series		  ? e->series->last_observed_time
				  : e->last_timestamp.set ? e->last_timestamp
							  : first;

	table_cell_age(row, last ? newest : first);
}

void print_event(struct table_row *row, const struct object_head *obj)
{
	const struct core_event *e = (const void *)obj;
	const struct core_object_reference *o = &e->involved_object;
	struct buf kind CLEANUP_BUF = {0};

	for (size_t i = 0; i < o->kind.n; i++) {
		char c = o->kind.p[i];

		buf_add_char(&kind, c >= 'A' && c <= 'Z' ? (char)(c + 32) : c);
	}
	cell_event_times(row, e, true);
	table_cell_str(row, e->type);
	table_cell_str(row, e->reason);
	table_cell_printf(row, "%.*s/%.*s", STR_ARG(buf_str(&kind)), STR_ARG(o->name));
	table_cell_str(row, o->field_path);
	if (e->source.host.n) {
		table_cell_printf(row, "%.*s, %.*s", STR_ARG(e->source.component),
				  STR_ARG(e->source.host));
	} else {
		table_cell_str(row, e->source.component.n ? e->source.component
							  : e->reporting_component);
	}
	table_cell_str(row, str_trim(e->message));
	cell_event_times(row, e, false);
	table_cell_printf(row, "%d", e->series ? e->series->count : e->count ? e->count : 1);
	cell_name(row, obj);
}

void print_replication_controller(struct table_row *row, const struct object_head *obj)
{
	const struct core_replication_controller *rc = (const void *)obj;
	static const struct core_pod_spec no_spec;

	cell_name(row, obj);
	table_cell_int(row, rc->spec.replicas ? *rc->spec.replicas : 0);
	table_cell_int(row, rc->status.replicas);
	table_cell_int(row, rc->status.ready_replicas);
	cell_object_age(row, obj);
	cell_containers(row, rc->spec.template ? &rc->spec.template->spec : &no_spec);
	cell_map(row, &rc->spec.selector);
}

void print_pod_template(struct table_row *row, const struct object_head *obj)
{
	const struct core_pod_template *t = (const void *)obj;

	cell_name(row, obj);
	cell_containers(row, &t->template.spec);
	cell_map(row, &t->template.metadata.labels);
}
