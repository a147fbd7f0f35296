/* SPDX-License-Identifier: Apache-2.0 */
#include "ingress/claim.h"

#include <ctype.h>

bool is_dns_name(struct str s)
{
	if (!s.n || s.n > 253) {
		return false;
	}
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];
		bool inner = i && i + 1 < s.n && s.p[i - 1] != '.' && s.p[i + 1] != '.';

		if (!islower(c) && !isdigit(c) && !((c == '-' || c == '.') && inner)) {
			return false;
		}
	}
	return true;
}

static struct str dup_lower(struct arena *arena, struct str s)
{
	char *p = arena_bytes(arena, s.n);

	for (size_t i = 0; i < s.n; i++) {
		p[i] = (char)tolower((unsigned char)s.p[i]);
	}
	return str_make(p, s.n);
}

static bool is_host(struct str host)
{
	return is_dns_name(str_has_prefix(host, STR("*.")) ? str_from(host, 2) : host);
}

static int hex_digit(char c)
{
	return c >= '0' && c <= '9'   ? c - '0'
	       : c >= 'a' && c <= 'f' ? c - 'a' + 10
	       : c >= 'A' && c <= 'F' ? c - 'A' + 10
				      : -1;
}

/* nginx matches what the client's path decodes to, so a path is compared decoded. False: not a path we can render. */
static bool decode_path(struct str path, struct arena *arena, struct str *ret)
{
	char *out = arena_bytes(arena, path.n);
	size_t n = 0;

	if (!path.n || path.p[0] != '/' || path.n > 1024) {
		return false;
	}
	for (size_t i = 0; i < path.n; i++) {
		unsigned char c = (unsigned char)path.p[i];

		if (c == '%') {
			int high = i + 2 < path.n ? hex_digit(path.p[i + 1]) : -1;
			int low = high >= 0 ? hex_digit(path.p[i + 2]) : -1;

			if (low < 0) {
				return false;
			}
			c = (unsigned char)(high * 16 + low);
			i += 2;
		}
		if (c < 0x20 || c == 0x7f) {
			return false;
		}
		out[n++] = (char)c;
	}
	*ret = str_make(out, n);
	/* Such requests never arrive under these names: nginx resolves them first. */
	return !str_contains(*ret, STR("//")) && !str_contains(*ret, STR("/./")) &&
	       !str_contains(*ret, STR("/../"));
}

static bool take_path(struct claim *claim, const struct networking_http_ingress_path *from,
		      struct claim_path *to)
{
	struct str type = from->path_type ? *from->path_type : STR("ImplementationSpecific");
	struct str path = from->path.n ? from->path : STR("/");

	to->match = str_is(type, "Exact")    ? PATH_EXACT
		    : str_is(type, "Prefix") ? PATH_PREFIX
					     : PATH_STARTS;
	if (!decode_path(path, &claim->arena, &to->path)) {
		problem_add(
			&claim->problems, "InvalidPath",
			"a path must start with / and have no control characters, //, /./ or /../; "
			"one of this Ingress does not and is left out");
		return false;
	}
	while (to->match == PATH_PREFIX && to->path.n > 1 && to->path.p[to->path.n - 1] == '/') {
		to->path.n--;
	}
	return true;
}

static void take_backend(struct claim *claim, const struct networking_ingress_backend *from,
			 struct backend_ref *to)
{
	const struct networking_ingress_service_backend *service = from->service;

	if (!service) {
		problem_add(&claim->problems, "UnsupportedBackend",
			    "only Services can be backends here; a path with a resource backend "
			    "answers 503");
		return;
	}
	if (!is_dns_name(service->name) ||
	    (service->port.name.n && !is_dns_name(service->port.name)) ||
	    (!service->port.name.n && (service->port.number < 1 || service->port.number > 65535))) {
		problem_add(&claim->problems, "InvalidBackend",
			    "a backend's service name or port is not valid; its path answers 503. "
			    "A port is written as port: {number: 80} or "
			    "port: {name: http}");
		return;
	}
	to->service = arena_str(&claim->arena, service->name);
	to->port_name = arena_str(&claim->arena, service->port.name);
	to->port_number = service->port.name.n ? 0 : service->port.number;
}

static void take_rules(struct claim *claim, const struct networking_ingress_spec *spec)
{
	size_t nrules = MIN(spec->rules.n, (size_t)CLAIM_RULES_MAX), left = CLAIM_PATHS_MAX;

	claim->rules.p = arena_alloc_array(&claim->arena, nrules, sizeof(*claim->rules.p));
	if (spec->rules.n > nrules) {
		problem_add(&claim->problems, "TooManyRules", "only the first %d rules are served",
			    CLAIM_RULES_MAX);
	}
	for (size_t i = 0; i < nrules; i++) {
		const struct networking_ingress_rule *from = &spec->rules.p[i];
		struct claim_rule *to = &claim->rules.p[claim->rules.n];
		size_t npaths = from->http ? MIN(from->http->paths.n, left) : 0;

		to->host = dup_lower(&claim->arena, from->host);
		if (to->host.n && !is_host(to->host)) {
			problem_add(&claim->problems, "InvalidHost",
				    "the host of rule %zu is not a DNS name; the rule is left out",
				    i + 1);
			continue;
		}
		claim->rules.n++;
		if (from->http && npaths < from->http->paths.n) {
			problem_add(&claim->problems, "TooManyPaths",
				    "only the first %d paths are served", CLAIM_PATHS_MAX);
		}
		left -= npaths;
		to->paths.p = arena_alloc_array(&claim->arena, npaths, sizeof(*to->paths.p));
		for (size_t j = 0; j < npaths; j++) {
			if (take_path(claim, &from->http->paths.p[j], &to->paths.p[to->paths.n])) {
				take_backend(claim, &from->http->paths.p[j].backend,
					     &to->paths.p[to->paths.n].backend);
				to->paths.n++;
			}
		}
	}
}

static void take_tls(struct claim *claim, const struct networking_ingress_spec *spec)
{
	claim->tls.p = arena_alloc_array(&claim->arena, spec->tls.n, sizeof(*claim->tls.p));
	for (size_t i = 0; i < spec->tls.n; i++) {
		const struct networking_ingress_tls *from = &spec->tls.p[i];
		struct claim_tls *to = &claim->tls.p[claim->tls.n++];

		to->secret = is_dns_name(from->secret_name)
				     ? arena_str(&claim->arena, from->secret_name)
				     : STR("");
		to->hosts.p = ARENA_ARRAY(&claim->arena, from->hosts.n, struct str);
		for (size_t j = 0; j < from->hosts.n; j++) {
			to->hosts.p[to->hosts.n++] = dup_lower(&claim->arena, from->hosts.p[j]);
		}
	}
}

static void take_status(struct claim *claim, const struct networking_ingress *ingress)
{
	size_t n = ingress->status.load_balancer.ingress.n;

	claim->addresses.p = ARENA_ARRAY(&claim->arena, n, struct str);
	claim->addresses.n = n;
	for (size_t i = 0; i < n; i++) {
		const struct networking_ingress_load_balancer_ingress *lb =
			&ingress->status.load_balancer.ingress.p[i];

		claim->addresses.p[i] = arena_str(&claim->arena, lb->ip.n ? lb->ip : lb->hostname);
	}
}

static struct str find_annotation(const struct str_map *map, struct str key)
{
	for (size_t i = 0; i < map->n; i++) {
		if (str_eq(map->p[i].key, key)) {
			return map->p[i].value;
		}
	}
	return STR_NULL;
}

struct claim *claim_new(const struct networking_ingress *ingress)
{
	const struct meta_object_meta *meta = &ingress->metadata;
	struct claim *claim;

	if (!is_dns_name(meta->namespace) || !is_dns_name(meta->name)) {
		return NULL;
	}
	claim = NEW(struct claim);
	claim->problems.arena = &claim->arena;
	claim->ns = arena_str(&claim->arena, meta->namespace);
	claim->name = arena_str(&claim->arena, meta->name);
	claim->uid = arena_str(&claim->arena, meta->uid);
	claim->resource_version = arena_str(&claim->arena, meta->resource_version);
	claim->created_s = meta->creation_timestamp.sec;
	claim->class_annotation =
		arena_str(&claim->arena,
			  find_annotation(&meta->annotations, STR("kubernetes.io/ingress.class")));
	if (ingress->spec.ingress_class_name) {
		claim->class_name = arena_str(&claim->arena, *ingress->spec.ingress_class_name);
	}
	annotations_parse(&meta->annotations, &claim->arena, &claim->annotations, &claim->problems);
	if (ingress->spec.default_backend) {
		claim->has_default = true;
		take_backend(claim, ingress->spec.default_backend, &claim->default_backend);
	}
	take_rules(claim, &ingress->spec);
	take_tls(claim, &ingress->spec);
	take_status(claim, ingress);
	return claim;
}

void claim_free(struct claim *claim)
{
	if (!claim) {
		return;
	}
	vec_fini(&claim->problems.list);
	arena_fini(&claim->arena);
	mem_free(claim);
}
