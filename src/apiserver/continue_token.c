/* SPDX-License-Identifier: Apache-2.0 */
#include "apiserver/continue_token.h"

#include "base/err.h"
#include "codec/json.h"
#include "crypto/base64.h"

enum { TOKEN_MAX = 4096 };

struct str continue_token_make(struct arena *a, int64_t revision, struct str start)
{
	struct buf json CLEANUP_BUF = {0};
	struct buf text CLEANUP_BUF = {0};

	buf_printf(&json, "{\"v\":\"meta.k8s.io/v1\",\"rv\":%lld,\"start\":", (long long)revision);
	json_write_string(&json, start);
	buf_puts(&json, "}");
	base64url_encode(&text, buf_str(&json));
	return arena_str(a, buf_str(&text));
}

int continue_token_parse(struct arena *a, struct str text, struct continue_token *ret)
{
	struct buf json CLEANUP_BUF = {0};
	struct json_value v;
	const struct json_value *version;
	const struct json_value *rv;
	const struct json_value *start;

	if (text.n > TOKEN_MAX || base64url_decode(&json, text) < 0 ||
	    json_parse(a, arena_str(a, buf_str(&json)), NULL, &v, NULL) < 0) {
		return ERR_INVALID;
	}
	version = json_get(&v, STR("v"));
	rv = json_get(&v, STR("rv"));
	start = json_get(&v, STR("start"));
	if (!version || version->kind != JSON_STRING ||
	    !str_is(json_str(version), "meta.k8s.io/v1") || !rv || rv->kind != JSON_INT ||
	    rv->num <= 0 || !start || start->kind != JSON_STRING ||
	    str_contains(json_str(start), STR(".."))) {
		return ERR_INVALID;
	}
	ret->revision = rv->num;
	ret->start = json_str(start);
	return 0;
}
