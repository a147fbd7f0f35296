/* SPDX-License-Identifier: Apache-2.0 */
#include "ingress/model.h"

void model_problem(struct model *model, const struct claim *claim, const char *reason,
		   const char *fmt, ...)
{
	struct model_problem *p = vec_push(&model->problems);
	va_list ap;

	p->claim = claim;
	p->problem.reason = reason;
	va_start(ap, fmt);
	p->problem.message = arena_vprintf(&model->arena, fmt, ap);
	va_end(ap);
}

static int compare_claims(const void *a, const void *b)
{
	const struct claim *x = *(const struct claim *const *)a,
			   *y = *(const struct claim *const *)b;
	int by_ns;

	if (x->created_s != y->created_s) {
		return x->created_s < y->created_s ? -1 : 1;
	}
	by_ns = str_cmp(x->ns, y->ns);
	return by_ns ? by_ns : str_cmp(x->name, y->name);
}

static struct server *add_server(struct model *model, struct str host)
{
	struct server *server = map_find(&model->by_host, host);

	if (!server) {
		server = NEW(struct server);
		server->host = host;
		map_init(&server->by_path, 0);
		*vec_push(&model->servers) = server;
		map_put(&model->by_host, host, server);
	}
	return server;
}

static struct str add_backend(struct model *model, const struct claim *claim,
			      const struct backend_ref *ref)
{
	struct model_backend *backend;
	struct str key;

	if (!ref->service.n) {
		return STR("");
	}
	key = ref->port_name.n ? arena_printf(&model->arena, "%.*s/%.*s/%.*s", STR_ARG(claim->ns),
					      STR_ARG(ref->service), STR_ARG(ref->port_name))
			       : arena_printf(&model->arena, "%.*s/%.*s/%d", STR_ARG(claim->ns),
					      STR_ARG(ref->service), ref->port_number);
	if (!map_find(&model->by_backend, key)) {
		backend = vec_push(&model->backends);
		*backend = (struct model_backend){
			.key = key, .ns = claim->ns, .ref = *ref, .claim = claim};
		map_put(&model->by_backend, key, model); /* a set */
	}
	return key;
}

/* The owner of the place, if it was taken already. */
static const struct claim *add_location(struct model *model, struct server *server,
					const struct claim *claim, bool exact, struct str path,
					const struct backend_ref *ref)
{
	struct str key = exact ? arena_printf(&model->arena, "=%.*s", STR_ARG(path)) : path;
	size_t index = (size_t)(uintptr_t)map_find(&server->by_path, key);
	struct location *location;

	if (index) {
		return server->locations.p[index - 1].claim;
	}
	location = vec_push(&server->locations);
	location->exact = exact;
	location->path = path;
	location->claim = claim;
	location->backend = claim ? add_backend(model, claim, ref) : STR("");
	map_put(&server->by_path, key, (void *)(uintptr_t)server->locations.n);
	return NULL;
}

static void report_conflict(struct model *model, const struct claim *claim,
			    const struct server *server, const struct claim_path *path,
			    const struct claim *owner)
{
	if (owner == claim) {
		model_problem(model, claim, "PathConflict",
			      "host '%.*s' has path '%.*s' twice; the first one counts",
			      STR_ARG(server->host), STR_ARG(path->path));
		return;
	}
	model_problem(model, claim, "PathConflict",
		      "host '%.*s' path '%.*s' already belongs to the older Ingress %.*s/%.*s",
		      STR_ARG(server->host), STR_ARG(path->path), STR_ARG(owner->ns),
		      STR_ARG(owner->name));
}

/* /p by segments is "= /p" and "/p/"; the first yields silently to an Exact /p, whoever has it. */
static void add_path(struct model *model, struct server *server, const struct claim *claim,
		     const struct claim_path *path)
{
	const struct claim *owner;
	struct str prefix = path->path;

	if (path->match == PATH_EXACT) {
		owner = add_location(model, server, claim, true, path->path, &path->backend);
	} else {
		if (path->match == PATH_PREFIX && path->path.n > 1) {
			prefix = arena_printf(&model->arena, "%.*s/", STR_ARG(path->path));
		}
		owner = add_location(model, server, claim, false, prefix, &path->backend);
		if (!owner && path->match == PATH_PREFIX && path->path.n > 1) {
			add_location(model, server, claim, true, path->path, &path->backend);
		}
	}
	if (owner) {
		report_conflict(model, claim, server, path, owner);
	}
}

static void add_paths(struct model *model, const struct claim *claim, bool exact)
{
	for (size_t i = 0; i < claim->rules.n; i++) {
		const struct claim_rule *rule = &claim->rules.p[i];
		struct server *server = add_server(model, rule->host);

		for (size_t j = 0; j < rule->paths.n; j++) {
			if ((rule->paths.p[j].match == PATH_EXACT) == exact) {
				add_path(model, server, claim, &rule->paths.p[j]);
			}
		}
	}
}

/* The default backend serves what the hosts of the Ingress leave open; without rules it serves every other host. */
static void add_default(struct model *model, const struct claim *claim)
{
	if (!claim->has_default) {
		return;
	}
	if (!claim->rules.n) {
		add_location(model, model->servers.p[0], claim, false, STR("/"),
			     &claim->default_backend);
	}
	for (size_t i = 0; i < claim->rules.n; i++) {
		add_location(model, add_server(model, claim->rules.p[i].host), claim, false,
			     STR("/"), &claim->default_backend);
	}
}

static bool covers(struct str tls_host, struct str host)
{
	ptrdiff_t dot = str_find_char(host, '.');

	return str_eq(tls_host, host) ||
	       (str_has_prefix(tls_host, STR("*.")) && dot > 0 &&
		str_eq(str_from(tls_host, 1), str_from(host, (size_t)dot)));
}

static const struct claim_tls *find_tls(const struct claim *claim, struct str host)
{
	for (size_t i = 0; i < claim->tls.n; i++) {
		const struct claim_tls *tls = &claim->tls.p[i];

		for (size_t j = 0; j < tls->hosts.n; j++) {
			if (covers(tls->hosts.p[j], host)) {
				return tls;
			}
		}
		if (!tls->hosts.n) {
			return tls;
		}
	}
	return NULL;
}

static void add_tls(struct model *model, const struct claim *claim)
{
	for (size_t i = 0; i < claim->rules.n; i++) {
		struct server *server = add_server(model, claim->rules.p[i].host);
		const struct claim_tls *tls = find_tls(claim, server->host);

		if (tls && !server->tls) {
			server->tls = true;
			server->tls_claim = claim;
			server->secret = tls->secret;
		}
	}
}

static int compare_locations(const void *a, const void *b)
{
	const struct location *x = a, *y = b;

	return x->exact != y->exact ? y->exact - x->exact : str_cmp(x->path, y->path);
}

static int compare_servers(const void *a, const void *b)
{
	return str_cmp((*(struct server *const *)a)->host, (*(struct server *const *)b)->host);
}

static void finish_server(struct model *model, struct server *server, bool has_https)
{
	add_location(model, server, NULL, false, STR("/"), NULL);
	for (size_t i = 0; i < server->locations.n; i++) {
		struct location *location = &server->locations.p[i];
		const struct annotations *a =
			location->claim ? &location->claim->annotations : NULL;

		location->redirect = has_https && a &&
				     (a->force_ssl_redirect || (a->ssl_redirect && server->tls));
	}
	qsort(server->locations.p, server->locations.n, sizeof(*server->locations.p),
	      compare_locations);
}

void model_compute(struct model *model, const struct claim **claims, size_t n, bool has_https)
{
	*model = (struct model){0};
	map_init(&model->by_host, 0);
	map_init(&model->by_backend, 0);
	add_server(model, STR(""));
	if (n) {
		qsort(claims, n, sizeof(*claims), compare_claims);
	}
	for (size_t i = 0; i < n; i++) {
		add_paths(model, claims[i], true);
	}
	for (size_t i = 0; i < n; i++) {
		add_paths(model, claims[i], false);
		add_tls(model, claims[i]);
	}
	for (size_t i = 0; i < n; i++) {
		add_default(model, claims[i]);
	}
	for (size_t i = 0; i < model->servers.n; i++) {
		finish_server(model, model->servers.p[i], has_https);
	}
	/* "" sorts first */
	qsort(model->servers.p, model->servers.n, sizeof(*model->servers.p), compare_servers);
}

void model_fini(struct model *model)
{
	for (size_t i = 0; i < model->servers.n; i++) {
		vec_fini(&model->servers.p[i]->locations);
		map_fini(&model->servers.p[i]->by_path);
		mem_free(model->servers.p[i]);
	}
	vec_fini(&model->servers);
	vec_fini(&model->backends);
	vec_fini(&model->problems);
	map_fini(&model->by_host);
	map_fini(&model->by_backend);
	arena_fini(&model->arena);
	*model = (struct model){0};
}
