/* SPDX-License-Identifier: Apache-2.0 */
/* pods/log, exec, attach and portforward: the request goes on to the kubelet port of the pod's node, under the server's own client certificate.
 * Logs are a response that is passed on; the others switch protocols (WebSocket, SPDY), and from then on two byte streams are
 * joined without being looked at. */
#include "apiserver/apiserver_internal.h"
#include "apiserver/codec.h"
#include "apiserver/subresources/subresources.h"
#include "http/client.h"
#include "http/server.h"
#include "net/stream.h"
#include "object/encode.h"

enum { CONNECT_TIMEOUT_MS = 10 * 1000, HEADERS_MAX = 24, PENDING_MAX = 256 * 1024 };

struct relay {
	struct apiserver *api;
	struct arena arena;
	struct http_request *http; /* the client's side until it is upgraded or ended */
	struct http_client *client;
	struct http_call *call; /* the node's side until then */
	struct net_stream *down, *up;
	bool started;		   /* the client has been sent headers */
	struct env_task free_task; /* a client may not be freed from its own callbacks */
};

/* What the stages found out, kept until the connection is handed over. */
struct target {
	struct net_addr addr;
	struct str path;
	bool upgrade;
};

static void free_later(struct env_task *task)
{
	struct relay *x = CONTAINER_OF(task, struct relay, free_task);

	http_client_free(x->client);
	arena_fini(&x->arena);
	mem_free(x);
}

static void relay_free(struct relay *x)
{
	x->free_task.fn = free_later;
	env_post(x->api->env, &x->free_task);
}

/* ---- joined streams ---- */

static struct net_stream *other_side(struct relay *x, struct net_stream *s)
{
	return s == x->down ? x->up : x->down;
}

static size_t joined_data(struct net_stream *s, const char *p, size_t n)
{
	struct net_stream *to = other_side(net_stream_ctx(s), s);

	if (net_stream_pending_bytes(to) > PENDING_MAX) {
		return 0; /* its on_drain resumes us */
	}
	net_stream_write_copy(to, p, n);
	return n;
}

static void joined_drain(struct net_stream *s)
{
	struct relay *x = net_stream_ctx(s);

	net_stream_resume(other_side(x, s));
}

static void joined_close(struct net_stream *s, int code UNUSED, const char *why UNUSED)
{
	struct relay *x = net_stream_ctx(s);

	net_stream_close(other_side(x, s));
	relay_free(x);
}

static const struct net_stream_ops joined_ops = {
	.on_data = joined_data, .on_drain = joined_drain, .on_close = joined_close};

/* ---- the node's answer ---- */

static void answer_failure(struct relay *x, const char *why)
{
	struct buf b CLEANUP_BUF = {0};
	struct meta_status *s = status_internal(
		&x->arena, arena_printf(&x->arena, "error dialing backend: %s", why));

	object_encode(&b, &type_meta_status, s, NULL, NULL);
	http_respond_text(x->http, s->code, STR("application/json"), buf_str(&b));
	x->http = NULL;
	relay_free(x);
}

static void on_headers(struct http_call *call, const struct http_response *response)
{
	struct relay *x = http_call_ctx(call);
	struct str type =
		http_header_find(response->headers, response->n_headers, STR("content-type"));
	struct http_header h = HTTP_HEADER("Content-Type", type.n ? type : STR("text/plain"));

	x->started = true;
	http_respond_start(x->http, response->status, &h, 1);
}

static void on_data(struct http_call *call, const char *p, size_t n)
{
	struct relay *x = http_call_ctx(call);

	http_write_copy(x->http, str_make(p, n));
	if (http_pending_bytes(x->http) > PENDING_MAX) {
		http_call_pause(call);
	}
}

static void client_drained(struct http_request *http)
{
	struct relay *x = http->data;

	if (x->call) {
		http_call_resume(x->call);
	}
}

static void client_gone(struct http_request *http)
{
	struct relay *x = http->data;

	if (x->call) {
		http_call_cancel(x->call);
		x->call = NULL;
	}
	http_end(http);
	x->http = NULL;
	relay_free(x);
}

static void on_end(struct http_call *call, const struct http_response *response, int code,
		   const char *why)
{
	struct relay *x = http_call_ctx(call);

	x->call = NULL;
	if (!x->started) {
		if (response && code == 0) {
			http_respond_text(x->http, response->status, STR("text/plain"), STR(""));
			x->http = NULL;
			relay_free(x);
			return;
		}
		answer_failure(x, why ? why : "no answer");
		return;
	}
	if (code < 0) {
		http_abort(x->http);
	} else {
		http_end(x->http);
	}
	x->http = NULL;
	relay_free(x);
}

static bool is_hop_header(struct str name)
{
	static const char *const names[] = {"connection", "content-length", "date",
					    "transfer-encoding", "keep-alive"};

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (str_eq_nocase(name, str_of(names[i]))) {
			return true;
		}
	}
	return false;
}

static void on_upgrade(struct http_call *call, const struct http_response *response,
		       struct net_stream *up)
{
	struct relay *x = http_call_ctx(call);
	struct http_header headers[HEADERS_MAX];
	size_t n = 0;

	for (size_t i = 0; i < response->n_headers && n < HEADERS_MAX; i++) {
		if (!is_hop_header(response->headers[i].name)) {
			headers[n++] = response->headers[i];
		}
	}
	x->call = NULL;
	x->up = up;
	net_stream_set_owner(up, &joined_ops, x);
	if (http_upgrade(x->http, headers, n, &joined_ops, x, &x->down) < 0) {
		net_stream_abort(up);
		http_abort(x->http);
		x->http = NULL;
		relay_free(x);
		return;
	}
	x->http = NULL;
}

static void start_call(struct relay *x, const struct target *t)
{
	static const struct http_call_ops ops = {
		.on_headers = on_headers, .on_data = on_data, .on_end = on_end};
	static const struct http_call_ops upgrade_ops = {.on_headers = on_headers,
							 .on_data = on_data,
							 .on_end = on_end,
							 .on_upgrade = on_upgrade};
	struct http_client_opts copts = {.addr = t->addr,
					 .tls = x->api->config.kubelet_tls,
					 .connect_timeout_ms = CONNECT_TIMEOUT_MS};
	struct http_header headers[HEADERS_MAX];
	struct http_call_opts opts = {.method = x->http->method,
				      .path = t->path,
				      .headers = headers,
				      .upgrade = t->upgrade};

	for (size_t i = 0; t->upgrade && i < x->http->n_headers && opts.n_headers < HEADERS_MAX - 2;
	     i++) {
		struct str name = x->http->headers[i].name;

		if (str_has_prefix(name, STR("sec-websocket-")) || str_is(name, "upgrade") ||
		    str_is(name, "x-stream-protocol-version")) {
			headers[opts.n_headers++] = x->http->headers[i];
		}
	}
	if (t->upgrade) {
		headers[opts.n_headers++] = HTTP_HEADER("Connection", STR("Upgrade"));
	}
	x->client = http_client_new(x->api->config.net, &copts);
	x->http->data = x;
	http_on_close(x->http, client_gone);
	http_on_drain(x->http, client_drained);
	x->call = http_call_start(x->client, &opts, t->upgrade ? &upgrade_ops : &ops, x);
}

static void connect_to_node(struct request *r, struct http_request *http)
{
	struct target *t = r->verb_state;
	struct relay *x = NEW(struct relay);
	struct target copy = *t;

	x->api = r->api;
	x->http = http;
	copy.path = arena_str(&x->arena, t->path);
	start_call(x, &copy);
}

/* ---- where to ---- */

static struct meta_status *find_node(struct request *r, struct str name, struct net_addr *ret)
{
	struct frozen *f = informer_get(
		informers_get(r->api->informers, &resource_core_nodes, STR_NULL), STR_NULL, name);
	const struct core_node *node = f ? FROZEN_AS(f, core_nodes, struct core_node) : NULL;
	struct status_about about = {STR_NULL, STR("nodes"), name};

	if (!node) {
		return status_not_found(&r->arena, &about);
	}
	for (size_t i = 0; i < node->status.addresses.n; i++) {
		int port = node->status.daemon_endpoints.kubelet_endpoint.port;

		if (str_is(node->status.addresses.p[i].type, "InternalIP") &&
		    net_addr_make(node->status.addresses.p[i].address,
				  (uint16_t)(port ? port : 10250), ret, NULL) == 0) {
			return NULL;
		}
	}
	return status_internal(
		&r->arena, arena_printf(&r->arena, "node \"%.*s\" has no InternalIP address yet",
					STR_ARG(name)));
}

static bool has_container(const struct core_pod *pod, struct str name)
{
	for (size_t i = 0; i < pod->spec.containers.n; i++) {
		if (str_eq(pod->spec.containers.p[i].name, name)) {
			return true;
		}
	}
	for (size_t i = 0; i < pod->spec.init_containers.n; i++) {
		if (str_eq(pod->spec.init_containers.p[i].name, name)) {
			return true;
		}
	}
	return false;
}

/* The one named, or the only one there is. */
static struct meta_status *choose_container(struct request *r, const struct core_pod *pod,
					    struct str *ret)
{
	struct buf names CLEANUP_BUF = {0};
	struct str raw = STR("");

	if (query_find(r->query, STR("container"), &raw) && raw.n) {
		*ret = query_unescape(&r->arena, raw);
		if (!has_container(pod, *ret)) {
			return status_bad_request(&r->arena,
						  "container %.*s is not valid for pod %.*s",
						  STR_ARG(*ret), STR_ARG(pod->metadata.name));
		}
		return NULL;
	}
	if (pod->spec.containers.n == 1) {
		*ret = pod->spec.containers.p[0].name;
		return NULL;
	}
	for (size_t i = 0; i < pod->spec.containers.n; i++) {
		buf_add_str(&names, i ? STR(" ") : STR(""));
		buf_add_str(&names, pod->spec.containers.p[i].name);
	}
	return status_bad_request(
		&r->arena, "a container name must be specified for pod %.*s, choose one of: [%.*s]",
		STR_ARG(pod->metadata.name), STR_ARG(buf_str(&names)));
}

/* Query parameters in the kubelet's words, as they came (still escaped). */
static void add_parameters(struct request *r, struct buf *path)
{
	static const struct {
		const char *api, *kubelet;
		bool flag; /* "true" becomes 1 */
	} names[] = {
		{"stdin", "input", true},
		{"stdout", "output", true},
		{"stderr", "error", true},
		{"tty", "tty", true},
		{"command", "command", false},
		{"ports", "port", false},
		{"follow", "follow", false},
		{"previous", "previous", false},
		{"sinceSeconds", "sinceSeconds", false},
		{"sinceTime", "sinceTime", false},
		{"timestamps", "timestamps", false},
		{"tailLines", "tailLines", false},
		{"limitBytes", "limitBytes", false},
		{"stream", "stream", false},
	};
	struct str query = r->query;
	struct str pair;
	char sep = '?';

	while (str_cut(&query, '&', &pair)) {
		struct str name;

		str_cut(&pair, '=', &name);
		for (size_t i = 0; i < ARRAY_LEN(names); i++) {
			if (!str_eq(name, str_of(names[i].api)) ||
			    (names[i].flag && !str_is(pair, "true") && !str_is(pair, "1"))) {
				continue;
			}
			buf_printf(path, "%c%s=%.*s", sep, names[i].kubelet,
				   STR_ARG(names[i].flag ? STR("1") : pair));
			sep = '&';
		}
	}
}

static enum stage_result relay_to_node(struct request *r, const char *endpoint, bool container,
				       bool upgrade)
{
	struct frozen *f =
		informer_get(informers_get(r->api->informers, &resource_core_pods, STR_NULL),
			     r->info.ns, r->info.name);
	const struct core_pod *pod = f ? FROZEN_AS(f, core_pods, struct core_pod) : NULL;
	struct target *t = ARENA_NEW(&r->arena, struct target);
	struct status_about about = request_about(r);
	struct buf path CLEANUP_BUF = {0};
	struct meta_status *refusal;
	struct str name = STR("");

	if (!pod) {
		return answer_status(r, status_not_found(&r->arena, &about));
	}
	if (!pod->spec.node_name.n) {
		return answer_status(r, status_bad_request(&r->arena,
							   "pod %.*s does not have a host assigned",
							   STR_ARG(r->info.name)));
	}
	refusal = container ? choose_container(r, pod, &name) : NULL;
	if (!refusal) {
		refusal = find_node(r, pod->spec.node_name, &t->addr);
	}
	if (refusal) {
		return answer_status(r, refusal);
	}
	if (!r->http) {
		return answer_status(
			r, status_bad_request(&r->arena, "in-process clients do not stream"));
	}
	buf_printf(&path, "/%s/%.*s/%.*s", endpoint, STR_ARG(r->info.ns), STR_ARG(r->info.name));
	if (container) {
		buf_printf(&path, "/%.*s", STR_ARG(name));
	}
	add_parameters(r, &path);
	t->path = arena_str(&r->arena, buf_str(&path));
	t->upgrade = upgrade;
	r->verb_state = t;
	r->answer.kind = ANSWER_CONNECT;
	r->answer.http_status = 200;
	r->answer.connect = connect_to_node;
	return STAGE_ANSWERED;
}

enum stage_result pod_log(struct request *r)
{
	return relay_to_node(r, "containerLogs", true, false);
}

enum stage_result pod_exec(struct request *r)
{
	bool forward = str_is(r->info.subresource, "portforward");

	if (r->http && !http_wants_upgrade(r->http, STR("websocket")) &&
	    !http_wants_upgrade(r->http, STR("SPDY/3.1"))) {
		return answer_status(r, status_bad_request(&r->arena, "Upgrade request required"));
	}
	return relay_to_node(r,
			     forward				     ? "portForward"
			     : str_is(r->info.subresource, "attach") ? "attach"
								     : "exec",
			     !forward, true);
}
