/* SPDX-License-Identifier: Apache-2.0 */
#include "apiserver/bootstrap/bootstrap.h"

#include "apiserver/apiserver_internal.h"
#include "base/vec.h"
#include "object/decode.h"

/* The text of rbac_defaults.jsonl, as part of the binary. */
__asm__(".section .rodata\n"
	".global rbac_defaults_begin\n.global rbac_defaults_end\n"
	"rbac_defaults_begin:\n"
	".incbin \"src/apiserver/bootstrap/rbac_defaults.jsonl\"\n"
	"rbac_defaults_end:\n"
	".byte 0\n"
	".previous\n");
extern const char rbac_defaults_begin[], rbac_defaults_end[];

struct bootstrap {
	struct apiserver *api;
	struct arena arena;
	VEC(struct str) objects; /* JSON, in order */
	size_t next;		 /* the first not sent yet */
	size_t waiting;
	bool namespaces_done;
	int code;
	struct str message;
	void (*done)(void *ctx, int code, struct str message);
	void *ctx;
};

static const char *const namespaces[] = {"default", "kube-system", "kube-public",
					 "kube-node-lease"};

static void add(struct bootstrap *b, struct str json)
{
	*vec_push(&b->objects) = json;
}

static void add_priority_classes(struct bootstrap *b)
{
	add(b, STR("{\"kind\":\"PriorityClass\",\"apiVersion\":\"scheduling.k8s.io/"
		   "v1\",\"metadata\":{\"name\":\"system-cluster-critical\"},"
		   "\"value\":2000000000,\"description\":\"For system pods that must run in the "
		   "cluster, but can move to another node.\"}"));
	add(b, STR("{\"kind\":\"PriorityClass\",\"apiVersion\":\"scheduling.k8s.io/"
		   "v1\",\"metadata\":{\"name\":\"system-node-critical\"},"
		   "\"value\":2000001000,\"description\":\"For system pods that must not be moved "
		   "from their node.\"}"));
}

/* The API's own Service: the first address of the range, with the server itself as the one endpoint. */
static void add_kubernetes_service(struct bootstrap *b)
{
	const struct apiserver_config *c = &b->api->config;
	struct str network = c->service_cidr;
	struct str ip;
	ptrdiff_t dot;

	str_cut(&network, '/', &ip);
	dot = str_rfind_char(ip, '.');
	add(b, arena_printf(&b->arena,
			    "{\"kind\":\"Service\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":"
			    "\"kubernetes\",\"namespace\":\"default\","
			    "\"labels\":{\"component\":\"apiserver\",\"provider\":\"kubernetes\"}},"
			    "\"spec\":{\"clusterIP\":\"%.*s.1\","
			    "\"clusterIPs\":[\"%.*s.1\"],\"ports\":[{\"name\":\"https\","
			    "\"protocol\":\"TCP\",\"port\":443,\"targetPort\":%d}],"
			    "\"sessionAffinity\":\"None\",\"type\":\"ClusterIP\"}}",
			    (int)dot, ip.p, (int)dot, ip.p, c->secure_port));
	if (!c->advertise_address.n) {
		return;
	}
	add(b, arena_printf(&b->arena,
			    "{\"kind\":\"Endpoints\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":"
			    "\"kubernetes\",\"namespace\":\"default\","
			    "\"labels\":{\"endpointslice.kubernetes.io/"
			    "skip-mirror\":\"true\"}},\"subsets\":[{\"addresses\":[{\"ip\":"
			    "\"%.*s\"}],\"ports\":[{\"name\":\"https\",\"port\":%d,\"protocol\":"
			    "\"TCP\"}]}]}",
			    STR_ARG(c->advertise_address), c->secure_port));
	add(b, arena_printf(&b->arena,
			    "{\"kind\":\"EndpointSlice\",\"apiVersion\":\"discovery.k8s.io/"
			    "v1\",\"metadata\":{\"name\":\"kubernetes\","
			    "\"namespace\":\"default\",\"labels\":{\"kubernetes.io/"
			    "service-name\":\"kubernetes\"}},\"addressType\":\"IPv4\","
			    "\"endpoints\":[{\"addresses\":[\"%.*s\"],\"conditions\":{\"ready\":"
			    "true}}],\"ports\":[{\"name\":\"https\","
			    "\"port\":%d,\"protocol\":\"TCP\"}]}",
			    STR_ARG(c->advertise_address), c->secure_port));
}

static void finish(struct bootstrap *b)
{
	b->done(b->ctx, b->code, b->message);
}

static void send_more(struct bootstrap *b);

static void created(void *ctx, const struct client_result *result)
{
	struct bootstrap *b = ctx;

	if (result->code < 0 && result->code != ERR_EXISTS && !b->code) {
		b->code = result->code;
		b->message = arena_str(&b->arena, result->message);
	}
	b->waiting--;
	send_more(b);
}

static void send(struct bootstrap *b, struct str json)
{
	struct arena a CLEANUP_ARENA = {0};
	struct client_request req = {.verb = VERB_CREATE};
	struct err err CLEANUP_ERR = {0};
	struct object_head *obj;
	struct str api_version;
	struct str kind;

	ASSERT(object_decode_type_meta(&a, json, &api_version, &kind, &err) == 0);
	req.resource = registry_find_kind(api_version, kind);
	ASSERT(req.resource);
	obj = arena_alloc(&a, req.resource->type->size);
	ASSERT(object_decode(&a, req.resource->type, json, obj, NULL, &err) == 0);
	req.ns = obj->metadata.namespace;
	req.body_type = req.resource->type;
	req.body = obj;
	b->waiting++;
	client_call(b->api->loopback, &req, created, b);
}

/* Namespaces first; then everything at once. */
static void send_more(struct bootstrap *b)
{
	if (b->waiting) {
		return;
	}
	if (b->next == b->objects.n || b->code) {
		finish(b);
		return;
	}
	b->waiting++;
	if (b->next == 0) {
		for (; b->next < ARRAY_LEN(namespaces); b->next++) {
			send(b, b->objects.p[b->next]);
		}
	} else {
		for (; b->next < b->objects.n; b->next++) {
			send(b, b->objects.p[b->next]);
		}
	}
	b->waiting--;
}

struct bootstrap *bootstrap_start(struct apiserver *api,
				  void (*done)(void *ctx, int code, struct str message), void *ctx)
{
	struct bootstrap *b = NEW(struct bootstrap);
	struct str roles =
		str_make(rbac_defaults_begin, (size_t)(rbac_defaults_end - rbac_defaults_begin));
	struct str line;

	b->api = api;
	b->done = done;
	b->ctx = ctx;
	for (size_t i = 0; i < ARRAY_LEN(namespaces); i++) {
		add(b, arena_printf(&b->arena,
				    "{\"kind\":\"Namespace\",\"apiVersion\":\"v1\",\"metadata\":{"
				    "\"name\":\"%s\"}}",
				    namespaces[i]));
	}
	while (str_cut(&roles, '\n', &line)) {
		if (line.n) {
			add(b, line);
		}
	}
	add_priority_classes(b);
	add_kubernetes_service(b);
	send_more(b);
	return b;
}

void bootstrap_free(struct bootstrap *b)
{
	if (b) {
		vec_fini(&b->objects);
		arena_fini(&b->arena);
		mem_free(b);
	}
}
