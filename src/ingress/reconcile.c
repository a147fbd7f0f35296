/* SPDX-License-Identifier: Apache-2.0 */
#include "ingress/ingress_internal.h"

#include "base/cleanup.h"

#define REBUILD_PAUSE_NS (50 * NS_PER_MS)

char *make_key(struct str ns, struct str name)
{
	struct buf key = {0};

	buf_printf(&key, "%.*s/%.*s", STR_ARG(ns), STR_ARG(name));
	return buf_steal(&key);
}

static struct ingress_ref ref_of(const struct claim *claim)
{
	return (struct ingress_ref){claim->ns, claim->name, claim->uid, claim->resource_version};
}

/* ---- which Ingresses are ours ---- */

static bool has_default_class(const struct ingress *ic)
{
	struct str key;
	void *value;

	for (size_t i = 0; map_next(&ic->classes, &i, &key, &value);) {
		const struct class *class = value;

		if (class->ours && class->is_default) {
			return true;
		}
	}
	return false;
}

/* The annotation counts where both stand, as in ingress-nginx; without either the default class decides. */
static bool is_ours(const struct ingress *ic, const struct claim *claim)
{
	const struct class *class;

	if (claim->rejected) {
		return false;
	}
	if (claim->class_annotation.n) {
		return str_eq(claim->class_annotation, ic->opts.class_name);
	}
	if (claim->class_name.p) {
		class = map_find(&ic->classes, claim->class_name);
		return class && class->ours;
	}
	return has_default_class(ic);
}

/* ---- rebuild: claims -> model -> what nginx should know ---- */

static void watch_backend(struct ingress *ic, const struct model_backend *backend)
{
	char *service CLEANUP_FREE = make_key(backend->ns, backend->ref.service);
	struct watched *watched = map_find(&ic->watched, str_of(service));
	struct model_backend *copy;

	if (!watched) {
		watched = NEW(struct watched);
		watched->service = STEAL(service);
		map_put(&ic->watched, str_of(watched->service), watched);
	}
	copy = vec_push(&watched->backends);
	copy->key = arena_str(&watched->arena, backend->key);
	copy->ns = arena_str(&watched->arena, backend->ns);
	copy->ref.service = arena_str(&watched->arena, backend->ref.service);
	copy->ref.port_name = arena_str(&watched->arena, backend->ref.port_name);
	copy->ref.port_number = backend->ref.port_number;
}

enum resolution tell_backend(struct ingress *ic, const struct model_backend *backend)
{
	struct buf text CLEANUP_BUF = {0};
	enum resolution r = endpoints_resolve(&ic->endpoints, backend->ns, &backend->ref, &text);

	sync_set(&ic->sync, 'e', backend->key, buf_str(&text));
	return r;
}

static void tell_backends(struct ingress *ic, struct model *model)
{
	for (size_t i = 0; i < model->backends.n; i++) {
		const struct model_backend *b = &model->backends.p[i];

		if (!sync_has(&ic->sync, 'e', b->key)) {
			watch_backend(ic, b);
		}
		switch (tell_backend(ic, b)) {
		case RESOLVED:
			break;
		case NO_SERVICE:
			model_problem(model, b->claim, "ServiceNotFound",
				      "Service %.*s/%.*s does not exist; its paths answer 503",
				      STR_ARG(b->ns), STR_ARG(b->ref.service));
			break;
		case NO_PORT:
			model_problem(model, b->claim, "PortNotFound",
				      "Service has no port as in %.*s; its paths answer 503",
				      STR_ARG(b->key));
			break;
		case IS_EXTERNAL_NAME:
			model_problem(model, b->claim, "UnsupportedBackend",
				      "Service %.*s/%.*s is of type ExternalName, which is not "
				      "supported as a backend; its paths answer 503",
				      STR_ARG(b->ns), STR_ARG(b->ref.service));
			break;
		}
	}
}

static void tell_certificate(struct ingress *ic, struct model *model, const struct server *server)
{
	char *key CLEANUP_FREE = make_key(server->tls_claim->ns, server->secret);
	const struct secret *secret = map_find(&ic->secrets, str_of(key));
	struct str host = server->host.n ? server->host : STR("_");

	if (!secret) {
		model_problem(model, server->tls_claim, "SecretNotFound",
			      "Secret %s does not exist or is not of type kubernetes.io/tls; host "
			      "'%.*s' shows the default certificate",
			      key, STR_ARG(server->host));
	} else if (!secret->text) {
		model_problem(model, server->tls_claim, "InvalidSecret",
			      "Secret %s: %s; host '%.*s' shows the default certificate", key,
			      secret->problem, STR_ARG(server->host));
	} else {
		sync_set(&ic->sync, 'c', host, str_of(secret->text));
	}
}

static void tell_event(struct ingress *ic, struct map *told, const struct claim *claim,
		       const struct problem *problem)
{
	struct buf key CLEANUP_BUF = {0};
	struct ingress_ref about = ref_of(claim);

	buf_printf(&key, "%.*s/%.*s %s %.*s", STR_ARG(claim->ns), STR_ARG(claim->name),
		   problem->reason, STR_ARG(problem->message));
	if (map_put(told, buf_str(&key), ic) || map_find(&ic->standing, buf_str(&key))) {
		return;
	}
	log_warning(ic->opts.log, "Ingress %.*s/%.*s: %s: %.*s", STR_ARG(claim->ns),
		    STR_ARG(claim->name), problem->reason, STR_ARG(problem->message));
	ic->opts.callbacks.event(ic->opts.ctx, &about, problem->reason, problem->message);
}

static void tell_events(struct ingress *ic, const struct model *model, const struct claim **claims,
			size_t n)
{
	struct map told;

	map_init(&told, 0);
	for (size_t i = 0; i < n; i++) {
		for (size_t j = 0; j < claims[i]->problems.list.n; j++) {
			tell_event(ic, &told, claims[i], &claims[i]->problems.list.p[j]);
		}
	}
	for (size_t i = 0; i < model->problems.n; i++) {
		tell_event(ic, &told, model->problems.p[i].claim, &model->problems.p[i].problem);
	}
	map_fini(&ic->standing);
	ic->standing = told;
}

static void rebuild(struct ingress *ic)
{
	const struct claim **claims = mem_new_array(ic->claims.n + 1, sizeof(struct claim *));
	struct model model;
	struct str key;
	void *value;
	size_t n = 0;

	for (size_t i = 0; map_next(&ic->claims, &i, &key, &value);) {
		if (is_ours(ic, value)) {
			claims[n++] = value;
		}
	}
	ic->rebuild_wanted = false;
	ic->statuses_wanted = true;
	ic->rebuilt_at = env_mono_ns(ic->env);
	model_compute(&model, claims, n, ic->opts.nhttps > 0);
	tell_backends(ic, &model);
	for (size_t i = 0; i < model.servers.n; i++) {
		const struct server *server = model.servers.p[i];

		if (server->tls && server->secret.n) {
			tell_certificate(ic, &model, server);
		}
	}
	sync_sweep(&ic->sync);
	tell_events(ic, &model, claims, n);
	buf_clear(&ic->conf);
	render(&model, &ic->render, &ic->conf, ic->generation);
	model_fini(&model);
	mem_free(claims);
}

static bool has_addresses(const struct ingress *ic, const struct claim *claim)
{
	if (claim->addresses.n != ic->opts.naddresses) {
		return false;
	}
	for (size_t i = 0; i < claim->addresses.n; i++) {
		if (!str_eq(claim->addresses.p[i], ic->opts.addresses[i])) {
			return false;
		}
	}
	return true;
}

static void tell_statuses(struct ingress *ic)
{
	struct str key;
	void *value;

	for (size_t i = 0; map_next(&ic->claims, &i, &key, &value);) {
		const struct claim *claim = value;
		const char *told = map_find(&ic->statuses, key);
		struct ingress_ref about = ref_of(claim);

		if (!is_ours(ic, claim) || has_addresses(ic, claim) ||
		    (told && str_eq(str_of(told), claim->resource_version))) {
			continue;
		}
		mem_free(map_put(&ic->statuses, key, str_dup_cstr(claim->resource_version)));
		ic->opts.callbacks.status(ic->opts.ctx, &about, ic->opts.addresses,
					  ic->opts.naddresses);
	}
}

/* ---- telling nginx ---- */

static void set_applied(struct ingress *ic, int64_t revision)
{
	if (revision > ic->applied_revision) {
		ic->applied_revision = revision;
		ic->opts.callbacks.applied(ic->opts.ctx, revision);
	}
}

static void handle_snapshot(void *ctx, struct buf *out)
{
	struct ingress *ic = ctx;

	ic->telling_revision = ic->endpoints.revision;
	sync_build(&ic->sync, true, out);
}

static void handle_up(void *ctx)
{
	struct ingress *ic = ctx;

	/* Of an adopted one we know nothing yet: the first update is full, and no revision was told. */
	if (!ic->updating) {
		set_applied(ic, ic->telling_revision);
	}
	pump(ic);
}

static void handle_applied(void *ctx)
{
	pump(ctx);
}

static void handle_rejected(void *ctx, struct str conf, int64_t line, struct str message)
{
	struct ingress *ic = ctx;
	struct ingress_ref about;
	struct str ns, name;
	struct claim *claim;
	char *key CLEANUP_FREE = NULL;

	if (!line || !render_find_owner(conf, line, &ns, &name)) {
		return; /* was logged; nobody in particular is to blame */
	}
	key = make_key(ns, name);
	claim = map_find(&ic->claims, str_of(key));
	if (!claim) {
		return;
	}
	claim->rejected = true;
	about = ref_of(claim);
	ic->opts.callbacks.event(ic->opts.ctx, &about, "Rejected", message);
	ic->rebuild_wanted = true;
	pump(ic);
}

static void handle_updated(void *ctx, int status, struct str line)
{
	struct ingress *ic = ctx;

	ic->updating = false;
	if (status == 200) {
		set_applied(ic, ic->telling_revision);
	} else {
		/* 409: it was started anew meanwhile. Everything else is said, and tried again in full. */
		if (status != 409) {
			log_warning(
				ic->opts.log,
				"nginx did not take an update (%d): %.*s; sending everything again",
				status, STR_ARG(line));
		}
		sync_lost(&ic->sync);
		if (status != 409) {
			env_timer_start_in(ic->env, &ic->later, NS_PER_SEC);
			return;
		}
	}
	pump(ic);
}

static void send_update(struct ingress *ic)
{
	struct buf body CLEANUP_BUF = {0};

	ic->updating = true;
	ic->telling_revision = ic->endpoints.revision;
	sync_build(&ic->sync, false, &body);
	nginx_update(ic->nginx, buf_str(&body));
}

void pump(struct ingress *ic)
{
	int64_t due = ic->rebuilt_at + REBUILD_PAUSE_NS;

	if (!ic->synced) {
		return;
	}
	if (ic->rebuild_wanted) {
		if (ic->rebuilt_at && env_mono_ns(ic->env) < due) {
			env_timer_start(ic->env, &ic->later, due);
		} else {
			rebuild(ic);
		}
	}
	if (!nginx_is_up(ic->nginx)) {
		if (ic->conf.n) {
			nginx_configure(ic->nginx, buf_str(&ic->conf), ic->generation);
		}
		return;
	}
	if (!ic->updating && sync_is_pending(&ic->sync)) {
		send_update(ic);
	}
	if (ic->updating) {
		return;
	}
	set_applied(ic, ic->endpoints.revision);
	nginx_configure(ic->nginx, buf_str(&ic->conf), ic->generation);
	if (ic->statuses_wanted && nginx_is_current(ic->nginx)) {
		ic->statuses_wanted = false;
		tell_statuses(ic);
	}
}

const struct nginx_callbacks ingress_nginx_callbacks = {
	.snapshot = handle_snapshot,
	.up = handle_up,
	.applied = handle_applied,
	.rejected = handle_rejected,
	.updated = handle_updated,
};
