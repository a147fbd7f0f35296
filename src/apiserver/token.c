/* SPDX-License-Identifier: Apache-2.0 */
#include "apiserver/token.h"

#include "apiserver/apiserver_internal.h"
#include "codec/json.h"
#include "crypto/digest.h"
#include "crypto/jwt.h"

enum { CACHE_MAX = 4096 };

/* A verified token: who, and until when we believe it without looking again. */
struct cached {
	struct arena arena;
	struct user_info user;
	int64_t until_mono_ns;
};

struct token_keys {
	struct jwt_key *key;
	char *issuer;
	struct map cache; /* SHA-256 of the token -> struct cached */
};

int token_keys_new(struct str key_pem, struct str issuer, struct token_keys **ret, struct err *err)
{
	struct token_keys *keys = NEW(struct token_keys);
	int r = jwt_key_load(key_pem, &keys->key, err);

	if (r < 0) {
		mem_free(keys);
		return err_wrap(err, "service account key");
	}
	keys->issuer = str_dup_cstr(issuer);
	map_init(&keys->cache, 0);
	*ret = keys;
	return 0;
}

void token_forget_all(struct token_keys *keys)
{
	struct str key;
	void *value;

	for (size_t i = 0; map_next(&keys->cache, &i, &key, &value);) {
		struct cached *c = value;

		arena_fini(&c->arena);
		mem_free(c);
	}
	map_fini(&keys->cache);
	map_init(&keys->cache, 0);
}

void token_keys_free(struct token_keys *keys)
{
	if (keys) {
		token_forget_all(keys);
		map_fini(&keys->cache);
		jwt_key_free(keys->key);
		mem_free(keys->issuer);
		mem_free(keys);
	}
}

const struct jwt_key *token_key(const struct token_keys *keys)
{
	return keys->key;
}

struct str token_issuer(const struct token_keys *keys)
{
	return str_of(keys->issuer);
}

static void add_pair(struct buf *b, const char *name, struct str value)
{
	buf_printf(b, "\"%s\":", name);
	json_write_string(b, value);
}

/* "pod":{"name":"...","uid":"..."} */
static void add_ref(struct buf *b, const char *kind, struct str name, struct str uid)
{
	if (!name.n) {
		return;
	}
	buf_printf(b, ",\"%s\":{", kind);
	add_pair(b, "name", name);
	buf_add_char(b, ',');
	add_pair(b, "uid", uid);
	buf_add_char(b, '}');
}

int token_issue(const struct token_keys *keys, const struct token_request *t, struct buf *out,
		struct err *err)
{
	struct buf b CLEANUP_BUF = {0};
	struct str issuer = str_of(keys->issuer);

	buf_puts(&b, "{\"aud\":[");
	for (size_t i = 0; i < MAX(t->audiences.n, (size_t)1); i++) {
		buf_add_str(&b, i ? STR(",") : STR(""));
		json_write_string(&b, t->audiences.n ? t->audiences.p[i] : issuer);
	}
	buf_printf(&b, "],\"exp\":%lld,\"iat\":%lld,\"nbf\":%lld,", (long long)t->expires_sec,
		   (long long)t->now_sec, (long long)t->now_sec);
	add_pair(&b, "iss", issuer);
	buf_add_char(&b, ',');
	add_pair(&b, "jti", t->id);
	buf_puts(&b, ",\"kubernetes.io\":{");
	add_pair(&b, "namespace", t->ns);
	add_ref(&b, "serviceaccount", t->account, t->account_uid);
	add_ref(&b, "pod", t->pod, t->pod_uid);
	add_ref(&b, "node", t->node, t->node_uid);
	add_ref(&b, "secret", t->secret, t->secret_uid);
	buf_printf(&b, "},\"sub\":\"system:serviceaccount:%.*s:%.*s\"}", STR_ARG(t->ns),
		   STR_ARG(t->account));
	return jwt_sign(keys->key, buf_str(&b), out, err);
}

static struct str text_of(const struct json_value *v)
{
	return v && v->kind == JSON_STRING ? json_str(v) : STR_NULL;
}

static int64_t number_of(const struct json_value *v)
{
	return v && v->kind == JSON_INT ? v->num : 0;
}

/* The wanted audiences that the token names. */
static struct str_list match_audiences(struct arena *a, const struct json_value *aud,
				       struct str_list wanted)
{
	struct str_list found = {ARENA_ARRAY(a, wanted.n, struct str), 0};

	for (size_t w = 0; w < wanted.n; w++) {
		bool there = aud && aud->kind == JSON_STRING && str_eq(json_str(aud), wanted.p[w]);

		for (uint32_t i = 0; aud && aud->kind == JSON_ARRAY && i < aud->n; i++) {
			there = there || str_eq(text_of(&aud->items[i]), wanted.p[w]);
		}
		if (there) {
			found.p[found.n++] = wanted.p[w];
		}
	}
	return found;
}

/* The object that the token is bound to still exists, and is the same one. */
static int check_bound(struct apiserver *api, const struct resource_desc *resource, struct str ns,
		       const struct json_value *ref, struct err *err)
{
	struct str name = text_of(json_get(ref, STR("name")));
	struct frozen *f =
		informer_get(informers_get(api->informers, resource, STR_NULL), ns, name);

	if (!f) {
		return err_set(err, ERR_UNAUTHORIZED, "%s \"%.*s\" of the token is gone",
			       resource->singular, STR_ARG(name));
	}
	if (!str_eq(f->head->metadata.uid, text_of(json_get(ref, STR("uid"))))) {
		return err_set(err, ERR_UNAUTHORIZED,
			       "%s \"%.*s\" is not the one the token was made for",
			       resource->singular, STR_ARG(name));
	}
	return 0;
}

static int check_times(struct apiserver *api, const struct json_value *claims, struct err *err)
{
	int64_t now = env_wall_ns(api->env) / NS_PER_SEC;

	if (number_of(json_get(claims, STR("exp"))) <= now) {
		return err_set(err, ERR_UNAUTHORIZED, "token has expired");
	}
	if (number_of(json_get(claims, STR("nbf"))) > now + 1) {
		return err_set(err, ERR_UNAUTHORIZED, "token is not valid yet");
	}
	return 0;
}

static int check_objects(struct apiserver *api, const struct json_value *k8s, struct err *err)
{
	const struct json_value *pod = json_get(k8s, STR("pod"));
	const struct json_value *secret = json_get(k8s, STR("secret"));
	struct str ns = text_of(json_get(k8s, STR("namespace")));
	int r = check_bound(api, &resource_core_serviceaccounts, ns,
			    json_get(k8s, STR("serviceaccount")), err);

	if (r == 0 && pod) {
		r = check_bound(api, &resource_core_pods, ns, pod, err);
	}
	if (r == 0 && secret) {
		r = check_bound(api, &resource_core_secrets, ns, secret, err);
	}
	return r;
}

static struct user_extra extra(struct arena *a, const char *key, struct str value)
{
	struct user_extra e = {str_of(key), {ARENA_NEW(a, struct str), 1}};

	e.values.p[0] = value;
	return e;
}

static void fill_user(struct arena *a, const struct json_value *claims, struct user_info *ret)
{
	const struct json_value *k8s = json_get(claims, STR("kubernetes.io"));
	const struct json_value *account = json_get(k8s, STR("serviceaccount"));
	const struct json_value *pod = json_get(k8s, STR("pod"));
	const struct json_value *node = json_get(k8s, STR("node"));
	struct str ns = text_of(json_get(k8s, STR("namespace")));
	struct user_extra *x = ARENA_ARRAY(a, 5, struct user_extra);
	struct str id = text_of(json_get(claims, STR("jti")));

	ret->name = arena_str(a, text_of(json_get(claims, STR("sub"))));
	ret->uid = arena_str(a, text_of(json_get(account, STR("uid"))));
	ret->groups = (struct str_list){ARENA_ARRAY(a, 3, struct str), 3};
	ret->groups.p[0] = STR("system:serviceaccounts");
	ret->groups.p[1] = arena_printf(a, "system:serviceaccounts:%.*s", STR_ARG(ns));
	ret->groups.p[2] = STR("system:authenticated");
	ret->extra = x;
	if (id.n) {
		x[ret->nextra++] = extra(a, "authentication.kubernetes.io/credential-id",
					 arena_printf(a, "JTI=%.*s", STR_ARG(id)));
	}
	if (node) {
		x[ret->nextra++] = extra(a, "authentication.kubernetes.io/node-name",
					 arena_str(a, text_of(json_get(node, STR("name")))));
		x[ret->nextra++] = extra(a, "authentication.kubernetes.io/node-uid",
					 arena_str(a, text_of(json_get(node, STR("uid")))));
	}
	if (pod) {
		x[ret->nextra++] = extra(a, "authentication.kubernetes.io/pod-name",
					 arena_str(a, text_of(json_get(pod, STR("name")))));
		x[ret->nextra++] = extra(a, "authentication.kubernetes.io/pod-uid",
					 arena_str(a, text_of(json_get(pod, STR("uid")))));
	}
}

static int verify(struct apiserver *api, struct str token, struct str_list audiences,
		  struct arena *a, struct user_info *ret, struct str_list *ret_audiences,
		  struct err *err)
{
	struct buf text CLEANUP_BUF = {0};
	struct str own = str_of(api->token_keys->issuer);
	struct json_value claims;
	struct str_list matched;
	int r = jwt_verify(&api->token_keys->key, 1, token, &text, err);

	if (r < 0) {
		return r;
	}
	r = json_parse(a, arena_str(a, buf_str(&text)), NULL, &claims, err);
	if (r < 0) {
		return err_set(err, ERR_UNAUTHORIZED, "the token's claims are not JSON");
	}
	if (!str_eq(text_of(json_get(&claims, STR("iss"))), own)) {
		return err_set(err, ERR_UNAUTHORIZED, "the token has another issuer");
	}
	matched = match_audiences(a, json_get(&claims, STR("aud")),
				  audiences.n ? audiences : (struct str_list){&own, 1});
	if (!matched.n) {
		return err_set(err, ERR_UNAUTHORIZED, "the token is for other audiences");
	}
	r = check_times(api, &claims, err);
	if (r == 0) {
		r = check_objects(api, json_get(&claims, STR("kubernetes.io")), err);
	}
	if (r < 0) {
		return r;
	}
	fill_user(a, &claims, ret);
	if (ret_audiences) {
		*ret_audiences = matched;
		for (size_t i = 0; i < matched.n; i++) {
			matched.p[i] = arena_str(a, matched.p[i]);
		}
	}
	return 0;
}

int token_authenticate(struct apiserver *api, struct str token, struct str_list audiences,
		       struct arena *a, struct user_info *ret, struct str_list *ret_audiences,
		       struct err *err)
{
	struct token_keys *keys = api->token_keys;
	struct sha256 digest = sha256_of(token);
	struct str key = sha256_str(&digest);
	int64_t now = env_mono_ns(api->env);
	struct cached *c;
	int r;

	if (audiences.n || ret_audiences) {
		return verify(api, token, audiences, a, ret, ret_audiences, err);
	}
	c = map_find(&keys->cache, key);
	if (c && c->until_mono_ns > now) {
		*ret = c->user; /* lives until the next deletion of an account or pod: requests copy what they keep */
		return 0;
	}
	if (keys->cache.n >= CACHE_MAX) {
		token_forget_all(keys);
		c = NULL;
	}
	if (c) {
		map_remove(&keys->cache, key);
		arena_fini(&c->arena);
		mem_free(c);
	}
	c = NEW(struct cached);
	r = verify(api, token, audiences, &c->arena, &c->user, NULL, err);
	if (r < 0) {
		arena_fini(&c->arena);
		mem_free(c);
		return r;
	}
	c->until_mono_ns = now + TOKEN_CACHE_NS;
	map_put(&keys->cache, key, c);
	*ret = c->user;
	return 0;
}
