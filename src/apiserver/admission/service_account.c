/* SPDX-License-Identifier: Apache-2.0 */
/* ServiceAccount: a pod runs as an account that exists; unless it opts out, a token, the CA and the namespace are mounted where client
 * libraries look for them. */
#include "apiserver/admission/admission.h"

#define MOUNT_PATH "/var/run/secrets/kubernetes.io/serviceaccount"

static bool has_mount(const struct core_volume_mount *p, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (str_is(p[i].mount_path, MOUNT_PATH)) {
			return true;
		}
	}
	return false;
}

static struct core_key_to_path key_to_path(const char *key)
{
	return (struct core_key_to_path){.key = str_of(key), .path = str_of(key)};
}

static int64_t *int64_in(struct arena *a, int64_t v)
{
	int64_t *p = ARENA_NEW(a, int64_t);

	*p = v;
	return p;
}

static int32_t *int32_in(struct arena *a, int32_t v)
{
	int32_t *p = ARENA_NEW(a, int32_t);

	*p = v;
	return p;
}

static void add_token_volume(struct arena *a, struct core_pod *pod, struct str name)
{
	struct core_volume *v = ADMISSION_APPEND(a, &pod->spec.volumes);
	struct core_projected_volume_source *src =
		ARENA_NEW(a, struct core_projected_volume_source);
	struct core_volume_projection *parts = ARENA_ARRAY(a, 3, struct core_volume_projection);
	struct core_downward_api_volume_file *file =
		ARENA_NEW(a, struct core_downward_api_volume_file);

	v->name = name;
	v->projected = src;
	src->default_mode = int32_in(a, 0644);
	src->sources.p = (void *)parts;
	src->sources.n = 3;
	parts[0].service_account_token = ARENA_NEW(a, struct core_service_account_token_projection);
	parts[0].service_account_token->path = STR("token");
	parts[0].service_account_token->expiration_seconds = int64_in(a, 3607);
	parts[1].config_map = ARENA_NEW(a, struct core_config_map_projection);
	parts[1].config_map->name = STR("kube-root-ca.crt");
	parts[1].config_map->items.p = ARENA_NEW(a, struct core_key_to_path);
	parts[1].config_map->items.n = 1;
	parts[1].config_map->items.p[0] = key_to_path("ca.crt");
	parts[2].downward_api = ARENA_NEW(a, struct core_downward_api_projection);
	parts[2].downward_api->items.p = file;
	parts[2].downward_api->items.n = 1;
	file->path = STR("namespace");
	file->field_ref = ARENA_NEW(a, struct core_object_field_selector);
	file->field_ref->api_version = STR("v1");
	file->field_ref->field_path = STR("metadata.namespace");
}

static void mount_tokens(struct write *w, struct core_pod *pod)
{
	static const char letters[] = "bcdfghjklmnpqrstvwxz2456789";
	struct arena *a = &w->r->arena;
	unsigned char random[5];
	char suffix[6] = {0};
	struct str name;
	bool used = false;

	env_random(w->r->api->env, random, sizeof(random));
	for (size_t i = 0; i < sizeof(random); i++) {
		suffix[i] = letters[random[i] % (sizeof(letters) - 1)];
	}
	name = arena_printf(a, "kube-api-access-%s", suffix);
#define MOUNT_IN(list)                                                                             \
	for (size_t i = 0; i < (list).n; i++) {                                                    \
		if (!has_mount((list).p[i].volume_mounts.p, (list).p[i].volume_mounts.n)) {        \
			struct core_volume_mount *m =                                              \
				ADMISSION_APPEND(a, &(list).p[i].volume_mounts);                   \
			m->name = name;                                                            \
			m->read_only = true;                                                       \
			m->mount_path = STR(MOUNT_PATH);                                           \
			used = true;                                                               \
		}                                                                                  \
	}
	MOUNT_IN(pod->spec.init_containers)
	MOUNT_IN(pod->spec.containers)
#undef MOUNT_IN
	if (used) {
		add_token_volume(a, pod, name);
	}
}

static bool wants_token(const struct core_pod *pod, const struct core_service_account *account)
{
	if (pod->spec.automount_service_account_token) {
		return *pod->spec.automount_service_account_token;
	}
	return !account->automount_service_account_token ||
	       *account->automount_service_account_token;
}

struct meta_status *admit_service_account(struct write *w)
{
	struct core_pod *pod = admitted_pod(w, WRITE_CREATE);
	struct request *r = w->r;
	struct core_service_account *account;
	const struct store_value *value;
	struct status_about about = {STR_NULL, STR("pods"), STR_NULL};
	struct str key;

	if (!pod) {
		return NULL;
	}
	about.name = pod->metadata.name;
	for (size_t i = 0; i < pod->metadata.annotations.n; i++) {
		if (str_is(pod->metadata.annotations.p[i].key, "kubernetes.io/config.mirror")) {
			return NULL; /* mirror pods have no account */
		}
	}
	if (!pod->spec.service_account_name.n) {
		pod->spec.service_account_name =
			pod->spec.service_account.n ? pod->spec.service_account : STR("default");
	}
	pod->spec.service_account = pod->spec.service_account_name;
	key = registry_key(&r->arena, &resource_core_serviceaccounts, r->info.ns,
			   pod->spec.service_account_name);
	value = store_peek(r->api->store, key);
	if (!value) {
		return status_forbidden(&r->arena, &about,
					arena_printf(&r->arena,
						     "error looking up service account %.*s/%.*s: "
						     "serviceaccount \"%.*s\" not found",
						     STR_ARG(r->info.ns),
						     STR_ARG(pod->spec.service_account_name),
						     STR_ARG(pod->spec.service_account_name)));
	}
	account = (void *)codec_decode_value(&r->arena, &resource_core_serviceaccounts, value);
	if (wants_token(pod, account)) {
		mount_tokens(w, pod);
	}
	if (!pod->spec.image_pull_secrets.n) {
		pod->spec.image_pull_secrets.p = account->image_pull_secrets.p;
		pod->spec.image_pull_secrets.n = account->image_pull_secrets.n;
	}
	return NULL;
}
