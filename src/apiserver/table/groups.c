/* SPDX-License-Identifier: Apache-2.0 */
/* The smaller groups: networking, discovery, RBAC, storage, scheduling, coordination, policy. */
#include "apiserver/table/cells.h"
#include "rules/selector.h"

void print_ingress(struct table_row *row, const struct object_head *obj)
{
	const struct networking_ingress *ing = (const void *)obj;
	struct buf hosts CLEANUP_BUF = {0};
	struct buf addresses CLEANUP_BUF = {0};
	const struct str *class = ing->spec.ingress_class_name;

	for (size_t i = 0; i < ing->spec.rules.n; i++) {
		if (ing->spec.rules.p[i].host.n) {
			buf_printf(&hosts, "%s%.*s", hosts.n ? "," : "",
				   STR_ARG(ing->spec.rules.p[i].host));
		}
	}
	for (size_t i = 0; i < ing->status.load_balancer.ingress.n; i++) {
		const struct networking_ingress_load_balancer_ingress *in =
			&ing->status.load_balancer.ingress.p[i];

		buf_printf(&addresses, "%s%.*s", addresses.n ? "," : "",
			   STR_ARG(in->ip.n ? in->ip : in->hostname));
	}
	if (!class) {
		class = str_map_find(&ing->metadata.annotations,
				     STR("kubernetes.io/ingress.class"));
	}
	cell_name(row, obj);
	cell_or_none(row, class ? *class : STR(""));
	table_cell_str(row, hosts.n ? buf_str(&hosts) : STR("*"));
	table_cell_str(row, buf_str(&addresses));
	table_cell_str(row, ing->spec.tls.n ? STR("80, 443") : STR("80"));
	cell_object_age(row, obj);
}

void print_ingress_class(struct table_row *row, const struct object_head *obj)
{
	const struct networking_ingress_class *c = (const void *)obj;

	cell_name(row, obj);
	table_cell_str(row, c->spec.controller);
	if (c->spec.parameters) {
		const struct str *group = c->spec.parameters->api_group;

		table_cell_printf(row, "%.*s%s%.*s/%.*s", STR_ARG(c->spec.parameters->kind),
				  group ? "." : "", STR_ARG(group ? *group : STR("")),
				  STR_ARG(c->spec.parameters->name));
	} else {
		table_cell_str(row, NONE);
	}
	cell_object_age(row, obj);
}

void print_network_policy(struct table_row *row, const struct object_head *obj)
{
	const struct networking_network_policy *p = (const void *)obj;

	cell_name(row, obj);
	cell_selector(row, &p->spec.pod_selector);
	cell_object_age(row, obj);
}

enum { SHOWN = 3 };

static void cell_slice_ports(struct table_row *row, const struct discovery_endpoint_slice *s)
{
	struct buf b CLEANUP_BUF = {0};

	if (!s->ports.n) {
		table_cell_str(row, UNSET);
		return;
	}
	for (size_t i = 0; i < s->ports.n; i++) {
		if (i == SHOWN) {
			buf_printf(&b, " + %zu more...", s->ports.n - SHOWN);
			break;
		}
		if (s->ports.p[i].port) {
			buf_printf(&b, "%s%d", i ? "," : "", *s->ports.p[i].port);
		} else {
			buf_printf(&b, "%s*", i ? "," : "");
		}
	}
	table_cell_str(row, buf_str(&b));
}

void print_endpoint_slice(struct table_row *row, const struct object_head *obj)
{
	const struct discovery_endpoint_slice *s = (const void *)obj;
	struct buf b CLEANUP_BUF = {0};
	size_t n = 0;

	for (size_t i = 0; i < s->endpoints.n; i++) {
		for (size_t j = 0; j < s->endpoints.p[i].addresses.n; j++) {
			if (n++ < SHOWN) {
				buf_printf(&b, "%s%.*s", b.n ? "," : "",
					   STR_ARG(s->endpoints.p[i].addresses.p[j]));
			}
		}
	}
	if (n > SHOWN) {
		buf_printf(&b, " + %zu more...", n - SHOWN);
	}
	cell_name(row, obj);
	table_cell_str(row, s->address_type);
	cell_slice_ports(row, s);
	table_cell_str(row, b.n ? buf_str(&b) : UNSET);
	cell_object_age(row, obj);
}

static void cell_subjects(struct table_row *row, const struct rbac_subject *p, size_t n,
			  const char *kind)
{
	struct buf b CLEANUP_BUF = {0};

	for (size_t i = 0; i < n; i++) {
		if (!str_eq(p[i].kind, str_of(kind))) {
			continue;
		}
		buf_add_str(&b, b.n ? STR(", ") : STR(""));
		if (p[i].namespace.n) {
			buf_printf(&b, "%.*s/", STR_ARG(p[i].namespace));
		}
		buf_add_str(&b, p[i].name);
	}
	table_cell_str(row, buf_str(&b));
}

static void print_binding(struct table_row *row, const struct object_head *obj,
			  const struct rbac_role_ref *ref, const struct rbac_subject *p, size_t n)
{
	cell_name(row, obj);
	table_cell_printf(row, "%.*s/%.*s", STR_ARG(ref->kind), STR_ARG(ref->name));
	cell_object_age(row, obj);
	cell_subjects(row, p, n, "User");
	cell_subjects(row, p, n, "Group");
	cell_subjects(row, p, n, "ServiceAccount");
}

void print_role_binding(struct table_row *row, const struct object_head *obj)
{
	const struct rbac_role_binding *b = (const void *)obj;

	print_binding(row, obj, &b->role_ref, b->subjects.p, b->subjects.n);
}

void print_cluster_role_binding(struct table_row *row, const struct object_head *obj)
{
	const struct rbac_cluster_role_binding *b = (const void *)obj;

	print_binding(row, obj, &b->role_ref, b->subjects.p, b->subjects.n);
}

void print_storage_class(struct table_row *row, const struct object_head *obj)
{
	const struct storage_storage_class *sc = (const void *)obj;
	const struct str *is_default = str_map_find(
		&sc->metadata.annotations, STR("storageclass.kubernetes.io/is-default-class"));

	table_cell_printf(row, "%.*s%s", STR_ARG(sc->metadata.name),
			  is_default && str_is(*is_default, "true") ? " (default)" : "");
	table_cell_str(row, sc->provisioner);
	table_cell_str(row, sc->reclaim_policy ? *sc->reclaim_policy : STR("Delete"));
	table_cell_str(row, sc->volume_binding_mode ? *sc->volume_binding_mode : STR("Immediate"));
	table_cell_str(row, sc->allow_volume_expansion && *sc->allow_volume_expansion
				    ? STR("true")
				    : STR("false"));
	cell_object_age(row, obj);
}

void print_priority_class(struct table_row *row, const struct object_head *obj)
{
	const struct scheduling_priority_class *c = (const void *)obj;

	cell_name(row, obj);
	table_cell_int(row, c->value);
	table_cell_bool(row, c->global_default);
	cell_object_age(row, obj);
	table_cell_str(row,
		       c->preemption_policy ? *c->preemption_policy : STR("PreemptLowerPriority"));
}

void print_lease(struct table_row *row, const struct object_head *obj)
{
	const struct coordination_lease *l = (const void *)obj;

	cell_name(row, obj);
	table_cell_str(row, l->spec.holder_identity ? *l->spec.holder_identity : STR(""));
	cell_object_age(row, obj);
}

static void cell_int_or_string(struct table_row *row, const struct int_or_string *v)
{
	if (!v) {
		table_cell_str(row, STR("N/A"));
	} else if (v->kind == IOS_STRING) {
		table_cell_str(row, v->str);
	} else {
		table_cell_printf(row, "%d", v->num);
	}
}

void print_pod_disruption_budget(struct table_row *row, const struct object_head *obj)
{
	const struct policy_pod_disruption_budget *b = (const void *)obj;

	cell_name(row, obj);
	cell_int_or_string(row, b->spec.min_available);
	cell_int_or_string(row, b->spec.max_unavailable);
	table_cell_int(row, b->status.disruptions_allowed);
	cell_object_age(row, obj);
}

void print_runtime_class(struct table_row *row, const struct object_head *obj)
{
	cell_name(row, obj);
	table_cell_str(row, ((const struct node_runtime_class *)(const void *)obj)->handler);
	cell_object_age(row, obj);
}
