/* SPDX-License-Identifier: Apache-2.0 */
#include "base/cleanup.h"
#include "kubelet/kubelet_internal.h"
#include "linux/caps.h"
#include "linux/file.h"
#include "object/quantity.h"
#include "rules/pod.h"
#include "rules/resources.h"

enum { OOM_GUARANTEED = -997, OOM_BEST_EFFORT = 1000 };

static int field_value(struct arena *a, const struct pod_worker *w, struct str path,
		       struct str *ret, struct err *err)
{
	const struct core_pod *pod = worker_pod(w);
	const struct {
		const char *path;
		struct str value;
	} fields[] = {
		{"metadata.name", pod->metadata.name},
		{"metadata.namespace", pod->metadata.namespace},
		{"metadata.uid", pod->metadata.uid},
		{"spec.nodeName", pod->spec.node_name},
		{"spec.serviceAccountName", pod->spec.service_account_name},
		{"status.hostIP", w->k->config.node_ip},
		{"status.hostIPs", w->k->config.node_ip},
		{"status.podIP", str_of(w->ip)},
		{"status.podIPs", str_of(w->ip)},
	};
	const struct {
		const char *prefix;
		const struct str_map *map;
	} maps[] = {{"metadata.labels['", &pod->metadata.labels},
		    {"metadata.annotations['", &pod->metadata.annotations}};

	for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
		if (str_eq(path, str_of(fields[i].path))) {
			*ret = fields[i].value;
			return 0;
		}
	}
	for (size_t i = 0; i < ARRAY_LEN(maps); i++) {
		struct str prefix = str_of(maps[i].prefix);

		if (str_has_prefix(path, prefix) && str_has_suffix(path, STR("']"))) {
			struct str key = str_sub(path, prefix.n, path.n - prefix.n - 2);

			*ret = STR("");
			for (size_t j = 0; j < maps[i].map->n; j++) {
				if (str_eq(maps[i].map->p[j].key, key)) {
					*ret = maps[i].map->p[j].value;
				}
			}
			return 0;
		}
	}
	(void)a;
	return err_set(err, ERR_UNSUPPORTED, "fieldRef %.*s is not supported", STR_ARG(path));
}

static int add_env(struct container_build *b, struct pod_container *c,
		   const struct core_container *spec, struct err *err)
{
	struct env_list vars = {.p = ARENA_ARRAY(&b->arena, spec->env.n + 2, struct runtime_pair)};

	vars.p[vars.n++] = (struct runtime_pair){STR("HOSTNAME"),
						 str_sub(worker_pod(c->w)->spec.hostname.n
								 ? worker_pod(c->w)->spec.hostname
								 : worker_pod(c->w)->metadata.name,
							 0, 63)};
	for (size_t i = 0; i < spec->env.n; i++) {
		const struct core_env_var *v = &spec->env.p[i];
		struct str value = env_expand(&b->arena, v->value, &vars);

		if (v->value_from && v->value_from->field_ref) {
			int r = field_value(&b->arena, c->w, v->value_from->field_ref->field_path,
					    &value, err);

			if (r < 0) {
				return r;
			}
		} else if (v->value_from) {
			return err_set(
				err, ERR_UNSUPPORTED,
				"variable %.*s: this valueFrom is not supported by this node yet",
				STR_ARG(v->name));
		}
		vars.p[vars.n++] = (struct runtime_pair){v->name, value};
	}
	b->spec.env = (struct runtime_pairs){vars.p, vars.n};
	return 0;
}

static struct runtime_strings expand_all(struct container_build *b, const struct str_list *list)
{
	struct env_list vars = {(struct runtime_pair *)(uintptr_t)b->spec.env.p, b->spec.env.n};
	struct str *p = ARENA_ARRAY(&b->arena, list->n, struct str);

	for (size_t i = 0; i < list->n; i++) {
		p[i] = env_expand(&b->arena, list->p[i], &vars);
	}
	return (struct runtime_strings){p, list->n};
}

static int add_mounts(struct container_build *b, struct pod_container *c,
		      const struct core_container *spec, struct err *err)
{
	static const char *const files[] = {"hosts", "resolv.conf", "hostname"};
	struct runtime_mount *m = ARENA_ARRAY(&b->arena, spec->volume_mounts.n + ARRAY_LEN(files),
					      struct runtime_mount);
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		m[n++] = (struct runtime_mount){
			.host_path = arena_printf(&b->arena, "%s/etc/%s",
						  pod_dir(&b->arena, c->w).p, files[i]),
			.container_path = arena_printf(&b->arena, "/etc/%s", files[i]),
		};
	}
	for (size_t i = 0; i < spec->volume_mounts.n; i++) {
		const struct core_volume_mount *v = &spec->volume_mounts.p[i];
		struct runtime_mount *to = &m[n++];
		int r;

		if (v->sub_path.n || v->sub_path_expr.n) {
			return err_set(
				err, ERR_UNSUPPORTED,
				"volume mount %.*s: subPath is not supported by this node yet",
				STR_ARG(v->name));
		}
		if (v->mount_propagation && !str_is(*v->mount_propagation, "None")) {
			return err_set(err, ERR_UNSUPPORTED,
				       "volume mount %.*s: mountPropagation is not supported by "
				       "this node yet",
				       STR_ARG(v->name));
		}
		to->container_path = v->mount_path;
		to->read_only = v->read_only;
		r = volume_find(&b->arena, c->w, v->name, &to->host_path, err);
		if (r < 0) {
			return r;
		}
	}
	b->spec.mounts = m;
	b->spec.n_mounts = n;
	return 0;
}

static void add_resources(struct container_build *b, const struct core_container *spec)
{
	const struct quantity *cpu = resource_find(&spec->resources.requests, STR("cpu"));
	const struct quantity *cpu_limit = resource_find(&spec->resources.limits, STR("cpu"));
	const struct quantity *memory_limit = resource_find(&spec->resources.limits, STR("memory"));

	b->spec.limits.cpu_shares =
		cgroup_shares_of_milli_cpu(cpu	       ? quantity_milli_value(*cpu)
					   : cpu_limit ? quantity_milli_value(*cpu_limit)
						       : 0);
	if (cpu_limit) {
		b->spec.limits.cpu_quota_us =
			cgroup_quota_of_milli_cpu(quantity_milli_value(*cpu_limit), 100000);
	}
	if (memory_limit) {
		b->spec.limits.memory_bytes = quantity_value(*memory_limit);
	}
}

/* 1000 - 1000 * request / memory of the node, never as low as guaranteed pods nor as high as best-effort ones. */
static int oom_score(const struct pod_container *c, const struct core_container *spec)
{
	struct str qos = pod_compute_qos(&worker_pod(c->w)->spec);
	int64_t request = quantity_value(resource_get(&spec->resources.requests, STR("memory")));
	int64_t score = 1000 - request / MAX(c->w->k->config.memory_bytes / 1000, (int64_t)1);

	if (str_is(qos, "Guaranteed")) {
		return OOM_GUARANTEED;
	}
	return str_is(qos, "BestEffort") ? OOM_BEST_EFFORT
					 : (int)MIN(MAX(score, (int64_t)3), (int64_t)999);
}

static void add_groups(struct container_build *b, const struct core_pod_security_context *pod)
{
	int64_t *groups = ARENA_ARRAY(&b->arena, pod->supplemental_groups.n + 1, int64_t);
	size_t n = 0;

	for (; n < pod->supplemental_groups.n; n++) {
		groups[n] = pod->supplemental_groups.p[n];
	}
	if (pod->fs_group) {
		groups[n++] = *pod->fs_group;
	}
	b->spec.supplemental_groups = groups;
	b->spec.n_supplemental_groups = n;
}

static int set_seccomp(struct container_build *b, const struct core_seccomp_profile *profile,
		       struct err *err)
{
	if (!profile || str_is(profile->type, "Unconfined")) {
		b->spec.seccomp = SECCOMP_UNCONFINED;
	} else if (str_is(profile->type, "RuntimeDefault")) {
		b->spec.seccomp = SECCOMP_RUNTIME_DEFAULT;
	} else {
		return err_set(err, ERR_UNSUPPORTED,
			       "seccompProfile of type %.*s is not supported by this node yet",
			       STR_ARG(profile->type));
	}
	return 0;
}

static int add_security(struct container_build *b, const struct pod_container *c,
			const struct core_container *spec, struct err *err)
{
	static const struct core_pod_security_context no_pod;
	static const struct core_security_context none;
	const struct core_pod *p = worker_pod(c->w);
	const struct core_pod_security_context *pod =
		p->spec.security_context ? p->spec.security_context : &no_pod;
	const struct core_security_context *sc =
		spec->security_context ? spec->security_context : &none;
	const int64_t *user = sc->run_as_user ? sc->run_as_user : pod->run_as_user;
	const int64_t *group = sc->run_as_group ? sc->run_as_group : pod->run_as_group;
	const bool *non_root = sc->run_as_non_root ? sc->run_as_non_root : pod->run_as_non_root;

	if (non_root && *non_root && user && *user == 0) {
		return err_set(err, ERR_INVALID,
			       "container's runAsUser breaks non-root policy (pod: "
			       "\"%.*s_%.*s(%s)\", container: %s)",
			       STR_ARG(p->metadata.name), STR_ARG(p->metadata.namespace), c->w->uid,
			       c->name);
	}
	if (non_root && *non_root && !user) {
		return err_set(err, ERR_UNSUPPORTED,
			       "runAsNonRoot without runAsUser is not supported by this node yet: "
			       "set runAsUser");
	}
	b->spec.run_as_user = user ? *user : RUNTIME_ID_UNSET;
	b->spec.run_as_group = group ? *group : RUNTIME_ID_UNSET;
	b->spec.privileged = sc->privileged && *sc->privileged;
	b->spec.read_only_rootfs = sc->read_only_root_filesystem && *sc->read_only_root_filesystem;
	b->spec.no_new_privileges =
		sc->allow_privilege_escalation && !*sc->allow_privilege_escalation;
	b->spec.unmasked_proc = sc->proc_mount && str_is(*sc->proc_mount, "Unmasked");
	if (sc->capabilities) {
		b->spec.capabilities_add =
			(struct runtime_strings){sc->capabilities->add.p, sc->capabilities->add.n};
		b->spec.capabilities_drop = (struct runtime_strings){sc->capabilities->drop.p,
								     sc->capabilities->drop.n};
	}
	add_groups(b, pod);
	return set_seccomp(b, sc->seccomp_profile ? sc->seccomp_profile : pod->seccomp_profile,
			   err);
}

int container_build(struct pod_container *c, uint32_t attempt, struct container_build *b,
		    struct err *err)
{
	const struct core_container *spec = container_spec_of(c);
	int r;

	b->spec = (struct container_spec){
		.sandbox_id = arena_str(&b->arena, str_of(c->w->sandbox)),
		.name = str_of(c->name),
		.attempt = attempt,
		.image_id = arena_str(&b->arena, str_of(c->image_id)),
		.image_name = spec->image,
		.working_dir = spec->working_dir,
		.log_path = container_log_path(&b->arena, c, attempt),
		.stdin = spec->stdin,
		.stdin_once = spec->stdin_once,
		.tty = spec->tty,
		.oom_score_adj = oom_score(c, spec),
	};
	r = add_env(b, c, spec, err);
	if (r == 0) {
		r = add_mounts(b, c, spec, err);
	}
	if (r == 0) {
		r = add_security(b, c, spec, err);
	}
	if (r < 0) {
		return r;
	}
	b->spec.command = expand_all(b, &spec->command);
	b->spec.args = expand_all(b, &spec->args);
	add_resources(b, spec);
	return 0;
}
