/* SPDX-License-Identifier: Apache-2.0 */
#include "ingress/ingress.h"

#include <arpa/inet.h>
#include <errno.h>
#include <openssl/sha.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "ingress/certificates.h"
#include "ingress/ingress_internal.h"
#include "ingress/script.h"

#define FILES_MAX 65536

static void handle_later(struct env_timer *timer)
{
	pump(CONTAINER_OF(timer, struct ingress, later));
}

static void handle_soon(struct env_timer *timer)
{
	pump(CONTAINER_OF(timer, struct ingress, soon));
}

static void pump_soon(struct ingress *ic)
{
	env_timer_start_in(ic->env, &ic->soon, 0);
}

static void want_rebuild(struct ingress *ic)
{
	ic->rebuild_wanted = true;
	pump_soon(ic);
}

/* ---- objects ---- */

void ingress_set_class(struct ingress *ic, const struct networking_ingress_class *object)
{
	struct class *class = map_find(&ic->classes, object->metadata.name);
	const struct str_map *annotations = &object->metadata.annotations;

	if (!class) {
		class = NEW(struct class);
		class->name = str_dup_cstr(object->metadata.name);
		map_put(&ic->classes, str_of(class->name), class);
	}
	class->ours = str_eq(object->spec.controller, ic->opts.controller);
	class->is_default = false;
	for (size_t i = 0; i < annotations->n; i++) {
		if (str_is(annotations->p[i].key, "ingressclass.kubernetes.io/is-default-class")) {
			class->is_default = str_is(annotations->p[i].value, "true");
		}
	}
	want_rebuild(ic);
}

static void class_free(struct class *class)
{
	if (class) {
		mem_free(class->name);
		mem_free(class);
	}
}

void ingress_remove_class(struct ingress *ic, struct str name)
{
	class_free(map_remove(&ic->classes, name));
	want_rebuild(ic);
}

void ingress_set_ingress(struct ingress *ic, const struct networking_ingress *object)
{
	struct claim *claim = claim_new(object);
	char *key CLEANUP_FREE = NULL;

	if (!claim) {
		log_warning(ic->opts.log,
			    "an Ingress whose namespace or name is not a DNS name is left out");
		return;
	}
	key = make_key(claim->ns, claim->name);
	claim_free(map_put(&ic->claims, str_of(key), claim));
	want_rebuild(ic);
}

void ingress_remove_ingress(struct ingress *ic, struct str ns, struct str name)
{
	char *key CLEANUP_FREE = make_key(ns, name);

	claim_free(map_remove(&ic->claims, str_of(key)));
	mem_free(map_remove(&ic->statuses, str_of(key)));
	want_rebuild(ic);
}

static struct watched *tell_service(struct ingress *ic, struct str service)
{
	struct watched *watched = service.p ? map_find(&ic->watched, service) : NULL;

	for (size_t i = 0; watched && i < watched->backends.n; i++) {
		tell_backend(ic, &watched->backends.p[i]);
	}
	pump_soon(ic);
	return watched;
}

/* Its coming and going, and that of its ports, is also told by events: rebuild finds them. */
void ingress_set_service(struct ingress *ic, const struct core_service *object)
{
	if (tell_service(ic, endpoints_set_service(&ic->endpoints, object))) {
		want_rebuild(ic);
	}
}

void ingress_remove_service(struct ingress *ic, struct str ns, struct str name)
{
	if (tell_service(ic, endpoints_remove_service(&ic->endpoints, ns, name))) {
		want_rebuild(ic);
	}
}

void ingress_set_slice(struct ingress *ic, const struct discovery_endpoint_slice *object,
		       int64_t revision)
{
	struct str former, service = endpoints_set_slice(&ic->endpoints, object, revision, &former);

	tell_service(ic, former);
	tell_service(ic, service);
}

void ingress_remove_slice(struct ingress *ic, struct str ns, struct str name, int64_t revision)
{
	tell_service(ic, endpoints_remove_slice(&ic->endpoints, ns, name, revision));
}

static void secret_free(struct secret *secret)
{
	if (secret) {
		if (secret->text) {
			explicit_bzero(secret->text, strlen(secret->text));
		}
		mem_free(secret->text);
		mem_free(secret->problem);
		mem_free(secret->key);
		mem_free(secret);
	}
}

void ingress_set_secret(struct ingress *ic, const struct core_secret *object)
{
	struct secret *secret = NEW(struct secret);
	struct err err CLEANUP_ERR = {0};
	struct buf text = {0};

	secret->key = make_key(object->metadata.namespace, object->metadata.name);
	if (certificate_of_secret(object, &text, &err) < 0) {
		secret->problem = str_dup_cstr(str_of(err_msg(&err)));
		buf_fini(&text);
	} else {
		secret->text = buf_steal(&text);
	}
	secret_free(map_put(&ic->secrets, str_of(secret->key), secret));
	want_rebuild(ic);
}

void ingress_remove_secret(struct ingress *ic, struct str ns, struct str name)
{
	char *key CLEANUP_FREE = make_key(ns, name);

	secret_free(map_remove(&ic->secrets, str_of(key)));
	want_rebuild(ic);
}

void ingress_synced(struct ingress *ic)
{
	ic->synced = true;
	want_rebuild(ic);
}

int64_t ingress_applied_revision(const struct ingress *ic)
{
	return ic->applied_revision;
}

bool ingress_is_current(const struct ingress *ic)
{
	return ic->synced && !ic->rebuild_wanted && !ic->updating && !sync_is_pending(&ic->sync) &&
	       nginx_is_current(ic->nginx);
}

pid_t ingress_nginx_pid(const struct ingress *ic)
{
	return nginx_pid(ic->nginx);
}

void ingress_quit(struct ingress *ic)
{
	ic->synced = false;
	nginx_quit(ic->nginx);
}

/* ---- life ---- */

static int format_listen(struct arena *arena, int fd, struct str *ret, int *ret_port,
			 struct err *err)
{
	struct sockaddr_storage addr;
	socklen_t n = sizeof(addr);
	char text[INET6_ADDRSTRLEN];

	if (getsockname(fd, (struct sockaddr *)&addr, &n) < 0) {
		return err_set_errno(err, errno, "listening socket %d", fd);
	}
	if (addr.ss_family == AF_INET) {
		const struct sockaddr_in *in = (const struct sockaddr_in *)&addr;

		*ret_port = ntohs(in->sin_port);
		*ret = arena_printf(arena, "%s:%d",
				    inet_ntop(AF_INET, &in->sin_addr, text, sizeof(text)),
				    *ret_port);
	} else if (addr.ss_family == AF_INET6) {
		const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)&addr;

		*ret_port = ntohs(in6->sin6_port);
		*ret = arena_printf(arena, "[%s]:%d",
				    inet_ntop(AF_INET6, &in6->sin6_addr, text, sizeof(text)),
				    *ret_port);
	} else {
		return err_set(err, ERR_INVALID, "listening socket %d is not a TCP socket", fd);
	}
	return 0;
}

static int take_sockets(struct ingress *ic, const int *fds, size_t n, struct str_list *ret_listen,
			int *port, struct err *err)
{
	int first_port = 0, this_port = 0, r;

	ret_listen->p = ARENA_ARRAY(&ic->arena, n, struct str);
	for (size_t i = 0; i < n; i++) {
		r = format_listen(&ic->arena, fds[i], &ret_listen->p[ret_listen->n++], &this_port,
				  err);
		if (r < 0) {
			return r;
		}
		first_port = first_port ? first_port : this_port;
	}
	*port = *port ? *port : first_port;
	return 0;
}

static void take_opts(struct ingress *ic, const struct ingress_opts *opts)
{
	struct str *addresses = ARENA_ARRAY(&ic->arena, opts->naddresses, struct str);
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	struct rlimit files = {.rlim_max = 1024};

	ic->opts = *opts;
	ic->opts.class_name =
		arena_str(&ic->arena, opts->class_name.n ? opts->class_name : STR("nginx"));
	ic->opts.controller = arena_str(
		&ic->arena, opts->controller.n ? opts->controller : STR("k8s.io/ingress-nginx"));
	for (size_t i = 0; i < opts->naddresses; i++) {
		addresses[i] = arena_str(&ic->arena, opts->addresses[i]);
	}
	ic->opts.addresses = addresses;
	ic->opts.runtime_dir = arena_cstr(&ic->arena, str_of(opts->runtime_dir));
	ic->opts.nginx_path = arena_cstr(
		&ic->arena, str_of(opts->nginx_path ? opts->nginx_path : "/usr/sbin/nginx"));
	getrlimit(RLIMIT_NOFILE, &files);
	ic->render.runtime_dir = ic->opts.runtime_dir;
	ic->render.workers = opts->workers ? opts->workers : (unsigned)MAX(MIN(cpus, 2L), 1L);
	ic->render.files_max = (unsigned)MIN(files.rlim_max, (rlim_t)FILES_MAX);
	ic->render.connections =
		MIN(opts->connections ? opts->connections : 4096, ic->render.files_max);
	ic->render.access_log = opts->access_log;
	ic->render.public_http_port = opts->public_http_port;
	ic->render.public_https_port = opts->public_https_port;
	ic->fds = mem_new_array(opts->nhttp + opts->nhttps, sizeof(int));
	if (opts->nhttp) {
		memcpy(ic->fds, opts->http_fds, opts->nhttp * sizeof(int));
	}
	if (opts->nhttps) {
		memcpy(ic->fds + opts->nhttp, opts->https_fds, opts->nhttps * sizeof(int));
	}
}

/* Script and default certificate. The script's name has its digest, so that another one is loaded by a reload. */
static int write_files(struct ingress *ic, struct err *err)
{
	struct str script = script_text();
	struct buf path CLEANUP_BUF = {0};
	unsigned char digest[SHA256_DIGEST_LENGTH];
	int r;

	SHA256((const unsigned char *)script.p, script.n, digest);
	ic->render.script_name = arena_printf(&ic->arena, "ingress_%02x%02x%02x%02x", digest[0],
					      digest[1], digest[2], digest[3]);
	buf_printf(&path, "%.*s.lua", STR_ARG(ic->render.script_name));
	r = nginx_write_file(ic->nginx, buf_cstr(&path), script, err);
	if (r < 0 || !ic->opts.nhttps) {
		return r;
	}
	buf_clear(&path);
	buf_printf(&path, "%s/default.pem", ic->opts.runtime_dir);
	return certificate_write_default(buf_cstr(&path), err);
}

static void init_tables(struct ingress *ic)
{
	unsigned char instance[8];

	map_init(&ic->claims, 0);
	map_init(&ic->classes, MAP_BORROW_KEYS);
	map_init(&ic->secrets, MAP_BORROW_KEYS);
	map_init(&ic->watched, MAP_BORROW_KEYS);
	map_init(&ic->standing, 0);
	map_init(&ic->statuses, 0);
	endpoints_init(&ic->endpoints);
	env_random(ic->env, instance, sizeof(instance));
	sync_init(&ic->sync, instance);
	ic->later.fn = handle_later;
	ic->soon.fn = handle_soon;
}

struct ingress *ingress_new(const struct ingress_opts *opts, struct err *err)
{
	struct ingress *ic = NEW(struct ingress);
	struct nginx_opts nginx;
	int r;

	ASSERT(opts->callbacks.event && opts->callbacks.status && opts->callbacks.applied);
	ic->env = loop_env(opts->loop);
	take_opts(ic, opts);
	init_tables(ic);
	r = take_sockets(ic, opts->http_fds, opts->nhttp, &ic->render.http,
			 &ic->render.public_http_port, err);
	if (r == 0) {
		r = take_sockets(ic, opts->https_fds, opts->nhttps, &ic->render.https,
				 &ic->render.public_https_port, err);
	}
	nginx = (struct nginx_opts){.loop = opts->loop,
				    .log = opts->log,
				    .path = ic->opts.nginx_path,
				    .runtime_dir = ic->opts.runtime_dir,
				    .fds = ic->fds,
				    .nfds = opts->nhttp + opts->nhttps,
				    .callbacks = &ingress_nginx_callbacks,
				    .ctx = ic};
	ic->nginx = r == 0 ? nginx_new(&nginx, err) : NULL;
	if (!ic->nginx || write_files(ic, err) < 0) {
		err_wrap(err, "cannot start the ingress");
		ingress_free(ic);
		return NULL;
	}
	return ic;
}

static void free_values(struct ingress *ic)
{
	struct str key;
	void *value;

	for (size_t i = 0; map_next(&ic->claims, &i, &key, &value);) {
		claim_free(value);
	}
	for (size_t i = 0; map_next(&ic->classes, &i, &key, &value);) {
		class_free(value);
	}
	for (size_t i = 0; map_next(&ic->secrets, &i, &key, &value);) {
		secret_free(value);
	}
	for (size_t i = 0; map_next(&ic->statuses, &i, &key, &value);) {
		mem_free(value);
	}
	for (size_t i = 0; map_next(&ic->watched, &i, &key, &value);) {
		struct watched *watched = value;

		vec_fini(&watched->backends);
		arena_fini(&watched->arena);
		mem_free(watched->service);
		mem_free(watched);
	}
}

void ingress_free(struct ingress *ic)
{
	if (!ic) {
		return;
	}
	nginx_free(ic->nginx);
	env_timer_stop(ic->env, &ic->later);
	env_timer_stop(ic->env, &ic->soon);
	free_values(ic);
	map_fini(&ic->claims);
	map_fini(&ic->classes);
	map_fini(&ic->secrets);
	map_fini(&ic->watched);
	map_fini(&ic->standing);
	map_fini(&ic->statuses);
	endpoints_fini(&ic->endpoints);
	sync_fini(&ic->sync);
	buf_fini(&ic->conf);
	mem_free(ic->fds);
	arena_fini(&ic->arena);
	mem_free(ic);
}
