/* SPDX-License-Identifier: Apache-2.0 */
/* Containers and init containers of a pod. */
#include "rules/pod.h"
#include "rules/pod_spec_internal.h"

static void check_ports(struct pod_check *c, const struct path *at,
			const struct core_container *ctr)
{
	struct str_set names CLEANUP_STR_SET = {0};

	for (size_t i = 0; i < ctr->ports.n; i++) {
		const struct core_container_port *p = &ctr->ports.p[i];
		const struct path *item = AT_INDEX(at, i);

		if (p->name.n) {
			if (!name_is(p->name, port_name_faults)) {
				check_name(c->errs, AT(item, "name"), p->name, port_name_faults);
			} else if (!str_set_add(&names, p->name)) {
				field_duplicate(c->errs, AT(item, "name"), field_str(p->name));
			}
		}
		if (p->container_port == 0) {
			field_required(c->errs, AT(item, "containerPort"), NULL);
		} else {
			check_port(c->errs, AT(item, "containerPort"), p->container_port);
		}
		if (p->host_port != 0) {
			check_port(c->errs, AT(item, "hostPort"), p->host_port);
		}
	}
}

static bool has_device(const struct core_container *ctr, struct str name, struct str path)
{
	for (size_t i = 0; i < ctr->volume_devices.n; i++) {
		if ((name.n && str_eq(ctr->volume_devices.p[i].name, name)) ||
		    (path.n && str_eq(ctr->volume_devices.p[i].device_path, path))) {
			return true;
		}
	}
	return false;
}

static const struct core_volume *find_volume(const struct core_pod_spec *spec, struct str name)
{
	for (size_t i = 0; i < spec->volumes.n; i++) {
		if (str_eq(spec->volumes.p[i].name, name)) {
			return &spec->volumes.p[i];
		}
	}
	return NULL;
}

static void check_read_only(struct pod_check *c, const struct path *at,
			    const struct core_volume_mount *m)
{
	static const char *const modes[] = {"Disabled", "Enabled", "IfPossible", NULL};

	check_one_of(c->errs, at, m->recursive_read_only, modes);
	if (!m->recursive_read_only || str_is(*m->recursive_read_only, "Disabled") ||
	    !is_one_of(*m->recursive_read_only, modes)) {
		return;
	}
	if (!m->read_only) {
		field_forbidden(c->errs, at, "may only be specified when readOnly is true");
	}
	if (m->mount_propagation && !str_is(*m->mount_propagation, "None")) {
		field_forbidden(
			c->errs, at,
			"may only be specified when mountPropagation is None or not specified");
	}
}

/* Places of subPath, mountPropagation and recursiveReadOnly lack the index, as upstream has them. */
static void check_mount_options(struct pod_check *c, const struct path *list,
				const struct path *item, const struct core_container *ctr,
				const struct core_volume_mount *m)
{
	const struct core_security_context *sc = ctr->security_context;
	bool privileged = sc && sc->privileged && *sc->privileged;

	if (m->sub_path.n) {
		check_descending_path(c->errs, AT(list, "subPath"), m->sub_path);
	}
	if (m->sub_path_expr.n) {
		if (m->sub_path.n) {
			field_invalid(c->errs, AT(item, "subPathExpr"), field_str(m->sub_path_expr),
				      "subPathExpr and subPath are mutually exclusive");
		}
		check_descending_path(c->errs, AT(list, "subPathExpr"), m->sub_path_expr);
	}
	if (m->mount_propagation && str_is(*m->mount_propagation, "Bidirectional") && !privileged) {
		field_forbidden(c->errs, AT(list, "mountPropagation"),
				"Bidirectional mount propagation is available only to privileged "
				"containers");
	}
	check_read_only(c, AT(list, "recursiveReadOnly"), m);
}

static void check_mounts(struct pod_check *c, const struct path *at,
			 const struct core_container *ctr)
{
	struct str_set points CLEANUP_STR_SET = {0};

	for (size_t i = 0; i < ctr->volume_mounts.n; i++) {
		const struct core_volume_mount *m = &ctr->volume_mounts.p[i];
		const struct path *item = AT_INDEX(at, i);
		const struct core_volume *v;

		if (!str_set_has(&c->volumes, m->name)) {
			field_not_found(c->errs, AT(item, "name"), field_str(m->name));
		}
		if (!str_set_add(&points, m->mount_path)) {
			field_invalid(c->errs, AT(item, "mountPath"), field_str(m->mount_path),
				      "must be unique");
		}
		if (has_device(ctr, m->name, STR(""))) {
			field_invalid(c->errs, AT(item, "name"), field_str(m->name),
				      "must not already exist in volumeDevices");
		}
		if (has_device(ctr, STR(""), m->mount_path)) {
			field_invalid(c->errs, AT(item, "mountPath"), field_str(m->mount_path),
				      "must not already exist as a path in volumeDevices");
		}
		v = m->sub_path.n || m->sub_path_expr.n ? find_volume(c->spec, m->name) : NULL;
		if (v && v->image) {
			field_invalid(c->errs,
				      m->sub_path.n ? AT(item, "subPath") : AT(item, "subPathExpr"),
				      field_str(m->sub_path.n ? m->sub_path : m->sub_path_expr),
				      "not allowed in image volume sources");
		}
		check_mount_options(c, at, item, ctr, m);
	}
}

static void check_devices(struct pod_check *c, const struct path *at,
			  const struct core_container *ctr)
{
	struct str_set names CLEANUP_STR_SET = {0};
	struct str_set paths CLEANUP_STR_SET = {0};

	for (size_t i = 0; i < ctr->volume_devices.n; i++) {
		const struct core_volume_device *d = &ctr->volume_devices.p[i];
		const struct path *item = AT_INDEX(at, i);
		const struct core_volume *v = find_volume(c->spec, d->name);

		if (!str_set_add(&names, d->name)) {
			field_invalid(c->errs, AT(item, "name"), field_str(d->name),
				      "must be unique");
		}
		if (v && !v->persistent_volume_claim && !v->ephemeral) {
			field_invalid(c->errs, AT(item, "name"), field_str(d->name),
				      "can only use volume source type of PersistentVolumeClaim or "
				      "Ephemeral for block "
				      "mode");
		}
		if (!str_set_has(&c->volumes, d->name)) {
			field_not_found(c->errs, AT(item, "name"), field_str(d->name));
		}
		if (!str_set_add(&paths, d->device_path)) {
			field_invalid(c->errs, AT(item, "devicePath"), field_str(d->device_path),
				      "must be unique");
		}
		check_no_backsteps(c->errs, AT(item, "devicePath"), d->device_path);
	}
}

static void check_resize_policy(struct pod_check *c, const struct path *at,
				const struct core_container *ctr)
{
	static const char *const resources[] = {"cpu", "memory", NULL};
	static const char *const policies[] = {"NotRequired", "RestartContainer", NULL};
	struct str_set seen CLEANUP_STR_SET = {0};

	for (size_t i = 0; i < ctr->resize_policy.n; i++) {
		const struct core_container_resize_policy *p = &ctr->resize_policy.p[i];

		if (!str_set_add(&seen, p->resource_name)) {
			field_duplicate(c->errs, AT_INDEX(at, i), field_str(p->resource_name));
		}
		if (p->resource_name.n) {
			check_one_of(c->errs, at, &p->resource_name, resources);
		}
		if (p->restart_policy.n) {
			check_one_of(c->errs, at, &p->restart_policy, policies);
		}
		if (str_is(c->spec->restart_policy, "Never") &&
		    !str_is(p->restart_policy, "NotRequired")) {
			field_invalid(c->errs, at, field_str(p->restart_policy),
				      "must be 'NotRequired' when `restartPolicy` is 'Never'");
		}
	}
}

static void check_restart_policy(struct pod_check *c, const struct path *at,
				 const struct core_container *ctr)
{
	static const char *const policies[] = {"Always", "Never", "OnFailure", NULL};

	check_one_of(c->errs, AT(at, "restartPolicy"), ctr->restart_policy, policies);
	if (ctr->restart_policy_rules.n && !ctr->restart_policy) {
		field_required(c->errs, AT(at, "restartPolicy"),
			       "must specify restartPolicy when restart rules are used");
	}
}

static void check_container(struct pod_check *c, const struct path *at,
			    const struct core_container *ctr)
{
	if (ctr->name.n) {
		check_name(c->errs, AT(at, "name"), ctr->name, dns_label_faults);
	}
	if (!ctr->image.n) {
		field_required(c->errs, AT(at, "image"), NULL);
	} else if (c->is_pod && str_trim(ctr->image).n != ctr->image.n) {
		field_invalid(c->errs, AT(at, "image"), field_str(ctr->image),
			      "must not have leading or trailing whitespace");
	}
	check_ports(c, AT(at, "ports"), ctr);
	pod_check_env(c, at, ctr);
	check_mounts(c, AT(at, "volumeMounts"), ctr);
	check_devices(c, AT(at, "volumeDevices"), ctr);
	validate_resource_requirements(c->errs, AT(at, "resources"), &ctr->resources, c->spec,
				       false);
	check_resize_policy(c, AT(at, "resizePolicy"), ctr);
	check_restart_policy(c, at, ctr);
	if (ctr->security_context) {
		pod_check_container_security(c, AT(at, "securityContext"), ctr->security_context);
	}
}

/* What runs beside the others: probes and hooks. */
static void check_long_running(struct pod_check *c, const struct path *at,
			       const struct core_container *ctr)
{
	pod_check_lifecycle(c, AT(at, "lifecycle"), ctr->lifecycle);
	pod_check_probe(c, AT(at, "livenessProbe"), ctr->liveness_probe, PROBE_LIVENESS);
	pod_check_probe(c, AT(at, "readinessProbe"), ctr->readiness_probe, PROBE_READINESS);
	pod_check_probe(c, AT(at, "startupProbe"), ctr->startup_probe, PROBE_STARTUP);
}

/* Two containers that run at once cannot listen on one port of the node. */
static void check_host_ports(struct pod_check *c, const struct path *at, size_t index,
			     const struct core_container *ctr, struct str_set *taken)
{
	const struct path *ports = AT(AT_INDEX(at, index), "ports");

	for (size_t i = 0; i < ctr->ports.n; i++) {
		const struct core_container_port *p = &ctr->ports.p[i];
		struct str key;

		if (p->host_port == 0) {
			continue;
		}
		key = arena_printf(c->errs->arena, "%.*s/%.*s/%d", STR_ARG(p->protocol),
				   STR_ARG(p->host_ip), p->host_port);
		if (!str_set_add(taken, key)) {
			field_duplicate(c->errs, AT(AT_INDEX(ports, i), "hostPort"),
					field_str(key));
		}
	}
}

void pod_check_containers(struct pod_check *c, const struct path *at)
{
	struct str_set names CLEANUP_STR_SET = {0};
	struct str_set host_ports CLEANUP_STR_SET = {0};

	if (!c->spec->containers.n) {
		field_required(c->errs, at, NULL);
	}
	for (size_t i = 0; i < c->spec->containers.n; i++) {
		const struct core_container *ctr = &c->spec->containers.p[i];
		const struct path *item = AT_INDEX(at, i);

		check_container(c, item, ctr);
		if (!str_set_add(&names, ctr->name)) {
			field_duplicate(c->errs, AT(item, "name"), field_str(ctr->name));
		}
		check_long_running(c, item, ctr);
		check_host_ports(c, at, i, ctr, &host_ports);
	}
}

static void check_short_running(struct pod_check *c, const struct path *at,
				const struct core_container *ctr)
{
	static const char text[] =
		"may not be set for init containers without restartPolicy=Always";

	if (ctr->lifecycle) {
		field_forbidden(c->errs, AT(at, "lifecycle"), "%s", text);
	}
	if (ctr->liveness_probe) {
		field_forbidden(c->errs, AT(at, "livenessProbe"), "%s", text);
	}
	if (ctr->readiness_probe) {
		field_forbidden(c->errs, AT(at, "readinessProbe"), "%s", text);
	}
	if (ctr->startup_probe) {
		field_forbidden(c->errs, AT(at, "startupProbe"), "%s", text);
	}
}

void pod_check_init_containers(struct pod_check *c, const struct path *at)
{
	struct str_set names CLEANUP_STR_SET = {0};

	for (size_t i = 0; i < c->spec->containers.n; i++) {
		str_set_add(&names, c->spec->containers.p[i].name);
	}
	for (size_t i = 0; i < c->spec->init_containers.n; i++) {
		const struct core_container *ctr = &c->spec->init_containers.p[i];
		const struct path *item = AT_INDEX(at, i);
		struct str_set host_ports CLEANUP_STR_SET = {0};

		check_container(c, item, ctr);
		if (ctr->name.n && !str_set_add(&names, ctr->name)) {
			field_duplicate(c->errs, AT(item, "name"), field_str(ctr->name));
		}
		/* They run one by one: only ports within one of them collide. */
		check_host_ports(c, at, i, ctr, &host_ports);
		if (container_is_sidecar(ctr)) {
			check_long_running(c, item, ctr);
		} else {
			check_short_running(c, item, ctr);
		}
	}
}
