/* SPDX-License-Identifier: Apache-2.0 */
/* Everything that is not a resource: discovery, OpenAPI, health, version, metrics, the token issuer's keys. */
#include "apiserver/apiserver_internal.h"
#include "apiserver/discovery.h"
#include "apiserver/metrics.h"
#include "apiserver/openapi.h"
#include "apiserver/subresources/subresources.h"
#include "apiserver/token.h"
#include "base/version.h"
#include "crypto/jwt.h"

#define JSON_TYPE "application/json"
#define TEXT_TYPE "text/plain; charset=utf-8"

static enum stage_result answer_buf(struct request *r, const char *content_type,
				    const struct buf *b)
{
	return answer_bytes(r, 200, content_type, arena_str(&r->arena, buf_str(b)));
}

static bool wants_aggregated(const struct request *r)
{
	return str_contains(r->accept, STR("as=APIGroupDiscoveryList")) &&
	       (str_contains(r->accept, STR("v=v2;")) || str_contains(r->accept, STR("v=v2,")) ||
		str_has_suffix(r->accept, STR("v=v2")));
}

static enum stage_result get_api_root(struct request *r, struct str rest UNUSED)
{
	struct buf b CLEANUP_BUF = {0};
	bool core = str_is(r->path, "/api") || str_is(r->path, "/api/");

	if (wants_aggregated(r)) {
		discovery_write_aggregated(&b, core);
		return answer_buf(
			r, "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList",
			&b);
	}
	if (core) {
		discovery_write_api_versions(&b);
	} else {
		discovery_write_groups(&b);
	}
	return answer_buf(r, JSON_TYPE, &b);
}

/* rest: "v1" below /api/, "GROUP" or "GROUP/VERSION" below /apis/. */
static enum stage_result get_api_document(struct request *r, struct str rest)
{
	struct buf b CLEANUP_BUF = {0};
	struct str group = STR("");
	bool found;

	if (str_has_suffix(rest, STR("/"))) {
		rest.n--;
	}
	if (str_has_prefix(r->path, STR("/api/"))) {
		found = discovery_write_resources(&b, group, rest);
	} else {
		str_cut(&rest, '/', &group);
		found = rest.p ? discovery_write_resources(&b, group, rest)
			       : discovery_write_group(&b, group);
	}
	return found ? answer_buf(r, JSON_TYPE, &b)
		     : answer_status(r, status_path_not_found(&r->arena));
}

static enum stage_result get_version(struct request *r, struct str rest UNUSED)
{
	struct buf b CLEANUP_BUF = {0};

	buf_printf(&b,
		   "{\"major\":\"%s\",\"minor\":\"%s\",\"emulationMajor\":\"%s\","
		   "\"emulationMinor\":\"%s\","
		   "\"minCompatibilityMajor\":\"1\",\"minCompatibilityMinor\":\"35\","
		   "\"gitVersion\":\"%s\",\"gitCommit\":\"\","
		   "\"gitTreeState\":\"\",\"buildDate\":\"\",\"goVersion\":\"\",\"compiler\":"
		   "\"gcc\",\"platform\":\"linux/amd64\"}\n",
		   KUBERNETES_MAJOR, KUBERNETES_MINOR, KUBERNETES_MAJOR, KUBERNETES_MINOR,
		   KUBERNETES_VERSION);
	return answer_buf(r, JSON_TYPE, &b);
}

static enum stage_result get_health(struct request *r, struct str rest UNUSED)
{
	bool ready = r->api->ready || !str_has_prefix(r->path, STR("/readyz"));
	struct str verbose;
	struct buf b CLEANUP_BUF = {0};

	if (ready && !query_find(r->query, STR("verbose"), &verbose)) {
		return answer_bytes(r, 200, TEXT_TYPE, STR("ok"));
	}
	buf_printf(&b,
		   "[+]ping ok\n[+]log ok\n[+]etcd ok\n[%c]poststarthook/rbac/bootstrap-roles "
		   "%s\n%.*s check %s\n",
		   ready ? '+' : '-', ready ? "ok" : "failed: reason withheld",
		   STR_ARG(str_from(r->path, 1)), ready ? "passed" : "failed");
	return answer_bytes(r, ready ? 200 : 500, TEXT_TYPE, arena_str(&r->arena, buf_str(&b)));
}

static enum stage_result get_metrics(struct request *r, struct str rest UNUSED)
{
	struct buf b CLEANUP_BUF = {0};

	metrics_write(r->api, &b);
	return answer_buf(r, "text/plain; version=0.0.4; charset=utf-8", &b);
}

static enum stage_result get_jwks(struct request *r, struct str rest UNUSED)
{
	struct buf b CLEANUP_BUF = {0};

	buf_puts(&b, "{\"keys\":[");
	jwt_key_write_jwk(token_key(r->api->token_keys), &b);
	buf_puts(&b, "]}");
	return answer_buf(r, "application/jwk-set+json", &b);
}

static enum stage_result get_issuer(struct request *r, struct str rest UNUSED)
{
	struct str issuer = token_issuer(r->api->token_keys);
	struct buf b CLEANUP_BUF = {0};

	buf_printf(&b,
		   "{\"issuer\":\"%.*s\",\"jwks_uri\":\"%.*s/openid/v1/"
		   "jwks\",\"response_types_supported\":[\"id_token\"],"
		   "\"subject_types_supported\":[\"public\"],\"id_token_signing_alg_values_"
		   "supported\":[\"ES256\"]}",
		   STR_ARG(issuer), STR_ARG(issuer));
	return answer_buf(r, JSON_TYPE, &b);
}

static enum stage_result get_index(struct request *r, struct str rest UNUSED)
{
	static const char *const paths[] = {"/.well-known/openid-configuration",
					    "/api",
					    "/api/v1",
					    "/apis",
					    "/healthz",
					    "/livez",
					    "/metrics",
					    "/openapi/v2",
					    "/openapi/v3",
					    "/openid/v1/jwks",
					    "/readyz",
					    "/version"};
	struct buf b CLEANUP_BUF = {0};

	buf_puts(&b, "{\"paths\":[");
	for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
		buf_printf(&b, "%s\"%s\"", i ? "," : "", paths[i]);
	}
	buf_puts(&b, "]}\n");
	return answer_buf(r, JSON_TYPE, &b);
}

static const struct {
	const char *path;
	bool below; /* also everything behind "path/" */
	enum stage_result (*fn)(struct request *r, struct str rest);
} table[] = {
	{"/", false, get_index},
	{"/api", false, get_api_root},
	{"/api/", false, get_api_root},
	{"/apis", false, get_api_root},
	{"/apis/", false, get_api_root},
	{"/api/", true, get_api_document},
	{"/apis/", true, get_api_document},
	{"/version", false, get_version},
	{"/version/", false, get_version},
	{"/healthz", false, get_health},
	{"/healthz/", true, get_health},
	{"/livez", false, get_health},
	{"/livez/", true, get_health},
	{"/readyz", false, get_health},
	{"/readyz/", true, get_health},
	{"/metrics", false, get_metrics},
	{"/openapi/v2", false, openapi_v2},
	{"/openapi/v3", false, openapi_v3_index},
	{"/openapi/v3/", true, openapi_v3_document},
	{"/openid/v1/jwks", false, get_jwks},
	{"/.well-known/openid-configuration", false, get_issuer},
};

enum stage_result answer_plain_path(struct request *r)
{
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		struct str path = str_of(table[i].path);

		if (!str_eq(r->path, path) && !(table[i].below && str_has_prefix(r->path, path))) {
			continue;
		}
		if (!str_is(r->method, "GET") && !str_is(r->method, "HEAD")) {
			return answer_status(r, status_method_not_allowed(&r->arena,
									  &(struct status_about){0},
									  r->method));
		}
		return table[i].fn(r, str_from(r->path, path.n));
	}
	return answer_status(r, status_path_not_found(&r->arena));
}
