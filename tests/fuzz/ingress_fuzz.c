/* SPDX-License-Identifier: Apache-2.0 */
/* Whatever stands in an Ingress: the rendered configuration parses by nginx's rules and has no directive but ours. Input: lines, "H host",
 * "P path", "E path" (Exact), "I path", "S service", "A name" and "V value" of annotations, "T tls host"; then what nginx itself says to us. */
#include <stdint.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "ingress/control.h"
#include "ingress/fixture.h"
#include "ingress/nginx_log.h"
#include "ingress/nginx_spawn.h"
#include "ingress/render.h"

#define LINES_MAX 16

static const char *const directives[] = {
	"daemon",
	"load_module",
	"worker_processes",
	"worker_rlimit_nofile",
	"worker_shutdown_timeout",
	"pid",
	"error_log",
	"pcre_jit",
	"events",
	"worker_connections",
	"multi_accept",
	"http",
	"lua_package_path",
	"lua_shared_dict",
	"init_by_lua_block",
	"init_worker_by_lua_block",
	"upstream",
	"server",
	"balancer_by_lua_block",
	"keepalive",
	"keepalive_timeout",
	"keepalive_requests",
	"client_body_temp_path",
	"proxy_temp_path",
	"fastcgi_temp_path",
	"uwsgi_temp_path",
	"scgi_temp_path",
	"access_log",
	"server_tokens",
	"default_type",
	"tcp_nopush",
	"reset_timedout_connection",
	"port_in_redirect",
	"client_header_timeout",
	"client_body_timeout",
	"client_max_body_size",
	"server_names_hash_max_size",
	"server_names_hash_bucket_size",
	"variables_hash_max_size",
	"map_hash_bucket_size",
	"limit_req_status",
	"limit_conn_status",
	"ssl_certificate",
	"ssl_certificate_key",
	"ssl_protocols",
	"ssl_ciphers",
	"ssl_session_cache",
	"ssl_session_timeout",
	"ssl_session_tickets",
	"map",
	"geo",
	"proxy_http_version",
	"proxy_set_header",
	"proxy_buffering",
	"proxy_redirect",
	"proxy_connect_timeout",
	"proxy_send_timeout",
	"proxy_read_timeout",
	"proxy_next_upstream",
	"proxy_next_upstream_tries",
	"limit_req_zone",
	"limit_conn_zone",
	"listen",
	"server_name",
	"set",
	"ssl_certificate_by_lua_block",
	"location",
	"return",
	"header_filter_by_lua_block",
	"rewrite_by_lua_block",
	"proxy_pass",
	"limit_req",
	"limit_conn",
	"allow",
	"deny",
	"limit_rate",
	"limit_rate_after",
	"client_body_buffer_size",
	"content_by_lua_block",
};

static void expect_ours(struct str word)
{
	for (size_t i = 0; i < ARRAY_LEN(directives); i++) {
		if (str_eq(word, str_of(directives[i]))) {
			return;
		}
	}
	fprintf(stderr, "directive '%.*s'\n", STR_ARG(word));
	abort();
}

/* End of the quoted string that begins at i. */
static size_t skip_quoted(struct str conf, size_t i)
{
	char quote = conf.p[i];

	for (i++; i < conf.n && conf.p[i] != quote; i++) {
		i += conf.p[i] == '\\';
	}
	ASSERT(i < conf.n);
	return i;
}

/* A small nginx parser: words, strings, comments, blocks. Inside map, geo and Lua blocks the first words are data. */
static void check_conf(struct str conf)
{
	bool at_start = true, is_data[16] = {0};
	struct str first = STR_NULL;
	int depth = 0;

	for (size_t i = 0; i < conf.n; i++) {
		char c = conf.p[i];

		if (c == '#') {
			i += (size_t)str_find_char(str_from(conf, i), '\n');
		} else if (c == '"' || c == '\'') {
			ASSERT(!at_start || is_data[depth]);
			i = skip_quoted(conf, i);
			at_start = false;
		} else if (c == ';') {
			at_start = true;
		} else if (c == '{') {
			depth++;
			ASSERT(depth < 16);
			is_data[depth] = str_is(first, "map") || str_is(first, "geo") ||
					 str_has_suffix(first, STR("_block"));
			at_start = true;
		} else if (c == '}') {
			depth--;
			ASSERT(depth >= 0);
			at_start = true;
		} else if (c != ' ' && c != '\t' && c != '\n') {
			size_t start = i;

			while (i + 1 < conf.n && !memchr(" \t\n;{}", conf.p[i + 1], 6)) {
				/* ${name} */
				if (conf.p[i] == '$' && conf.p[i + 1] == '{') {
					break;
				}
				i++;
			}
			if (conf.p[i] == '$' && i + 1 < conf.n && conf.p[i + 1] == '{') {
				i += (size_t)str_find_char(str_from(conf, i), '}');
			}
			if (at_start && !is_data[depth]) {
				first = str_sub(conf, start, i + 1 - start);
				expect_ours(first);
			}
			at_start = false;
		}
	}
	ASSERT(depth == 0);
}

static struct networking_ingress *make_object(struct arena *a, struct str input)
{
	struct ingress_case c = {.ns = "default", .name = "web"};
	struct networking_ingress *in = make_ingress(a, &c);
	struct networking_ingress_rule *rule;
	struct str line, host = STR("a.example"), service = STR("s"),
			 key = STR("nginx.ingress.kubernetes.io/x");
	size_t n = 0;

	in->metadata.annotations.p = ARENA_ARRAY(a, LINES_MAX, struct str_pair);
	in->spec.rules.p = arena_alloc_array(a, LINES_MAX, sizeof(*in->spec.rules.p));
	in->spec.tls.p = arena_alloc_array(a, 1, sizeof(*in->spec.tls.p));
	while (n++ < LINES_MAX && str_cut(&input, '\n', &line)) {
		struct str rest = str_from(line, 2);

		switch (line.n ? line.p[0] : 0) {
		case 'H':
			host = rest;
			break;
		case 'S':
			service = rest;
			break;
		case 'A':
			key = arena_printf(a, "nginx.ingress.kubernetes.io/%.*s", STR_ARG(rest));
			break;
		case 'V':
			in->metadata.annotations.p[in->metadata.annotations.n++] =
				(struct str_pair){key, rest};
			break;
		case 'T':
			in->spec.tls.n = 1;
			in->spec.tls.p[0].secret_name = rest;
			in->spec.tls.p[0].hosts.p = ARENA_NEW(a, struct str);
			in->spec.tls.p[0].hosts.p[0] = rest;
			in->spec.tls.p[0].hosts.n = 1;
			break;
		default:
			rule = &in->spec.rules.p[in->spec.rules.n++];
			rule->host = host;
			rule->http = ARENA_NEW(a, struct networking_http_ingress_rule_value);
			rule->http->paths.p = arena_alloc_array(a, 1, sizeof(*rule->http->paths.p));
			rule->http->paths.n = 1;
			rule->http->paths.p[0].path = rest;
			rule->http->paths.p[0].path_type =
				make_str(a, line.n && line.p[0] == 'E'	 ? "Exact"
					    : line.n && line.p[0] == 'I' ? "ImplementationSpecific"
									 : "Prefix");
			rule->http->paths.p[0].backend = make_backend(a, "s", 80, NULL);
			rule->http->paths.p[0].backend.service->name = service;
		}
	}
	return in;
}

static void fuzz_ingress(struct str input)
{
	static struct str listen[] = {STR_INIT("0.0.0.0:80")};
	static const struct render_opts opts = {.runtime_dir = "/run/x",
						.script_name = STR_INIT("s"),
						.http = {listen, 1},
						.https = {listen, 1}};
	struct arena arena CLEANUP_ARENA = {0};
	struct claim *claim = claim_new(make_object(&arena, input));
	const struct claim *claims[] = {claim};
	struct buf conf CLEANUP_BUF = {0};
	char generation[RENDER_GENERATION_LEN + 1];
	struct model model;

	ASSERT(claim);
	model_compute(&model, claims, 1, true);
	render(&model, &opts, &conf, generation);
	check_conf(buf_str(&conf));
	model_fini(&model);
	claim_free(claim);
}

static void fuzz_answers(struct str input)
{
	enum log_level level;
	struct str text;
	int64_t line;
	int status;

	if (control_parse_answer(input, &status, &text) == 0) {
		ASSERT(status >= 100 && status < 600);
	}
	if (nginx_log_parse(input, &level, &text)) {
		ASSERT(text.n <= input.n);
	}
	nginx_find_complaint(input, &line, &text);
	ASSERT(line >= 0 && text.n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct str input = str_make(data, n);

	fuzz_ingress(input);
	fuzz_answers(input);
	return 0;
}
