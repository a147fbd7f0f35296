/* SPDX-License-Identifier: Apache-2.0 */
/* What is accepted but surely not meant, in upstream's words. */
#include "object/quantity.h"
#include "rules/check.h"
#include "rules/pod_spec.h"
#include "rules/resources.h"
#include "rules/selector.h"

static void warn_annotations(const struct warn_sink *sink, const struct path *at,
			     const struct str_map *annotations)
{
	static const struct {
		struct str key;
		const char *text;
	} old[] = {
		{STR_INIT("scheduler.alpha.kubernetes.io/critical-pod"),
		 "non-functional in v1.16+; use the \"priorityClassName\" field instead"},
		{STR_INIT("security.alpha.kubernetes.io/sysctls"),
		 "non-functional in v1.11+; use the \"sysctls\" field instead"},
		{STR_INIT("security.alpha.kubernetes.io/unsafe-sysctls"),
		 "non-functional in v1.11+; use the \"sysctls\" field instead"},
		{STR_INIT("seccomp.security.alpha.kubernetes.io/pod"),
		 "non-functional in v1.27+; use the \"seccompProfile\" field instead"},
	};

	for (size_t i = 0; i < ARRAY_LEN(old); i++) {
		if (str_map_find(annotations, old[i].key)) {
			warn_at(sink, AT_KEY(AT(AT(at, "metadata"), "annotations"), old[i].key),
				"%s", old[i].text);
		}
	}
}

/* "deprecated since v1.14; use "kubernetes.io/os" instead", or NULL. */
static const char *old_node_label(struct str key)
{
	static const struct {
		const char *key;
		const char *text;
	} labels[] = {
		{"beta.kubernetes.io/arch",
		 "deprecated since v1.14; use \"kubernetes.io/arch\" instead"},
		{"beta.kubernetes.io/os",
		 "deprecated since v1.14; use \"kubernetes.io/os\" instead"},
		{"failure-domain.beta.kubernetes.io/region",
		 "deprecated since v1.17; use \"topology.kubernetes.io/region\" instead"},
		{"failure-domain.beta.kubernetes.io/zone",
		 "deprecated since v1.17; use \"topology.kubernetes.io/zone\" instead"},
		{"beta.kubernetes.io/instance-type",
		 "deprecated since v1.17; use \"node.kubernetes.io/instance-type\" instead"},
	};

	for (size_t i = 0; i < ARRAY_LEN(labels); i++) {
		if (str_eq(key, str_of(labels[i].key))) {
			return labels[i].text;
		}
	}
	return NULL;
}

static void warn_node_labels(const struct warn_sink *sink, const struct path *spec_at,
			     const struct core_pod_spec *spec)
{
	for (size_t i = 0; i < spec->node_selector.n; i++) {
		struct str key = spec->node_selector.p[i].key;
		const char *text = old_node_label(key);

		if (text) {
			warn_at(sink, AT_KEY(AT(spec_at, "nodeSelector"), key), "%s", text);
		}
	}
	for (size_t i = 0; i < spec->topology_spread_constraints.n; i++) {
		const struct core_topology_spread_constraint *t =
			&spec->topology_spread_constraints.p[i];
		const struct path *item = AT_INDEX(AT(spec_at, "topologySpreadConstraints"), i);
		const char *text = old_node_label(t->topology_key);

		if (text) {
			warn_at(sink, AT(item, "topologyKey"), "%.*s is %s",
				STR_ARG(t->topology_key), text);
		}
		if (!t->label_selector) {
			warn_at(sink, AT(item, "labelSelector"),
				"a null labelSelector results in matching no pod");
		}
	}
}

/* An apply keeps one entry of each key, so the others may get lost. */
static void warn_duplicates(const struct warn_sink *sink, const struct path *spec_at,
			    const struct core_pod_spec *spec)
{
	struct str_set ips CLEANUP_STR_SET = {0};
	struct str_set names CLEANUP_STR_SET = {0};

	for (size_t i = 0; i < spec->host_aliases.n; i++) {
		struct str ip = spec->host_aliases.p[i].ip;

		if (!str_set_add(&ips, ip)) {
			warn_at(sink, AT(AT_INDEX(AT(spec_at, "hostAliases"), i), "ip"),
				"duplicate ip \"%.*s\"", STR_ARG(ip));
		}
	}
	for (size_t i = 0; i < spec->image_pull_secrets.n; i++) {
		struct str name = spec->image_pull_secrets.p[i].name;
		const struct path *place = AT(AT_INDEX(AT(spec_at, "imagePullSecrets"), i), "name");

		if (!str_set_add(&names, name)) {
			warn_at(sink, place, "duplicate name \"%.*s\"", STR_ARG(name));
		}
		if (!name.n) {
			warn_at(sink, place, "invalid empty name \"\"");
		}
	}
}

static void warn_fraction(const struct warn_sink *sink, const struct path *at,
			  const struct quantity_map *list)
{
	static const struct str names[] = {STR_INIT("memory"), STR_INIT("ephemeral-storage")};
	struct buf b CLEANUP_BUF = {0};

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		const struct quantity *q = resource_find(list, names[i]);

		if (q && quantity_milli_value(*q) % 1000 != 0) {
			buf_clear(&b);
			quantity_write(&b, *q);
			warn_at(sink, AT_KEY(at, names[i]),
				"fractional byte value \"%.*s\" is invalid, must be an integer",
				STR_ARG(buf_str(&b)));
		}
	}
}

static void warn_env(const struct warn_sink *sink, const struct path *at,
		     const struct core_container *c)
{
	struct str_set names CLEANUP_STR_SET = {0};

	for (size_t i = 0; i < c->env.n; i++) {
		const struct core_env_var *v = &c->env.p[i];
		struct str ref;

		if (str_set_add(&names, v->name)) {
			continue;
		}
		/* X="$(X) and more" builds on the value before it, all else hides it. */
		ref = arena_printf(sink->arena, "$(%.*s)", STR_ARG(v->name));
		if (v->value_from || str_eq(v->value, ref) || !str_contains(v->value, ref)) {
			warn_at(sink, AT_INDEX(AT(at, "env"), i),
				"hides previous definition of \"%.*s\", which may be dropped when "
				"using apply",
				STR_ARG(v->name));
		}
	}
}

/* Where a port of this number and protocol was first seen. */
struct seen_port {
	struct str place;
	const struct core_container_port *port;
};

static void warn_port(const struct warn_sink *sink, struct map *seen, const struct path *at,
		      const struct core_container_port *p)
{
	struct str key =
		arena_printf(sink->arena, "%d/%.*s", p->container_port, STR_ARG(p->protocol));
	struct seen_port *other = map_find(seen, key);
	const struct core_container_port *o;

	if (!other) {
		other = ARENA_NEW(sink->arena, struct seen_port);
		*other = (struct seen_port){path_print(sink->arena, at, PATH_STYLE_API), p};
		map_put(seen, key, other);
		return;
	}
	o = other->port;
	if (str_eq(p->host_ip, o->host_ip) && p->host_port == o->host_port) {
		warn_at(sink, at, "duplicate port definition with %.*s", STR_ARG(other->place));
	} else if (p->host_port == 0 || o->host_port == 0) {
		warn_at(sink, at, "overlapping port definition with %.*s", STR_ARG(other->place));
	} else if (p->host_port == o->host_port && (p->host_ip.n == 0) != (o->host_ip.n == 0)) {
		warn_at(sink, at, "dangerously ambiguous port definition with %.*s",
			STR_ARG(other->place));
	}
}

static void warn_containers(const struct warn_sink *sink, const struct path *at,
			    const struct core_container *p, size_t n, struct map *ports)
{
	for (size_t i = 0; i < n; i++) {
		const struct path *item = AT_INDEX(at, i);

		warn_fraction(sink, AT(AT(item, "resources"), "limits"), &p[i].resources.limits);
		warn_fraction(sink, AT(AT(item, "resources"), "requests"),
			      &p[i].resources.requests);
		warn_env(sink, item, &p[i]);
		for (size_t j = 0; j < p[i].ports.n; j++) {
			warn_port(sink, ports, AT_INDEX(AT(item, "ports"), j), &p[i].ports.p[j]);
		}
	}
}

static void warn_null_selectors(const struct warn_sink *sink, const struct path *at,
				const struct core_pod_affinity *a)
{
	static const char text[] = "a null labelSelector results in matching no pod";
	const struct path *required = AT(at, "requiredDuringSchedulingIgnoredDuringExecution");
	const struct path *preferred = AT(at, "preferredDuringSchedulingIgnoredDuringExecution");

	for (size_t i = 0; i < a->required_during_scheduling_ignored_during_execution.n; i++) {
		if (!a->required_during_scheduling_ignored_during_execution.p[i].label_selector) {
			warn_at(sink, AT(AT_INDEX(required, i), "labelSelector"), "%s", text);
		}
	}
	for (size_t i = 0; i < a->preferred_during_scheduling_ignored_during_execution.n; i++) {
		if (!a->preferred_during_scheduling_ignored_during_execution.p[i]
			     .pod_affinity_term.label_selector) {
			warn_at(sink,
				AT(AT(AT_INDEX(preferred, i), "podAffinityTerm"), "labelSelector"),
				"%s", text);
		}
	}
}

void warn_pod_template(const struct warn_sink *sink, const struct path *at,
		       const struct meta_object_meta *meta, const struct core_pod_spec *spec)
{
	const struct path *spec_at = AT(at, "spec");
	const struct path *affinity_at = AT(spec_at, "affinity");
	struct map ports;

	warn_node_labels(sink, spec_at, spec);
	warn_annotations(sink, at, &meta->annotations);
	warn_duplicates(sink, spec_at, spec);
	warn_fraction(sink, AT(spec_at, "overhead"), &spec->overhead);
	map_init(&ports, 0);
	warn_containers(sink, AT(spec_at, "initContainers"), spec->init_containers.p,
			spec->init_containers.n, &ports);
	warn_containers(sink, AT(spec_at, "containers"), spec->containers.p, spec->containers.n,
			&ports);
	map_fini(&ports);
	if (spec->termination_grace_period_seconds && *spec->termination_grace_period_seconds < 0) {
		warn_at(sink, AT(spec_at, "terminationGracePeriodSeconds"),
			"must be >= 0; negative values are invalid and will be treated as 1");
	}
	if (spec->affinity && spec->affinity->pod_affinity) {
		warn_null_selectors(sink, AT(affinity_at, "podAffinity"),
				    spec->affinity->pod_affinity);
	}
	if (spec->affinity && spec->affinity->pod_anti_affinity) {
		warn_null_selectors(sink, AT(affinity_at, "podAntiAffinity"),
				    (const void *)spec->affinity->pod_anti_affinity);
	}
}
