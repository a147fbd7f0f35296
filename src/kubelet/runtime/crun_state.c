/* SPDX-License-Identifier: Apache-2.0 */
#include "kubelet/runtime/crun_internal.h"

#include <fcntl.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "codec/json.h"
#include "linux/file.h"

enum { STATE_MAX = 4 << 20, STATE_VERSION = 1 };

/* ---- writing ---- */

static void put_str(struct buf *out, const char *key, struct str s)
{
	buf_printf(out, ",\"%s\":", key);
	json_write_string(out, s);
}

static void put_int(struct buf *out, const char *key, int64_t v)
{
	buf_printf(out, ",\"%s\":%lld", key, (long long)v);
}

static void put_pairs(struct buf *out, const char *key, struct runtime_pairs pairs)
{
	buf_printf(out, ",\"%s\":{", key);
	for (size_t i = 0; i < pairs.n; i++) {
		if (i) {
			buf_add_char(out, ',');
		}
		json_write_string(out, pairs.p[i].key);
		buf_add_char(out, ':');
		json_write_string(out, pairs.p[i].value);
	}
	buf_add_char(out, '}');
}

/* Not synced: containers do not survive what an unsynced file does not survive, and a torn one counts as half made. */
static int save(const char *dir, struct buf *text, struct err *err)
{
	struct arena a CLEANUP_ARENA = {0};

	buf_puts(text, "}\n");
	return file_replace(arena_printf(&a, "%s/state.json", dir).p, buf_str(text), 0600, false,
			    err);
}

int crun_sandbox_save(const struct crun *rt, const struct sandbox *s, struct err *err)
{
	struct arena a CLEANUP_ARENA = {0};
	struct buf out CLEANUP_BUF = {0};
	const struct sandbox_status *st = &s->status;

	buf_printf(&out, "{\"version\":%d", STATE_VERSION);
	put_str(&out, "bootId", str_of(rt->boot_id));
	put_str(&out, "podUid", st->pod_uid);
	put_str(&out, "podNamespace", st->pod_namespace);
	put_str(&out, "podName", st->pod_name);
	put_int(&out, "attempt", st->attempt);
	put_int(&out, "ready", st->ready);
	put_int(&out, "createdAt", st->created_at_ns);
	put_str(&out, "netNs", st->net_ns);
	put_str(&out, "hostname", st->hostname);
	put_str(&out, "cgroupPath", st->cgroup_path);
	put_int(&out, "hostPid", s->host_pid);
	put_int(&out, "hostIpc", s->host_ipc);
	put_pairs(&out, "labels", st->labels);
	return save(crun_sandbox_dir(rt, st->id, &a), &out, err);
}

int crun_container_save(const struct crun *rt, const struct container *c, struct err *err)
{
	struct arena a CLEANUP_ARENA = {0};
	struct buf out CLEANUP_BUF = {0};
	const struct container_status *st = &c->status;

	buf_printf(&out, "{\"version\":%d", STATE_VERSION);
	put_str(&out, "bootId", str_of(rt->boot_id));
	put_str(&out, "sandboxId", st->sandbox_id);
	put_str(&out, "podUid", st->pod_uid);
	put_str(&out, "podNamespace", st->pod_namespace);
	put_str(&out, "podName", st->pod_name);
	put_str(&out, "name", st->name);
	put_int(&out, "attempt", st->attempt);
	put_int(&out, "state", st->state);
	put_int(&out, "createdAt", st->created_at_ns);
	put_int(&out, "startedAt", st->started_at_ns);
	put_int(&out, "finishedAt", st->finished_at_ns);
	put_int(&out, "exitCode", st->exit_code);
	put_str(&out, "reason", st->reason);
	put_str(&out, "message", st->message);
	put_str(&out, "imageId", st->image_id);
	put_str(&out, "imageName", st->image_name);
	put_str(&out, "logPath", st->log_path);
	put_str(&out, "cgroupPath", st->cgroup_path);
	put_str(&out, "stopSignal", c->stop_signal);
	put_int(&out, "tty", st->tty);
	put_int(&out, "stdin", st->stdin);
	put_int(&out, "hostPid", c->host_pid);
	put_int(&out, "pid", c->init.pid);
	put_int(&out, "pidStart", (int64_t)c->init.start_time);
	put_int(&out, "conmonPid", c->conmon.pid);
	put_int(&out, "conmonStart", (int64_t)c->conmon.start_time);
	put_pairs(&out, "labels", st->labels);
	return save(crun_container_dir(rt, st->id, &a), &out, err);
}

/* ---- reading: all fields or ERR_CORRUPT ---- */

struct reader {
	struct arena *arena;
	struct json_value doc;
	bool bad;
};

static struct str get_str(struct reader *r, const char *key)
{
	const struct json_value *v = json_get(&r->doc, str_of(key));

	if (!v || v->kind != JSON_STRING) {
		r->bad = true;
		return STR_NULL;
	}
	return arena_str(r->arena, json_str(v));
}

static int64_t get_int(struct reader *r, const char *key)
{
	const struct json_value *v = json_get(&r->doc, str_of(key));

	if (!v || v->kind != JSON_INT) {
		r->bad = true;
		return 0;
	}
	return v->num;
}

static struct runtime_pairs get_pairs(struct reader *r, const char *key)
{
	const struct json_value *v = json_get(&r->doc, str_of(key));
	struct runtime_pair *pairs;

	if (!v || v->kind != JSON_OBJECT) {
		r->bad = true;
		return (struct runtime_pairs){0};
	}
	pairs = ARENA_ARRAY(r->arena, v->n, struct runtime_pair);
	for (size_t i = 0; i < v->n; i++) {
		pairs[i].key = arena_str(r->arena, v->members[i].key);
		pairs[i].value = v->members[i].value.kind == JSON_STRING
					 ? arena_str(r->arena, json_str(&v->members[i].value))
					 : STR("");
	}
	return (struct runtime_pairs){pairs, v->n};
}

static int open_state(const char *dir, struct arena *arena, struct reader *ret, bool *ret_same_boot,
		      const char *boot_id, struct err *err)
{
	struct buf text CLEANUP_BUF = {0};
	const char *path = arena_printf(arena, "%s/state.json", dir).p;
	int r = file_read(AT_FDCWD, path, STATE_MAX, &text, err);

	if (r < 0) {
		return r;
	}
	*ret = (struct reader){.arena = arena};
	if (json_parse(arena, arena_str(arena, buf_str(&text)), NULL, &ret->doc, err) < 0 ||
	    ret->doc.kind != JSON_OBJECT) {
		return err_set(err, ERR_CORRUPT, "%s is not a state file", path);
	}
	if (get_int(ret, "version") != STATE_VERSION) {
		return err_set(err, ERR_CORRUPT, "%s has another version", path);
	}
	*ret_same_boot = str_eq(get_str(ret, "bootId"), str_of(boot_id));
	return 0;
}

struct runtime_pairs crun_pairs_dup(struct arena *arena, struct runtime_pairs pairs)
{
	struct runtime_pair *copy = ARENA_ARRAY(arena, pairs.n, struct runtime_pair);

	for (size_t i = 0; i < pairs.n; i++) {
		copy[i].key = arena_str(arena, pairs.p[i].key);
		copy[i].value = arena_str(arena, pairs.p[i].value);
	}
	return (struct runtime_pairs){copy, pairs.n};
}

int crun_sandbox_load(const struct crun *rt, struct str id, struct sandbox **ret, struct err *err)
{
	struct sandbox *s = NEW(struct sandbox);
	const char *dir = crun_sandbox_dir(rt, id, &s->arena);
	struct sandbox_status *st = &s->status;
	bool same_boot = false;
	struct reader in;
	int r = open_state(dir, &s->arena, &in, &same_boot, rt->boot_id, err);

	if (r < 0) {
		sandbox_free(s);
		return r;
	}
	st->id = arena_str(&s->arena, id);
	st->pod_uid = get_str(&in, "podUid");
	st->pod_namespace = get_str(&in, "podNamespace");
	st->pod_name = get_str(&in, "podName");
	st->attempt = (uint32_t)get_int(&in, "attempt");
	st->ready = get_int(&in, "ready") && same_boot; /* namespaces do not survive the machine */
	st->created_at_ns = get_int(&in, "createdAt");
	st->net_ns = get_str(&in, "netNs");
	st->hostname = get_str(&in, "hostname");
	st->cgroup_path = get_str(&in, "cgroupPath");
	s->host_pid = get_int(&in, "hostPid");
	s->host_ipc = get_int(&in, "hostIpc");
	st->labels = get_pairs(&in, "labels");
	if (in.bad) {
		sandbox_free(s);
		return err_set(err, ERR_CORRUPT, "%s/state.json lacks a field", dir);
	}
	*ret = s;
	return 0;
}

static void read_container(struct container *c, struct reader *in)
{
	struct container_status *st = &c->status;

	st->sandbox_id = get_str(in, "sandboxId");
	st->pod_uid = get_str(in, "podUid");
	st->pod_namespace = get_str(in, "podNamespace");
	st->pod_name = get_str(in, "podName");
	st->name = get_str(in, "name");
	st->attempt = (uint32_t)get_int(in, "attempt");
	st->state = (enum container_state)get_int(in, "state");
	st->created_at_ns = get_int(in, "createdAt");
	st->started_at_ns = get_int(in, "startedAt");
	st->finished_at_ns = get_int(in, "finishedAt");
	st->exit_code = (int)get_int(in, "exitCode");
	st->reason = get_str(in, "reason");
	st->message = get_str(in, "message");
	st->image_id = get_str(in, "imageId");
	st->image_name = get_str(in, "imageName");
	st->log_path = get_str(in, "logPath");
	st->cgroup_path = get_str(in, "cgroupPath");
	c->stop_signal = get_str(in, "stopSignal");
	st->tty = get_int(in, "tty");
	st->stdin = get_int(in, "stdin");
	c->host_pid = get_int(in, "hostPid");
	c->init.pid = (int)get_int(in, "pid");
	c->init.start_time = (uint64_t)get_int(in, "pidStart");
	c->conmon.pid = (int)get_int(in, "conmonPid");
	c->conmon.start_time = (uint64_t)get_int(in, "conmonStart");
	st->labels = get_pairs(in, "labels");
	in->bad |= st->state > CONTAINER_EXITED;
}

int crun_container_load(struct crun *rt, struct str id, struct container **ret, bool *ret_same_boot,
			struct err *err)
{
	struct container *c = NEW(struct container);
	struct container_status *st = &c->status;
	const char *dir = crun_container_dir(rt, id, &c->arena);
	struct reader in;
	int r;

	c->rt = rt;
	r = open_state(dir, &c->arena, &in, ret_same_boot, rt->boot_id, err);
	if (r < 0) {
		container_free(c);
		return r;
	}
	st->id = arena_str(&c->arena, id);
	read_container(c, &in);
	if (in.bad) {
		container_free(c);
		return err_set(err, ERR_CORRUPT, "the state.json of container %.*s lacks a field",
			       STR_ARG(id));
	}
	st->writable_dir = arena_printf(&c->arena, "%s/upper", dir);
	st->root_dir = arena_printf(&c->arena, "%s/rootfs", dir);
	st->pid = st->state == CONTAINER_EXITED ? 0 : c->init.pid;
	/* crun's fifo is where a created container waits for its start: without it, the start came through before the crash */
	if (st->state == CONTAINER_CREATED && *ret_same_boot &&
	    !file_exists(arena_printf(&c->arena, "%s/crun/%.*s/exec.fifo", rt->run_dir, STR_ARG(id))
				 .p)) {
		st->state = CONTAINER_RUNNING;
		st->started_at_ns = st->created_at_ns;
	}
	*ret = c;
	return 0;
}
