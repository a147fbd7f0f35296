/* SPDX-License-Identifier: Apache-2.0 */
/* Directories and files of a pod on the node: emptyDir, hostPath, /etc/hosts, /etc/hostname, /etc/resolv.conf. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "dns/resolv_conf.h"
#include "kubelet/kubelet_internal.h"
#include "linux/file.h"
#include "linux/mounts.h"
#include "object/quantity.h"

static int check_container(const struct core_container *c, struct err *err)
{
	const char *what = c->liveness_probe	? "livenessProbe"
			   : c->readiness_probe ? "readinessProbe"
			   : c->startup_probe	? "startupProbe"
						: NULL;

	if (c->lifecycle &&
	    (c->lifecycle->post_start || c->lifecycle->pre_stop || c->lifecycle->stop_signal)) {
		what = "lifecycle";
	}
	if (c->env_from.n) {
		what = "envFrom";
	}
	if (c->volume_devices.n) {
		what = "volumeDevices";
	}
	return what ? err_set(err, ERR_UNSUPPORTED,
			      "container %.*s: %s is not supported by this node yet",
			      STR_ARG(c->name), what)
		    : 0;
}

int pod_check_supported(const struct core_pod *pod, struct err *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < pod->spec.init_containers.n; i++) {
		r = check_container(&pod->spec.init_containers.p[i], err);
	}
	for (size_t i = 0; r == 0 && i < pod->spec.containers.n; i++) {
		r = check_container(&pod->spec.containers.p[i], err);
	}
	for (size_t i = 0; r == 0 && i < pod->spec.volumes.n; i++) {
		const struct core_volume *v = &pod->spec.volumes.p[i];

		if (!v->empty_dir && !v->host_path) {
			r = err_set(
				err, ERR_UNSUPPORTED,
				"volume %.*s: this node mounts emptyDir and hostPath only so far",
				STR_ARG(v->name));
		}
	}
	return r;
}

static int check_host_path(const struct core_host_path_volume_source *source, struct err *err)
{
	struct str type = source->type ? *source->type : STR("");
	struct arena a CLEANUP_ARENA = {0};
	const char *path = arena_cstr(&a, source->path);
	struct stat st;
	bool there = stat(path, &st) == 0;
	const struct {
		const char *type;
		mode_t mode;
		const char *what;
	} types[] = {{"Directory", S_IFDIR, "directory"},
		     {"File", S_IFREG, "file"},
		     {"Socket", S_IFSOCK, "socket"},
		     {"CharDevice", S_IFCHR, "character device"},
		     {"BlockDevice", S_IFBLK, "block device"}};

	if (str_is(type, "DirectoryOrCreate")) {
		return there && S_ISDIR(st.st_mode) ? 0 : dir_make(path, 0755, err);
	}
	if (str_is(type, "FileOrCreate")) {
		return there && S_ISREG(st.st_mode) ? 0
						    : file_replace(path, STR(""), 0644, false, err);
	}
	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		if (str_eq(type, str_of(types[i].type)) &&
		    (!there || (st.st_mode & S_IFMT) != types[i].mode)) {
			return err_set(err, ERR_INVALID,
				       "hostPath type check failed: %s is not a %s", path,
				       types[i].what);
		}
	}
	/* Without a type upstream's runtime makes a missing directory. */
	return there ? 0 : dir_make(path, 0755, err);
}

static int make_empty_dir(const struct pod_worker *w, const struct core_volume *v, const char *path,
			  struct err *err)
{
	const struct core_pod_security_context *sc = worker_pod(w)->spec.security_context;
	bool memory = str_is(v->empty_dir->medium, "Memory");
	struct stat st;
	int r = stat(path, &st) == 0 ? 1 : dir_make(path, 0777, err);

	if (r < 0) {
		return r;
	}
	if (memory && !mount_is_point(path)) {
		r = mount_tmpfs(path,
				v->empty_dir->size_limit
					? (uint64_t)quantity_value(*v->empty_dir->size_limit)
					: 0,
				0777, MOUNT_NO_SUID | MOUNT_NO_DEV, err);
	}
	if (r < 0 || (r == 1 && !memory)) {
		return r < 0 ? r : 0;
	}
	if ((sc && sc->fs_group && chown(path, (uid_t)-1, (gid_t)*sc->fs_group) < 0) ||
	    chmod(path, sc && sc->fs_group ? 02777 : 0777) < 0) {
		return err_set_errno(err, errno, "cannot prepare %s", path);
	}
	return 0;
}

int volume_find(struct arena *a, const struct pod_worker *w, struct str name, struct str *ret,
		struct err *err)
{
	const struct core_pod *pod = worker_pod(w);

	for (size_t i = 0; i < pod->spec.volumes.n; i++) {
		const struct core_volume *v = &pod->spec.volumes.p[i];

		if (str_eq(v->name, name)) {
			*ret = v->host_path
				       ? v->host_path->path
				       : arena_printf(a, "%s/volumes/kubernetes.io~empty-dir/%.*s",
						      pod_dir(a, w).p, STR_ARG(name));
			return 0;
		}
	}
	return err_set(err, ERR_NOT_FOUND, "the pod has no volume %.*s", STR_ARG(name));
}

static int write_hosts(struct arena *a, const struct pod_worker *w, const char *dir,
		       struct err *err)
{
	const struct core_pod *pod = worker_pod(w);
	struct buf b CLEANUP_BUF = {0};

	buf_puts(&b, "# Kubernetes-managed hosts file.\n127.0.0.1\tlocalhost\n::1\tlocalhost "
		     "ip6-localhost ip6-loopback\n");
	if (w->ip[0] && !pod->spec.host_network) {
		buf_printf(&b, "%s\t%.*s\n", w->ip,
			   STR_ARG(pod->spec.hostname.n ? pod->spec.hostname : pod->metadata.name));
	}
	for (size_t i = 0; i < pod->spec.host_aliases.n; i++) {
		const struct core_host_alias *h = &pod->spec.host_aliases.p[i];

		buf_add_str(&b, h->ip);
		for (size_t j = 0; j < h->hostnames.n; j++) {
			buf_printf(&b, "\t%.*s", STR_ARG(h->hostnames.p[j]));
		}
		buf_puts(&b, "\n");
	}
	return file_replace(arena_printf(a, "%s/etc/hosts", dir).p, buf_str(&b), 0644, false, err);
}

static int write_resolv_conf(struct arena *a, const struct pod_worker *w, const char *dir,
			     struct err *err)
{
	const struct kubelet_config *config = &w->k->config;
	const struct core_pod *pod = worker_pod(w);
	struct resolv_conf host = {0};
	struct buf text CLEANUP_BUF = {0};
	struct resolv_conf_pod in = {.dns_policy = pod->spec.dns_policy,
				     .host_network = pod->spec.host_network,
				     .ns = pod->metadata.namespace,
				     .config = pod->spec.dns_config,
				     .cluster_dns = config->cluster_dns,
				     .cluster_domain = config->cluster_domain,
				     .host = &host};
	struct str out;
	struct str warning;
	int r = file_read(AT_FDCWD, config->resolv_conf, RESOLV_FILE_MAX, &text, err);

	if (r == 0) {
		r = resolv_conf_parse(a, buf_str(&text), &host);
	}
	if (r == 0) {
		r = resolv_conf_render(a, &in, &out, &warning, err);
	}
	return r < 0 ? r
		     : file_replace(arena_printf(a, "%s/etc/resolv.conf", dir).p, out, 0644, false,
				    err);
}

int volumes_make(struct pod_worker *w, struct err *err)
{
	const struct core_pod *pod = worker_pod(w);
	struct arena a CLEANUP_ARENA = {0};
	const char *dir = pod_dir(&a, w).p;
	struct str host = pod->spec.host_network ? w->k->config.node_name
			  : pod->spec.hostname.n ? pod->spec.hostname
						 : pod->metadata.name;
	int r = dir_make(arena_printf(&a, "%s/etc", dir).p, 0750, err);

	for (size_t i = 0; r == 0 && i < pod->spec.volumes.n; i++) {
		const struct core_volume *v = &pod->spec.volumes.p[i];
		struct str path;

		r = volume_find(&a, w, v->name, &path, err);
		if (r == 0) {
			r = v->host_path ? check_host_path(v->host_path, err)
					 : make_empty_dir(w, v, arena_cstr(&a, path), err);
		}
		if (r < 0) {
			return err_wrap(err, "MountVolume.SetUp failed for volume \"%.*s\"",
					STR_ARG(v->name));
		}
	}
	if (r == 0) {
		r = file_replace(arena_printf(&a, "%s/etc/hostname", dir).p,
				 arena_printf(&a, "%.*s\n", STR_ARG(str_sub(host, 0, 63))), 0644,
				 false, err);
	}
	if (r == 0) {
		r = write_hosts(&a, w, dir, err);
	}
	return r < 0 ? r : write_resolv_conf(&a, w, dir, err);
}
