/* SPDX-License-Identifier: Apache-2.0 */
/* Security contexts of the pod and of its containers, and what host namespaces exclude. */
#include "rules/pod_spec_internal.h"

enum { SYSCTL_NAME_MAX = 253, APPARMOR_PROFILE_MAX = 4095 };

static void check_seccomp(struct pod_check *c, const struct path *at,
			  const struct core_seccomp_profile *p)
{
	const struct path *place = AT(at, "localhostProfile");

	if (!p) {
		return;
	}
	if (!str_is(p->type, "Localhost")) {
		if (p->localhost_profile) {
			field_invalid(c->errs, place,
				      value_json(c->errs, &type_core_seccomp_profile, p),
				      "can only be set when seccomp type is Localhost");
		}
	} else if (!p->localhost_profile) {
		field_required(c->errs, place, "must be set when seccomp type is Localhost");
	} else {
		check_descending_path(c->errs, place, *p->localhost_profile);
	}
}

static void check_apparmor(struct pod_check *c, const struct path *at,
			   const struct core_app_armor_profile *p)
{
	const struct path *place = AT(at, "localhostProfile");
	struct str trimmed;

	if (!p) {
		return;
	}
	if (!str_is(p->type, "Localhost")) {
		if (p->localhost_profile) {
			field_invalid(c->errs, place, field_str(*p->localhost_profile),
				      "can only be set when AppArmor type is Localhost");
		}
		return;
	}
	if (!p->localhost_profile || !str_trim(*p->localhost_profile).n) {
		field_required(c->errs, place, "must be set when AppArmor type is Localhost");
		return;
	}
	trimmed = str_trim(*p->localhost_profile);
	if (trimmed.n != p->localhost_profile->n) {
		field_invalid(c->errs, place, field_str(*p->localhost_profile),
			      "must not be padded with whitespace");
	}
	if (p->localhost_profile->n > APPARMOR_PROFILE_MAX) {
		field_too_long(c->errs, place, APPARMOR_PROFILE_MAX);
	}
}

/* ([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])? */
static bool is_sysctl_name(struct str s)
{
	bool alnum = false;

	for (size_t i = 0; i < s.n; i++) {
		char ch = s.p[i];
		bool is = (ch >= 'a' && ch <= 'z') || (ch >= '0' && ch <= '9');

		if (ch == '.' || ch == '/') {
			if (!alnum || i == s.n - 1) {
				return false;
			}
		} else if (!is && ((ch != '-' && ch != '_') || i == 0 || s.p[i - 1] == '.' ||
				   s.p[i - 1] == '/')) {
			return false;
		}
		alnum = is;
	}
	return alnum && s.n <= SYSCTL_NAME_MAX;
}

static bool is_ipc_sysctl(struct str s)
{
	return str_has_prefix(s, STR("kernel.shm")) || str_has_prefix(s, STR("kernel.msg")) ||
	       str_has_prefix(s, STR("fs.mqueue.")) || str_is(s, "kernel.sem");
}

static void check_sysctls(struct pod_check *c, const struct path *at,
			  const struct core_pod_security_context *sc)
{
	struct str_set names CLEANUP_STR_SET = {0};

	for (size_t i = 0; i < sc->sysctls.n; i++) {
		struct str name = sc->sysctls.p[i].name;
		const struct path *place = AT(AT_INDEX(at, i), "name");

		if (name.n && !is_sysctl_name(name)) {
			field_invalid(c->errs, place, field_str(name),
				      "must have at most 253 characters and match regex "
				      "^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\\./"
				      "])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$");
		} else if (name.n && !str_set_add(&names, name)) {
			field_duplicate(c->errs, place, field_str(name));
		}
		if (c->spec->host_network && str_has_prefix(name, STR("net."))) {
			field_invalid(c->errs, place, field_str(name),
				      "may not be specified when 'hostNetwork' is true");
		} else if (c->spec->host_ipc && is_ipc_sysctl(name)) {
			field_invalid(c->errs, place, field_str(name),
				      "may not be specified when 'hostIPC' is true");
		}
	}
}

static void check_host_namespaces(struct pod_check *c, const struct path *at)
{
	const struct core_pod_spec *spec = c->spec;

	if (spec->share_process_namespace && *spec->share_process_namespace && spec->host_pid) {
		field_invalid(c->errs, AT(AT(at, "securityContext"), "shareProcessNamespace"),
			      field_bool(true),
			      "ShareProcessNamespace and HostPID cannot both be enabled");
	}
	if (!spec->host_users || *spec->host_users) {
		return;
	}
	if (spec->host_network) {
		field_forbidden(c->errs, AT(at, "hostNetwork"), "when `hostUsers` is false");
	}
	if (spec->host_pid) {
		field_forbidden(c->errs, AT(at, "hostPID"), "when `hostUsers` is false");
	}
	if (spec->host_ipc) {
		field_forbidden(c->errs, AT(at, "hostIPC"), "when `hostUsers` is false");
	}
}

/* A container on the node's network listens on the node's port. In templates 0 stands for that. */
static void check_host_network_ports(struct pod_check *c, const struct path *at)
{
	for (size_t i = 0; c->spec->host_network && i < c->spec->containers.n; i++) {
		const struct core_container *ctr = &c->spec->containers.p[i];
		const struct path *ports = AT(AT_INDEX(AT(at, "containers"), i), "ports");

		for (size_t j = 0; j < ctr->ports.n; j++) {
			const struct core_container_port *p = &ctr->ports.p[j];

			if ((c->is_pod || p->host_port) && p->host_port != p->container_port) {
				field_invalid(
					c->errs, AT(AT_INDEX(ports, j), "hostPort"),
					field_int(p->host_port),
					"must match `containerPort` when `hostNetwork` is true");
			}
		}
	}
}

void pod_check_security(struct pod_check *c, const struct path *at)
{
	static const char *const selinux_policies[] = {"MountOption", "Recursive", NULL};
	const struct core_pod_security_context *sc = c->spec->security_context;
	const struct path *place = AT(at, "securityContext");

	check_host_namespaces(c, at);
	check_host_network_ports(c, at);
	if (!sc) {
		return;
	}
	check_id(c->errs, AT(place, "fsGroup"), sc->fs_group);
	check_id(c->errs, AT(place, "runAsUser"), sc->run_as_user);
	check_id(c->errs, AT(place, "runAsGroup"), sc->run_as_group);
	for (size_t i = 0; i < sc->supplemental_groups.n; i++) {
		check_id(c->errs, AT_INDEX(AT(place, "supplementalGroups"), i),
			 &sc->supplemental_groups.p[i]);
	}
	check_sysctls(c, AT(place, "sysctls"), sc);
	check_seccomp(c, AT(place, "seccompProfile"), sc->seccomp_profile);
	check_apparmor(c, AT(place, "appArmorProfile"), sc->app_armor_profile);
	check_one_of(c->errs, AT(place, "seLinuxChangePolicy"), sc->se_linux_change_policy,
		     selinux_policies);
}

static bool adds_sys_admin(const struct core_security_context *sc)
{
	for (size_t i = 0; sc->capabilities && i < sc->capabilities->add.n; i++) {
		if (str_is(sc->capabilities->add.p[i], "CAP_SYS_ADMIN")) {
			return true;
		}
	}
	return false;
}

void pod_check_container_security(struct pod_check *c, const struct path *at,
				  const struct core_security_context *sc)
{
	bool host_users = !c->spec->host_users || *c->spec->host_users;

	check_id(c->errs, AT(at, "runAsUser"), sc->run_as_user);
	check_id(c->errs, AT(at, "runAsGroup"), sc->run_as_group);
	if (sc->proc_mount && str_is(*sc->proc_mount, "Unmasked") && host_users) {
		field_invalid(c->errs, AT(at, "procMount"), field_str(*sc->proc_mount),
			      "`hostUsers` must be false to use `Unmasked`");
	}
	check_seccomp(c, AT(at, "seccompProfile"), sc->seccomp_profile);
	check_apparmor(c, AT(at, "appArmorProfile"), sc->app_armor_profile);
	if (!sc->allow_privilege_escalation || *sc->allow_privilege_escalation) {
		return;
	}
	if (sc->privileged && *sc->privileged) {
		field_invalid(
			c->errs, at, value_json(c->errs, &type_core_security_context, sc),
			"cannot set `allowPrivilegeEscalation` to false and `privileged` to true");
	}
	if (adds_sys_admin(sc)) {
		field_invalid(c->errs, at, value_json(c->errs, &type_core_security_context, sc),
			      "cannot set `allowPrivilegeEscalation` to false and "
			      "`capabilities.Add` CAP_SYS_ADMIN");
	}
}
