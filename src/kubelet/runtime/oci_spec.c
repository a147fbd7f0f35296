/* SPDX-License-Identifier: Apache-2.0 */
#include "kubelet/runtime/oci_spec.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/cleanup.h"
#include "base/vec.h"
#include "codec/json.h"
#include "linux/caps.h"
#include "linux/file.h"
#include "linux/syscall_filter.h"

enum { NOFILE = 1048576 };

static const char default_path[] = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

struct runtime_strings oci_spec_args(const struct container_spec *spec,
				     const struct oci_config *image, struct arena *arena)
{
	const struct runtime_strings none = {0};
	const struct runtime_strings entrypoint = {image->entrypoint.p, image->entrypoint.n};
	const struct runtime_strings cmd = {image->cmd.p, image->cmd.n};
	struct runtime_strings first = spec->command.n ? spec->command : entrypoint;
	struct runtime_strings second = spec->args.n ? spec->args : spec->command.n ? none : cmd;
	struct str *all = ARENA_ARRAY(arena, first.n + second.n, struct str);

	for (size_t i = 0; i < first.n; i++) {
		all[i] = first.p[i];
	}
	for (size_t i = 0; i < second.n; i++) {
		all[first.n + i] = second.p[i];
	}
	return (struct runtime_strings){all, first.n + second.n};
}

/* ---- process ---- */

static bool has_env(const struct oci_spec_input *in, struct str key)
{
	for (size_t i = 0; i < in->spec->env.n; i++) {
		if (str_eq(in->spec->env.p[i].key, key)) {
			return true;
		}
	}
	return false;
}

static bool image_has_env(const struct oci_spec_input *in, struct str key)
{
	for (size_t i = 0; i < in->image->env.n; i++) {
		struct str rest = in->image->env.p[i];
		struct str head;

		if (str_cut(&rest, '=', &head) && str_eq(head, key)) {
			return true;
		}
	}
	return false;
}

static void write_env_pair(struct buf *out, struct str key, struct str value)
{
	struct buf text CLEANUP_BUF = {0};

	buf_printf(&text, "%.*s=%.*s", STR_ARG(key), STR_ARG(value));
	buf_add_char(out, ',');
	json_write_string(out, buf_str(&text));
}

/* The image's variables unless overridden, then the spec's; PATH, HOSTNAME and (with a terminal) TERM stand first as defaults. */
static void write_env(const struct oci_spec_input *in, struct buf *out)
{
	struct buf list CLEANUP_BUF = {0};

	if (!has_env(in, STR("PATH")) && !image_has_env(in, STR("PATH"))) {
		write_env_pair(&list, STR("PATH"), str_of(default_path));
	}
	if (in->hostname.n && !has_env(in, STR("HOSTNAME"))) {
		write_env_pair(&list, STR("HOSTNAME"), in->hostname);
	}
	if (in->spec->tty && !has_env(in, STR("TERM"))) {
		write_env_pair(&list, STR("TERM"), STR("xterm"));
	}
	for (size_t i = 0; i < in->image->env.n; i++) {
		struct str value = in->image->env.p[i];
		struct str key;

		if (str_cut(&value, '=', &key) && !has_env(in, key) && !str_is(key, "HOSTNAME")) {
			write_env_pair(&list, key, value);
		}
	}
	for (size_t i = 0; i < in->spec->env.n; i++) {
		write_env_pair(&list, in->spec->env.p[i].key, in->spec->env.p[i].value);
	}
	buf_puts(out, ",\"env\":[");
	buf_add_str(out, str_from(buf_str(&list), 1));
	buf_add_char(out, ']');
}

static int change_caps(struct runtime_strings names, bool add, uint64_t *mask, struct err *err)
{
	for (size_t i = 0; i < names.n; i++) {
		uint64_t bits;

		if (caps_parse(names.p[i], &bits) < 0) {
			return err_set(err, ERR_INVALID, "unknown capability \"%.*s\"",
				       STR_ARG(names.p[i]));
		}
		*mask = add ? *mask | bits : *mask & ~bits;
	}
	return 0;
}

static bool lists_all(struct runtime_strings names)
{
	for (size_t i = 0; i < names.n; i++) {
		if (str_eq_nocase(names.p[i], STR("ALL"))) {
			return true;
		}
	}
	return false;
}

/* Drops, then adds, so that "drop ALL, add X" leaves X; "add ALL, drop X" leaves all but X. */
static int container_caps(const struct container_spec *spec, uint64_t *ret, struct err *err)
{
	uint64_t mask = caps_default();
	int r;

	if (spec->privileged) {
		*ret = caps_bounding();
		return 0;
	}
	if (lists_all(spec->capabilities_add)) {
		r = change_caps(spec->capabilities_add, true, &mask, err);
		r = r < 0 ? r : change_caps(spec->capabilities_drop, false, &mask, err);
	} else {
		r = change_caps(spec->capabilities_drop, false, &mask, err);
		r = r < 0 ? r : change_caps(spec->capabilities_add, true, &mask, err);
	}
	if (r == 0) {
		*ret = mask &
		       caps_bounding(); /* asking for more than we may give would not start at all */
	}
	return r;
}

static void write_cap_set(struct buf *out, const char *set, uint64_t mask)
{
	const char *separator = "";

	buf_printf(out, "\"%s\":[", set);
	for (unsigned bit = 0; bit < 64; bit++) {
		if (mask >> bit & 1 && caps_name(bit)) {
			buf_printf(out, "%s\"%s\"", separator, caps_name(bit));
			separator = ",";
		}
	}
	buf_add_char(out, ']');
}

static void write_caps(struct buf *out, uint64_t mask, uint32_t uid)
{
	buf_puts(out, ",\"capabilities\":{");
	write_cap_set(out, "bounding", mask);
	buf_add_char(out, ',');
	/* a user other than root holds none until it runs a set-uid or file-capability program, as under Docker */
	write_cap_set(out, "effective", uid == 0 ? mask : 0);
	buf_add_char(out, ',');
	write_cap_set(out, "permitted", uid == 0 ? mask : 0);
	buf_add_char(out, '}');
}

static void write_user(const struct oci_spec_input *in, struct buf *out)
{
	const struct oci_user *u = in->user;
	const char *separator = "";

	buf_printf(out, ",\"user\":{\"uid\":%u,\"gid\":%u,\"additionalGids\":[", u->uid, u->gid);
	for (size_t i = 0; i < u->n_groups; i++) {
		buf_printf(out, "%s%u", separator, u->groups[i]);
		separator = ",";
	}
	for (size_t i = 0; i < in->spec->n_supplemental_groups; i++) {
		buf_printf(out, "%s%lld", separator, (long long)in->spec->supplemental_groups[i]);
		separator = ",";
	}
	buf_puts(out, "]}");
}

static int write_rlimits(const struct container_spec *spec, struct buf *out, struct err *err)
{
	struct rlimit files = rlimit_clamp(RLIMIT_NOFILE, (struct rlimit){NOFILE, NOFILE});
	bool has_nofile = false;

	buf_puts(out, ",\"rlimits\":[");
	for (size_t i = 0; i < spec->n_rlimits; i++) {
		const struct runtime_rlimit *want = &spec->rlimits[i];
		int resource = rlimit_parse(want->name);
		struct rlimit limit;

		if (resource < 0) {
			return err_set(err, ERR_INVALID, "unknown resource limit \"%.*s\"",
				       STR_ARG(want->name));
		}
		limit = rlimit_clamp(resource, (struct rlimit){want->soft, want->hard});
		has_nofile |= resource == RLIMIT_NOFILE;
		buf_printf(out, "%s{\"type\":\"%s", i ? "," : "",
			   str_has_prefix(want->name, STR("RLIMIT_")) ? "" : "RLIMIT_");
		for (size_t k = 0; k < want->name.n; k++) {
			char c = want->name.p[k];

			buf_add_char(out, c >= 'a' && c <= 'z' ? (char)(c - 32) : c);
		}
		buf_printf(out, "\",\"soft\":%llu,\"hard\":%llu}",
			   (unsigned long long)limit.rlim_cur, (unsigned long long)limit.rlim_max);
	}
	if (!has_nofile) {
		buf_printf(out, "%s{\"type\":\"RLIMIT_NOFILE\",\"soft\":%llu,\"hard\":%llu}",
			   spec->n_rlimits ? "," : "", (unsigned long long)files.rlim_cur,
			   (unsigned long long)files.rlim_max);
	}
	buf_add_char(out, ']');
	return 0;
}

/* Without CAP_SYS_RESOURCE the score can only go up; with it, ours is still the floor: pods must not outlive their node agent. */
static int clamp_oom_score(int want)
{
	struct buf text CLEANUP_BUF = {0};
	int64_t own = 0;

	if (file_read(AT_FDCWD, "/proc/self/oom_score_adj", 64, &text, NULL) < 0 ||
	    str_to_int64(str_trim(buf_str(&text)), &own) < 0) {
		own = 0;
	}
	return MIN(MAX(want, (int)own), 1000);
}

static void write_strings(struct buf *out, struct runtime_strings list)
{
	buf_add_char(out, '[');
	for (size_t i = 0; i < list.n; i++) {
		if (i) {
			buf_add_char(out, ',');
		}
		json_write_string(out, list.p[i]);
	}
	buf_add_char(out, ']');
}

static struct str working_dir(const struct oci_spec_input *in)
{
	struct str dir = in->spec->working_dir.n ? in->spec->working_dir : in->image->working_dir;

	return dir.n ? dir : STR("/");
}

static int write_process(const struct oci_spec_input *in, uint64_t caps, struct buf *out,
			 struct err *err)
{
	struct arena a CLEANUP_ARENA = {0};
	struct runtime_strings args = oci_spec_args(in->spec, in->image, &a);
	struct str dir = working_dir(in);
	int r;

	if (args.n == 0) {
		return err_set(err, ERR_INVALID,
			       "neither the container nor its image says which command to run");
	}
	if (dir.p[0] != '/') {
		return err_set(err, ERR_INVALID,
			       "the working directory %.*s is not an absolute path", STR_ARG(dir));
	}
	buf_printf(out, "\"process\":{\"terminal\":%s,\"args\":", in->spec->tty ? "true" : "false");
	write_strings(out, args);
	write_env(in, out);
	buf_puts(out, ",\"cwd\":");
	json_write_string(out, dir);
	write_user(in, out);
	write_caps(out, caps, in->user->uid);
	r = write_rlimits(in->spec, out, err);
	buf_printf(out, ",\"noNewPrivileges\":%s,\"oomScoreAdj\":%d}",
		   in->spec->no_new_privileges ? "true" : "false",
		   clamp_oom_score(in->spec->oom_score_adj));
	return r;
}

/* ---- mounts ---- */

static void write_own_mounts(const struct oci_spec_input *in, struct buf *out)
{
	const char *sys = in->spec->privileged ? "rw" : "ro";

	buf_puts(out, ",\"mounts\":[{\"destination\":\"/"
		      "proc\",\"type\":\"proc\",\"source\":\"proc\",\"options\":[\"nosuid\","
		      "\"noexec\",\"nodev\"]},"
		      "{\"destination\":\"/"
		      "dev\",\"type\":\"tmpfs\",\"source\":\"tmpfs\",\"options\":[\"nosuid\","
		      "\"strictatime\",\"mode=755\","
		      "\"size=65536k\"]},"
		      "{\"destination\":\"/dev/"
		      "pts\",\"type\":\"devpts\",\"source\":\"devpts\",\"options\":[\"nosuid\","
		      "\"noexec\",\"newinstance\","
		      "\"ptmxmode=0666\",\"mode=0620\",\"gid=5\"]},"
		      "{\"destination\":\"/dev/"
		      "mqueue\",\"type\":\"mqueue\",\"source\":\"mqueue\",\"options\":[\"nosuid\","
		      "\"noexec\",\"nodev\"]}");
	buf_printf(out,
		   ",{\"destination\":\"/"
		   "sys\",\"type\":\"sysfs\",\"source\":\"sysfs\",\"options\":[\"nosuid\","
		   "\"noexec\",\"nodev\",\"%s\"]}"
		   ",{\"destination\":\"/sys/fs/cgroup\",\"type\":\"cgroup\",\"source\":\"cgroup\","
		   "\"options\":[\"nosuid\",\"noexec\",\"nodev\",\"relatime\",\"%s\"]}",
		   sys, sys);
	if (in->shm_dir.n) {
		buf_puts(out, ",{\"destination\":\"/dev/shm\",\"type\":\"bind\",\"source\":");
		json_write_string(out, in->shm_dir);
		buf_puts(out, ",\"options\":[\"bind\",\"nosuid\",\"noexec\",\"nodev\"]}");
	}
}

static int write_mounts(const struct oci_spec_input *in, struct buf *out, struct err *err)
{
	static const char *const propagation[] = {
		[PROPAGATION_PRIVATE] = "rprivate",
		[PROPAGATION_HOST_TO_CONTAINER] = "rslave",
		[PROPAGATION_BIDIRECTIONAL] = "rshared",
	};

	write_own_mounts(in, out);
	for (size_t i = 0; i < in->spec->n_mounts; i++) {
		const struct runtime_mount *m = &in->spec->mounts[i];

		if (m->container_path.n == 0 || m->container_path.p[0] != '/' ||
		    m->host_path.n == 0 || m->host_path.p[0] != '/') {
			return err_set(err, ERR_INVALID,
				       "mount of %.*s at \"%.*s\": both must be absolute paths",
				       STR_ARG(m->host_path), STR_ARG(m->container_path));
		}
		buf_puts(out, ",{\"destination\":");
		json_write_string(out, m->container_path);
		buf_puts(out, ",\"type\":\"bind\",\"source\":");
		json_write_string(out, m->host_path);
		buf_printf(out, ",\"options\":[\"rbind\",\"%s\",\"%s\"]}",
			   propagation[m->propagation],
			   m->recursive_read_only ? "rro"
			   : m->read_only	  ? "ro"
						  : "rw");
	}
	buf_add_char(out, ']');
	return 0;
}

/* ---- devices ---- */

static int write_device(struct buf *out, const char *host_path, struct str container_path,
			bool first, struct err *err)
{
	struct stat st;

	if (stat(host_path, &st) < 0 || (!S_ISCHR(st.st_mode) && !S_ISBLK(st.st_mode))) {
		return err_set(err, ERR_NOT_FOUND, "%s is no device of this node", host_path);
	}
	buf_printf(out, "%s{\"path\":", first ? "" : ",");
	json_write_string(out, container_path);
	buf_printf(
		out,
		",\"type\":\"%c\",\"major\":%u,\"minor\":%u,\"fileMode\":%u,\"uid\":%u,\"gid\":%u}",
		S_ISCHR(st.st_mode) ? 'c' : 'b', major(st.st_rdev), minor(st.st_rdev),
		st.st_mode & 0777, st.st_uid, st.st_gid);
	return 0;
}

/* A privileged container sees the node's devices; what crun makes itself and what belongs to terminals is left out. */
static int write_all_devices(struct buf *out, struct err *err)
{
	static const char *const own[] = {"null", "zero",    "full", "random", "urandom", "tty",
					  "ptmx", "console", "pts",  "shm",    "mqueue"};
	struct dir_names names CLEANUP_DIR_NAMES = {0};
	struct arena a CLEANUP_ARENA = {0};
	bool first = true;
	int r = dir_list("/dev", &names, err);

	for (size_t i = 0; r == 0 && i < names.n; i++) {
		const char *path = arena_printf(&a, "/dev/%s", names.p[i]).p;
		struct stat st;
		bool skip = lstat(path, &st) < 0 || (!S_ISCHR(st.st_mode) && !S_ISBLK(st.st_mode));

		for (size_t k = 0; k < ARRAY_LEN(own); k++) {
			skip |= strcmp(names.p[i], own[k]) == 0;
		}
		if (!skip) {
			r = write_device(out, path, str_of(path), first, err);
			first = false;
		}
	}
	return r;
}

static int write_devices(const struct container_spec *spec, struct buf *out, struct err *err)
{
	struct arena a CLEANUP_ARENA = {0};
	int r = 0;

	buf_puts(out, ",\"devices\":[");
	if (spec->privileged) {
		r = write_all_devices(out, err);
	}
	for (size_t i = 0; r == 0 && !spec->privileged && i < spec->n_devices; i++) {
		r = write_device(out, arena_cstr(&a, spec->devices[i].host_path),
				 spec->devices[i].container_path, i == 0, err);
	}
	buf_add_char(out, ']');
	return r;
}

static void write_device_rules(const struct container_spec *spec, struct buf *out)
{
	struct arena a CLEANUP_ARENA = {0};

	if (spec->privileged) {
		buf_puts(out, "\"devices\":[{\"allow\":true,\"access\":\"rwm\"}]");
		return;
	}
	buf_puts(out, "\"devices\":[{\"allow\":false,\"access\":\"rwm\"}");
	for (size_t i = 0; i < spec->n_devices; i++) {
		struct str access = spec->devices[i].permissions;
		struct stat st;

		if (stat(arena_cstr(&a, spec->devices[i].host_path), &st) == 0) {
			buf_printf(out,
				   ",{\"allow\":true,\"type\":\"%c\",\"major\":%u,\"minor\":%u,"
				   "\"access\":",
				   S_ISCHR(st.st_mode) ? 'c' : 'b', major(st.st_rdev),
				   minor(st.st_rdev));
			json_write_string(out, access.n ? access : STR("rwm"));
			buf_add_char(out, '}');
		}
	}
	buf_add_char(out, ']');
}

/* ---- linux ---- */

static void write_resources(const struct container_spec *spec, struct buf *out)
{
	const struct cgroup_limits *l = &spec->limits;

	buf_puts(out, ",\"resources\":{");
	write_device_rules(spec, out);
	if (l->memory_bytes) {
		/* swap equal to memory: none beyond it */
		buf_printf(out, ",\"memory\":{\"limit\":%lld,\"swap\":%lld}",
			   (long long)l->memory_bytes, (long long)l->memory_bytes);
	}
	if (l->pids) {
		buf_printf(out, ",\"pids\":{\"limit\":%lld}", (long long)l->pids);
	}
	buf_puts(out, ",\"cpu\":{");
	if (l->cpu_shares) {
		buf_printf(out, "\"shares\":%llu", (unsigned long long)l->cpu_shares);
	}
	if (l->cpu_quota_us) {
		buf_printf(out, "%s\"quota\":%lld,\"period\":%llu", l->cpu_shares ? "," : "",
			   (long long)l->cpu_quota_us,
			   (unsigned long long)(l->cpu_period_us ? l->cpu_period_us : 100000));
	}
	buf_puts(out, "}}");
}

static void write_namespace(struct buf *out, const char *type, struct str path)
{
	buf_printf(out, ",{\"type\":\"%s\",\"path\":", type);
	json_write_string(out, path);
	buf_add_char(out, '}');
}

static void write_namespaces(const struct oci_spec_input *in, struct buf *out)
{
	buf_puts(out, "\"namespaces\":[{\"type\":\"mount\"}");
	if (!in->host_pid) {
		buf_puts(out, ",{\"type\":\"pid\"}");
	}
	if (in->cgroup_v2) {
		buf_puts(out, ",{\"type\":\"cgroup\"}");
	}
	if (in->net_ns.n) {
		write_namespace(out, "network", in->net_ns);
	}
	if (in->ipc_ns.n) {
		write_namespace(out, "ipc", in->ipc_ns);
	}
	if (in->uts_ns.n) {
		write_namespace(out, "uts", in->uts_ns);
	}
	buf_add_char(out, ']');
}

static void write_masks(struct buf *out)
{
	buf_puts(out, ",\"maskedPaths\":[\"/proc/asound\",\"/proc/acpi\",\"/proc/interrupts\",\"/"
		      "proc/kcore\",\"/proc/keys\","
		      "\"/proc/latency_stats\",\"/proc/timer_list\",\"/proc/timer_stats\",\"/proc/"
		      "sched_debug\",\"/proc/scsi\","
		      "\"/sys/firmware\",\"/sys/devices/virtual/powercap\"]"
		      ",\"readonlyPaths\":[\"/proc/bus\",\"/proc/fs\",\"/proc/irq\",\"/proc/"
		      "sys\",\"/proc/sysrq-trigger\"]");
}

static int write_seccomp(const struct container_spec *spec, uint64_t caps, struct buf *out,
			 struct err *err)
{
	struct arena a CLEANUP_ARENA = {0};
	struct json_value profile;

	if (spec->privileged || spec->seccomp == SECCOMP_UNCONFINED) {
		return 0;
	}
	buf_puts(out, ",\"seccomp\":");
	if (spec->seccomp == SECCOMP_RUNTIME_DEFAULT) {
		syscall_filter_write_default(out, caps);
		return 0;
	}
	if (json_parse(&a, spec->seccomp_profile, NULL, &profile, err) < 0 ||
	    profile.kind != JSON_OBJECT) {
		return err_set(err, ERR_INVALID, "the seccomp profile is no JSON object");
	}
	json_write_value(out, &profile, false);
	return 0;
}

static int write_linux(const struct oci_spec_input *in, uint64_t caps, struct buf *out,
		       struct err *err)
{
	bool bidirectional = false;
	int r;

	for (size_t i = 0; i < in->spec->n_mounts; i++) {
		bidirectional |= in->spec->mounts[i].propagation == PROPAGATION_BIDIRECTIONAL;
	}
	buf_puts(out, ",\"linux\":{");
	write_namespaces(in, out);
	buf_puts(out, ",\"cgroupsPath\":");
	json_write_string(out, in->cgroup_path);
	/* what a volume driver in a container mounts reaches the node only through a shared root */
	buf_printf(out, ",\"rootfsPropagation\":\"%s\"", bidirectional ? "rshared" : "rslave");
	write_resources(in->spec, out);
	r = write_devices(in->spec, out, err);
	if (r == 0) {
		r = write_seccomp(in->spec, caps, out, err);
	}
	if (!in->spec->privileged && !in->spec->unmasked_proc) {
		write_masks(out);
	}
	buf_add_char(out, '}');
	return r;
}

int oci_spec_write(const struct oci_spec_input *in, struct buf *out, struct err *err)
{
	uint64_t caps = 0;
	int r = container_caps(in->spec, &caps, err);

	if (r < 0) {
		return r;
	}
	buf_puts(out, "{\"ociVersion\":\"1.0.2\",");
	r = write_process(in, caps, out, err);
	buf_printf(out, ",\"root\":{\"path\":\"rootfs\",\"readonly\":%s}",
		   in->spec->read_only_rootfs ? "true" : "false");
	if (r == 0) {
		r = write_mounts(in, out, err);
	}
	buf_puts(out, ",\"annotations\":{");
	for (size_t i = 0; i < in->spec->annotations.n; i++) {
		if (i) {
			buf_add_char(out, ',');
		}
		json_write_string(out, in->spec->annotations.p[i].key);
		buf_add_char(out, ':');
		json_write_string(out, in->spec->annotations.p[i].value);
	}
	buf_add_char(out, '}');
	if (r == 0) {
		r = write_linux(in, caps, out, err);
	}
	buf_add_char(out, '}');
	return r;
}

int oci_spec_exec(struct str config_json, struct runtime_strings command, bool tty, struct buf *out,
		  struct err *err)
{
	struct arena a CLEANUP_ARENA = {0};
	struct json_value doc;
	struct json_value args = json_make(JSON_ARRAY);
	struct json_value *process;
	int r = json_parse(&a, config_json, NULL, &doc, err);

	if (r < 0) {
		return r;
	}
	process = json_get(&doc, STR("process"));
	if (!process || process->kind != JSON_OBJECT || command.n == 0) {
		return err_set(err, ERR_INVALID,
			       command.n ? "config.json has no process"
					 : "there is no command to run");
	}
	for (size_t i = 0; i < command.n; i++) {
		json_insert(&a, &args, i, json_make_string(command.p[i]));
	}
	json_set(&a, process, STR("args"), args);
	json_set(&a, process, STR("terminal"), json_make_bool(tty));
	json_write_value(out, process, false);
	return 0;
}

int oci_spec_signal(struct str name)
{
	int64_t number;

	if (str_to_int64(name, &number) == 0 && number > 0 && number <= SIGRTMAX) {
		return (int)number;
	}
	if (str_has_prefix(name, STR("SIG"))) {
		name = str_from(name, 3);
	}
	if (str_has_prefix(name, STR("RTMIN+")) && str_to_int64(str_from(name, 6), &number) == 0 &&
	    number >= 0 && SIGRTMIN + number <= SIGRTMAX) {
		return SIGRTMIN + (int)number;
	}
	for (int sig = 1; sig < 32; sig++) {
		const char *abbrev = sigabbrev_np(sig);

		if (abbrev && str_eq(str_of(abbrev), name)) {
			return sig;
		}
	}
	return SIGTERM;
}
