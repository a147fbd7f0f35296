/* SPDX-License-Identifier: Apache-2.0 */
/* http_load: a load generator for HTTP/1.1 over TLS: keep-alive connections, one request at a time on each, no retries.
 *     http_load --connect 127.0.0.1:6443 --ca ca.crt --server-name localhost --connections 32 --seconds 5
 *               --header 'Authorization: Bearer ...' --method GET --path '/api/v1/namespaces/default/configmaps/cm-{rand:10000}'
 * In path and body {rand:N} becomes a random number below N, {seq} one that is never repeated. Prints one line of JSON. */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/vec.h"
#include "crypto/secret.h"
#include "loop/loop.h"
#include "net/stream.h"

enum {
	FILE_MAX = 4 * 1024 * 1024,
	HEAD_MAX = 65536,
	SAMPLES_MAX = 4 * 1024 * 1024,
};

struct load_opts {
	struct net_addr addr;
	struct str server_name;
	struct str method, path;
	struct buf headers, body;
	struct tls_ctx *tls;
	int connections;
	int64_t warmup_ms, run_ms;
	int64_t max_requests; /* 0: by time */
};

struct load {
	struct load_opts opts;
	struct loop *loop;
	struct net *net;
	struct env_timer timer;
	int64_t start_ns, end_ns;
	bool measuring, stopping;
	uint64_t seq, rng;
	uint64_t done, issued, non_2xx, errors, bytes;
	VEC(uint32_t) latencies_us;
	int open;
	char first_bad[400];
};

enum parse_state { IN_HEAD, IN_BODY, IN_CHUNK_SIZE, IN_CHUNK, IN_CHUNK_END };

struct client {
	struct load *load;
	struct net_stream *stream;
	struct buf head; /* of the response under way */
	struct buf request;
	enum parse_state state;
	uint64_t left;
	bool last_chunk;
	int status;
	int64_t sent_ns;
};

static uint64_t next_random(struct load *load)
{
	uint64_t x = load->rng;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return load->rng = x;
}

/* {rand:N} and {seq} */
static void expand(struct load *load, struct str pattern, struct buf *out)
{
	for (size_t i = 0; i < pattern.n;) {
		struct str rest = str_from(pattern, i);
		ptrdiff_t end;
		uint64_t n;

		if (str_has_prefix(rest, STR("{seq}"))) {
			buf_add_uint64(out, load->seq++);
			i += 5;
			continue;
		}
		end = str_find_char(rest, '}');
		if (str_has_prefix(rest, STR("{rand:")) && end > 0 &&
		    str_to_uint64(str_sub(rest, 6, (size_t)end - 6), &n) == 0 && n) {
			buf_add_uint64(out, next_random(load) % n);
			i += (size_t)end + 1;
			continue;
		}
		buf_add_char(out, rest.p[0]);
		i++;
	}
}

static void send_request(struct client *c)
{
	struct load *load = c->load;
	struct load_opts *o = &load->opts;
	struct buf body CLEANUP_BUF = {0};

	if (o->max_requests && load->issued >= (uint64_t)o->max_requests) {
		return;
	}
	load->issued++;
	buf_clear(&c->request);
	buf_add_str(&c->request, o->method);
	buf_add_char(&c->request, ' ');
	expand(load, o->path, &c->request);
	buf_puts(&c->request, " HTTP/1.1\r\nHost: ");
	buf_add_str(&c->request, o->server_name);
	buf_puts(&c->request, "\r\n");
	buf_add_str(&c->request, buf_str(&o->headers));
	if (o->body.n) {
		expand(load, buf_str(&o->body), &body);
		buf_printf(&c->request, "Content-Length: %zu\r\n", body.n);
	}
	buf_puts(&c->request, "\r\n");
	buf_add_str(&c->request, buf_str(&body));
	c->state = IN_HEAD;
	buf_clear(&c->head);
	c->sent_ns = env_mono_ns(loop_env(load->loop));
	net_stream_write_copy(c->stream, c->request.p, c->request.n);
}

static void finish(struct client *c)
{
	struct load *load = c->load;
	int64_t now = env_mono_ns(loop_env(load->loop));

	if (load->measuring) {
		load->done++;
		if (load->latencies_us.n < SAMPLES_MAX) {
			*vec_push(&load->latencies_us) = (uint32_t)((now - c->sent_ns) / 1000);
		}
		if (c->status < 200 || c->status > 299) {
			load->non_2xx++;
			if (!load->first_bad[0]) {
				snprintf(load->first_bad, sizeof(load->first_bad), "%.*s",
					 (int)MIN(c->head.n, (size_t)300), c->head.p);
			}
		}
	}
	if (load->opts.max_requests && load->done >= (uint64_t)load->opts.max_requests) {
		load->end_ns = now;
		loop_stop(load->loop);
		return;
	}
	if (!load->stopping) {
		send_request(c);
	}
}

/* The head is complete: how does the body end? */
static void read_head(struct client *c, struct str head)
{
	struct str rest = head;
	struct str line;
	uint64_t n = 0;

	c->status = head.n > 12
			    ? (head.p[9] - '0') * 100 + (head.p[10] - '0') * 10 + head.p[11] - '0'
			    : 0;
	c->left = 0;
	c->state = IN_BODY;
	while (str_cut(&rest, '\n', &line)) {
		struct str value = line;
		struct str name;

		str_cut(&value, ':', &name);
		if (str_eq_nocase(name, STR("content-length")) &&
		    str_to_uint64(str_trim(value), &n) == 0) {
			c->left = n;
		} else if (str_eq_nocase(name, STR("transfer-encoding"))) {
			c->state = IN_CHUNK_SIZE;
			c->last_chunk = false;
		}
	}
}

static size_t take_line(struct client *c, struct str in, struct str end)
{
	size_t before = c->head.n;
	size_t from = before >= end.n ? before - end.n : 0;
	ptrdiff_t at;

	buf_add_str(&c->head, in);
	at = str_find(str_from(buf_str(&c->head), from), end);
	if (at < 0) {
		ASSERT(c->head.n < HEAD_MAX);
		return in.n;
	}
	c->head.n = from + (size_t)at + end.n;
	return c->head.n - before;
}

static size_t parse_some(struct client *c, struct str in)
{
	size_t n;

	switch (c->state) {
	case IN_HEAD:
		n = take_line(c, in, STR("\r\n\r\n"));
		if (str_has_suffix(buf_str(&c->head), STR("\r\n\r\n"))) {
			read_head(c, buf_str(&c->head));
			if (c->state == IN_BODY && c->left == 0) {
				finish(c);
			} else if (c->state == IN_CHUNK_SIZE) {
				buf_clear(&c->head);
			}
		}
		return n;
	case IN_CHUNK_SIZE:
		n = take_line(c, in, STR("\r\n"));
		if (str_has_suffix(buf_str(&c->head), STR("\r\n"))) {
			c->left = strtoull(buf_cstr(&c->head), NULL, 16) + 2;
			c->last_chunk = c->left == 2;
			c->state = IN_CHUNK;
			buf_clear(&c->head);
		}
		return n;
	default:
		n = MIN(in.n, c->left);
		c->left -= n;
		if (c->left == 0) {
			if (c->state == IN_CHUNK && !c->last_chunk) {
				c->state = IN_CHUNK_SIZE;
			} else {
				finish(c);
			}
		}
		return n;
	}
}

static size_t on_data(struct net_stream *s, const char *p, size_t n)
{
	struct client *c = net_stream_ctx(s);
	size_t done = 0;

	c->load->bytes += n;
	while (done < n) {
		done += parse_some(c, str_make(p + done, n - done));
	}
	return n;
}

static void on_ready(struct net_stream *s)
{
	struct client *c = net_stream_ctx(s);

	c->load->open++;
	send_request(c);
}

static void on_close(struct net_stream *s, int code UNUSED, const char *why)
{
	struct client *c = net_stream_ctx(s);

	c->stream = NULL;
	c->load->errors++;
	fprintf(stderr, "http_load: connection lost: %s\n", why);
	if (c->load->errors >= (uint64_t)c->load->opts.connections) {
		loop_stop(c->load->loop);
	}
}

static const struct net_stream_ops ops = {
	.on_ready = on_ready, .on_data = on_data, .on_close = on_close};

static void handle_phase(struct env_timer *timer)
{
	struct load *load = CONTAINER_OF(timer, struct load, timer);
	struct env *env = loop_env(load->loop);

	if (!load->measuring) {
		load->measuring = true;
		load->start_ns = env_mono_ns(env);
		env_timer_start_in(env, timer, load->opts.run_ms * NS_PER_MS);
		return;
	}
	load->stopping = true;
	load->end_ns = env_mono_ns(env);
	loop_stop(load->loop);
}

static int compare_u32(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a;
	uint32_t y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

static uint32_t percentile(const struct load *load, double q)
{
	size_t n = load->latencies_us.n;

	return n ? load->latencies_us.p[MIN((size_t)((double)n * q), n - 1)] : 0;
}

static void print_result(struct load *load)
{
	double seconds = (double)(load->end_ns - load->start_ns) / 1e9;

	if (load->latencies_us.n) {
		qsort(load->latencies_us.p, load->latencies_us.n, sizeof(uint32_t), compare_u32);
	}
	printf("{\"requests_per_s\":%.0f,\"requests\":%llu,\"seconds\":%.3f,\"non_2xx\":%llu,"
	       "\"errors\":%llu,"
	       "\"p50_us\":%u,\"p99_us\":%u,\"p999_us\":%u,\"mb_per_s\":%.1f}\n",
	       seconds > 0 ? (double)load->done / seconds : 0, (unsigned long long)load->done,
	       seconds, (unsigned long long)load->non_2xx, (unsigned long long)load->errors,
	       percentile(load, 0.5), percentile(load, 0.99), percentile(load, 0.999),
	       seconds > 0 ? (double)load->bytes / seconds / 1e6 : 0);
	if (load->first_bad[0]) {
		fprintf(stderr, "http_load: first response that was not 2xx:\n%s\n",
			load->first_bad);
	}
}

static NORETURN void fail(const char *what)
{
	fprintf(stderr, "http_load: %s\n", what);
	exit(2);
}

static struct buf read_or_fail(const char *path)
{
	struct err err = {0};
	struct buf b = {0};

	if (secret_file_read(path, FILE_MAX, &b, &err) < 0) {
		fail(err_msg(&err));
	}
	return b;
}

static int64_t number(const char *text)
{
	int64_t n;

	if (str_to_int64(str_of(text), &n) < 0 || n < 0) {
		fail("a number is expected");
	}
	return n;
}

static const struct option options[] = {
	{"connect", required_argument, NULL, 'a'},   {"server-name", required_argument, NULL, 'n'},
	{"ca", required_argument, NULL, 'c'},	     {"cert", required_argument, NULL, 'e'},
	{"key", required_argument, NULL, 'k'},	     {"header", required_argument, NULL, 'H'},
	{"method", required_argument, NULL, 'm'},    {"path", required_argument, NULL, 'p'},
	{"body", required_argument, NULL, 'b'},	     {"connections", required_argument, NULL, 'x'},
	{"seconds", required_argument, NULL, 's'},   {"requests", required_argument, NULL, 'r'},
	{"plain", no_argument, NULL, 'P'},	     {"seq-start", required_argument, NULL, 'q'},
	{"warmup-ms", required_argument, NULL, 'w'}, {0}};

static void parse_args(int argc, char **argv, struct load *load)
{
	struct load_opts *o = &load->opts;
	struct buf ca = {0}, cert = {0}, key = {0};
	struct tls_client_opts tls = {0};
	struct err err = {0};
	bool plain = false;
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (c) {
		case 'a':
			if (net_addr_parse(str_of(optarg), &o->addr, &err) < 0) {
				fail(err_msg(&err));
			}
			break;
		case 'n':
			o->server_name = str_of(optarg);
			break;
		case 'c':
			ca = read_or_fail(optarg);
			break;
		case 'e':
			cert = read_or_fail(optarg);
			break;
		case 'k':
			key = read_or_fail(optarg);
			break;
		case 'H':
			buf_printf(&o->headers, "%s\r\n", optarg);
			break;
		case 'm':
			o->method = str_of(optarg);
			break;
		case 'p':
			o->path = str_of(optarg);
			break;
		case 'b':
			o->body = read_or_fail(optarg);
			break;
		case 'x':
			o->connections = (int)number(optarg);
			break;
		case 's':
			o->run_ms = number(optarg) * 1000;
			break;
		case 'r':
			o->max_requests = number(optarg);
			break;
		case 'q':
			load->seq = (uint64_t)number(optarg);
			break;
		case 'w':
			o->warmup_ms = number(optarg);
			break;
		case 'P':
			plain = true;
			break;
		default:
			exit(2);
		}
	}
	if (!o->addr.n) {
		fail("--connect address:port is needed");
	}
	if (plain) {
		return;
	}
	tls.insecure_skip_verify = ca.n == 0;
	tls.ca_pem = ca.n ? buf_str(&ca) : STR_NULL;
	tls.cert_pem = cert.n ? buf_str(&cert) : STR_NULL;
	tls.key_pem = buf_str(&key);
	if (tls_client_new(&tls, &o->tls, &err) < 0) {
		fail(err_msg(&err));
	}
	buf_fini(&ca);
	buf_fini(&cert);
	secret_buf_fini(&key);
}

int main(int argc, char **argv)
{
	struct load load = {.opts = {.server_name = STR("localhost"),
				     .method = STR("GET"),
				     .path = STR("/"),
				     .connections = 32,
				     .warmup_ms = 500,
				     .run_ms = 3000}};
	struct err err = {0};
	struct client *clients;

	signal(SIGPIPE, SIG_IGN);
	secret_random(&load.rng, sizeof(load.rng));
	load.rng |= 1;
	parse_args(argc, argv, &load);
	load.loop = loop_new();
	load.net = net_new(loop_env(load.loop), loop_uv(load.loop));
	clients = mem_new_array((size_t)load.opts.connections, sizeof(*clients));
	load.timer.fn = handle_phase;
	if (load.opts.max_requests) {
		load.measuring = true;
		load.start_ns = env_mono_ns(loop_env(load.loop));
	} else {
		env_timer_start_in(loop_env(load.loop), &load.timer,
				   load.opts.warmup_ms * NS_PER_MS);
	}
	for (int i = 0; i < load.opts.connections; i++) {
		clients[i].load = &load;
		if (net_stream_connect(load.net, &load.opts.addr, load.opts.tls,
				       load.opts.server_name, 5000, &ops, &clients[i],
				       &clients[i].stream, &err) < 0) {
			fail(err_msg(&err));
		}
	}
	loop_run(load.loop);
	print_result(&load);
	return load.errors || load.non_2xx ? 1 : 0;
}
