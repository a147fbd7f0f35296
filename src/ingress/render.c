/* SPDX-License-Identifier: Apache-2.0 */
#include "ingress/render.h"

#include <arpa/inet.h>
#include <openssl/sha.h>

static const struct annotations defaults_of_http = {
	.body_bytes_max = 1 << 20,
	.connect_timeout_s = 5,
	.send_timeout_s = 60,
	.read_timeout_s = 60,
};

/* Hexadecimal digest, cut to n digits. */
static void add_digest(struct buf *out, struct str text, size_t n)
{
	unsigned char digest[SHA256_DIGEST_LENGTH];

	SHA256((const unsigned char *)text.p, text.n, digest);
	for (size_t i = 0; i < n / 2; i++) {
		buf_printf(out, "%02x", digest[i]);
	}
}

/* As a string of nginx's configuration. Only paths come here, which have no control characters. */
static void add_quoted(struct buf *out, struct str s)
{
	buf_add_char(out, '"');
	for (size_t i = 0; i < s.n; i++) {
		ASSERT((unsigned char)s.p[i] >= 0x20);
		if (s.p[i] == '"' || s.p[i] == '\\') {
			buf_add_char(out, '\\');
		}
		buf_add_char(out, s.p[i]);
	}
	buf_add_char(out, '"');
}

static void add_cidr(struct buf *out, const struct cidr *cidr)
{
	char text[INET6_ADDRSTRLEN];

	inet_ntop(cidr->family, cidr->addr, text, sizeof(text));
	buf_printf(out, "%s/%u", text, cidr->prefix);
}

static void render_head(const struct render_opts *o, struct buf *out)
{
	buf_printf(out,
		   "# Written by cox ingress; what is changed here is lost.\n"
		   "daemon off;\n"
		   "load_module /usr/lib/nginx/modules/ndk_http_module.so;\n"
		   "load_module /usr/lib/nginx/modules/ngx_http_lua_module.so;\n"
		   "worker_processes %u;\n"
		   "worker_rlimit_nofile %u;\n"
		   "worker_shutdown_timeout 240s;\n"
		   "pid %s/nginx.pid;\n"
		   "error_log syslog:server=unix:%s/log.sock,nohostname,tag=nginx notice;\n"
		   "pcre_jit on;\n"
		   "events {\n"
		   "\tworker_connections %u;\n"
		   "\tmulti_accept on;\n"
		   "}\n",
		   o->workers, o->files_max, o->runtime_dir, o->runtime_dir, o->connections);
}

static void render_lua(const struct render_opts *o, struct buf *out)
{
	buf_printf(out,
		   "\tlua_package_path '%s/?.lua;/usr/share/lua/5.1/?.lua';\n"
		   "\tlua_shared_dict cox 64m;\n"
		   "\tinit_by_lua_block { cox = require \"%.*s\"; cox.init(\"%s/snapshot\") }\n",
		   o->runtime_dir, STR_ARG(o->script_name), o->runtime_dir);
	for (int tls = 0; tls < 2; tls++) {
		/* The pool closes its idle connections before usual servers do (Node.js: 5 s), so that a request seldom
		 * meets a connection that is just being closed. What must not be sent twice gets a fresh connection. */
		buf_printf(out,
			   "\tupstream cox_pool%s {\n"
			   "\t\tserver 0.0.0.1;\n"
			   "\t\tbalancer_by_lua_block { cox.balance() }\n"
			   "\t\tkeepalive 320;\n"
			   "\t\tkeepalive_timeout 4s;\n"
			   "\t\tkeepalive_requests 10000;\n"
			   "\t}\n"
			   "\tupstream cox_fresh%s {\n"
			   "\t\tserver 0.0.0.1;\n"
			   "\t\tbalancer_by_lua_block { cox.balance() }\n"
			   "\t}\n",
			   tls ? "_tls" : "", tls ? "_tls" : "");
	}
}

static void render_client_side(const struct render_opts *o, struct buf *out)
{
	static const char *const temp[] = {"client_body", "proxy", "fastcgi", "uwsgi", "scgi"};

	for (size_t i = 0; i < ARRAY_LEN(temp); i++) {
		buf_printf(out, "\t%s_temp_path %s/temp/%s;\n", temp[i], o->runtime_dir, temp[i]);
	}
	if (o->access_log) {
		buf_printf(
			out,
			"\tlog_format cox '$remote_addr \"$request\" $status $body_bytes_sent "
			"$request_time $host $cox_backend "
			"$upstream_addr $upstream_status $req_id';\n"
			"\taccess_log syslog:server=unix:%s/log.sock,nohostname,tag=nginx cox;\n",
			o->runtime_dir);
	} else {
		buf_puts(out, "\taccess_log off;\n");
	}
	buf_puts(out, "\tserver_tokens off;\n"
		      "\tdefault_type text/html;\n"
		      "\ttcp_nopush on;\n"
		      "\treset_timedout_connection on;\n"
		      "\tport_in_redirect off;\n"
		      "\tkeepalive_timeout 75s;\n"
		      "\tkeepalive_requests 1000;\n"
		      "\tclient_header_timeout 60s;\n"
		      "\tclient_body_timeout 60s;\n"
		      "\tclient_max_body_size 1048576;\n"
		      "\tserver_names_hash_max_size 65536;\n"
		      "\tserver_names_hash_bucket_size 512;\n"
		      "\tvariables_hash_max_size 16384;\n"
		      "\tmap_hash_bucket_size 128;\n"
		      "\tlimit_req_status 503;\n"
		      "\tlimit_conn_status 503;\n");
	if (o->https.n) {
		buf_printf(out,
			   "\tssl_certificate %s/default.pem;\n"
			   "\tssl_certificate_key %s/default.pem;\n"
			   "\tssl_protocols TLSv1.2 TLSv1.3;\n"
			   "\tssl_ciphers ECDHE+AESGCM:ECDHE+CHACHA20;\n"
			   "\tssl_session_cache shared:cox_tls:10m;\n"
			   "\tssl_session_timeout 10m;\n"
			   "\tssl_session_tickets off;\n",
			   o->runtime_dir, o->runtime_dir);
	}
}

static void render_upstream_side(const struct render_opts *o, struct buf *out)
{
	buf_printf(out,
		   "\tmap $http_x_request_id $req_id { default $http_x_request_id; \"\" "
		   "$request_id; }\n"
		   "\tmap $scheme $cox_port { default %d; https %d; }\n"
		   "\tmap $request_method $cox_pool { default cox_pool; POST cox_fresh; PATCH "
		   "cox_fresh; LOCK cox_fresh; }\n"
		   "\tmap $request_method $cox_connection { default \"\"; POST close; PATCH close; "
		   "LOCK close; }\n"
		   "\tmap $http_upgrade $connection_upgrade { default upgrade; \"\" "
		   "$cox_connection; }\n",
		   o->public_http_port, o->public_https_port);
	buf_puts(out, "\tproxy_http_version 1.1;\n"
		      "\tproxy_set_header Host $http_host;\n"
		      "\tproxy_set_header Upgrade $http_upgrade;\n"
		      "\tproxy_set_header Connection $connection_upgrade;\n"
		      "\tproxy_set_header X-Request-ID $req_id;\n"
		      "\tproxy_set_header X-Real-IP $remote_addr;\n"
		      "\tproxy_set_header X-Forwarded-For $remote_addr;\n"
		      "\tproxy_set_header X-Forwarded-Host $http_host;\n"
		      "\tproxy_set_header X-Forwarded-Port $cox_port;\n"
		      "\tproxy_set_header X-Forwarded-Proto $scheme;\n"
		      "\tproxy_set_header X-Forwarded-Scheme $scheme;\n"
		      "\tproxy_set_header X-Scheme $scheme;\n"
		      "\tproxy_set_header X-Original-Forwarded-For $http_x_forwarded_for;\n"
		      "\tproxy_set_header Proxy \"\";\n"
		      "\tproxy_buffering off;\n"
		      "\tproxy_redirect off;\n"
		      "\tproxy_connect_timeout 5s;\n"
		      "\tproxy_send_timeout 60s;\n"
		      "\tproxy_read_timeout 60s;\n"
		      /* Without non_idempotent: a POST that was sent is never sent again. */
		      "\tproxy_next_upstream error timeout;\n"
		      "\tproxy_next_upstream_tries 3;\n");
}

static bool has_limits(const struct claim *claim)
{
	const struct annotations *a = &claim->annotations;

	return !a->denied && (a->limit_rps || a->limit_rpm || a->limit_connections);
}

/* Names of zones and variables of one Ingress: its namespace and name don't fit nginx's letters. */
static void add_id(struct buf *out, const struct claim *claim)
{
	struct buf name CLEANUP_BUF = {0};

	buf_printf(&name, "%.*s/%.*s", STR_ARG(claim->ns), STR_ARG(claim->name));
	/* nginx refuses a reload in which a zone changes its key, so with exemptions it has another name. */
	buf_add_char(out, claim->annotations.limit_whitelist.n ? 'x' : 'i');
	add_digest(out, buf_str(&name), 16);
}

static void render_limits(const struct claim *claim, struct buf *out)
{
	const struct annotations *a = &claim->annotations;
	struct buf id CLEANUP_BUF = {0}, key CLEANUP_BUF = {0};

	add_id(&id, claim);
	buf_printf(out, "\t# ingress %.*s/%.*s\n", STR_ARG(claim->ns), STR_ARG(claim->name));
	if (a->limit_whitelist.n) {
		buf_printf(out, "\tgeo $cox_exempt_%s { default 0;", buf_cstr(&id));
		for (size_t i = 0; i < a->limit_whitelist.n; i++) {
			buf_add_char(out, ' ');
			add_cidr(out, &a->limit_whitelist.p[i]);
			buf_puts(out, " 1;");
		}
		buf_printf(out,
			   " }\n\tmap $cox_exempt_%s $cox_client_%s { 0 $binary_remote_addr; 1 "
			   "\"\"; }\n",
			   buf_cstr(&id), buf_cstr(&id));
		buf_printf(&key, "$cox_client_%s", buf_cstr(&id));
	} else {
		buf_puts(&key, "$binary_remote_addr");
	}
	if (a->limit_rps) {
		buf_printf(out, "\tlimit_req_zone %s zone=rps_%s:5m rate=%ldr/s;\n", buf_cstr(&key),
			   buf_cstr(&id), (long)a->limit_rps);
	}
	if (a->limit_rpm) {
		buf_printf(out, "\tlimit_req_zone %s zone=rpm_%s:5m rate=%ldr/m;\n", buf_cstr(&key),
			   buf_cstr(&id), (long)a->limit_rpm);
	}
	if (a->limit_connections) {
		buf_printf(out, "\tlimit_conn_zone %s zone=conn_%s:5m;\n", buf_cstr(&key),
			   buf_cstr(&id));
	}
	buf_puts(out, "\t# end\n");
}

static void render_zones(const struct model *model, struct buf *out)
{
	struct map done;

	map_init(&done, 0);
	for (size_t i = 0; i < model->servers.n; i++) {
		const struct server *server = model->servers.p[i];

		for (size_t j = 0; j < server->locations.n; j++) {
			const struct claim *claim = server->locations.p[j].claim;
			struct str key = str_make(&claim, sizeof(struct claim *));

			if (claim && has_limits(claim) && !map_find(&done, key)) {
				map_put(&done, key, &done);
				render_limits(claim, out);
			}
		}
	}
	map_fini(&done);
}

static void render_cors(const struct annotations *a, struct buf *out)
{
	buf_printf(out,
		   "\t\t\tset $cox_cors \"%.*s\";\n"
		   "\t\t\tset $cox_cors_methods \"%.*s\";\n"
		   "\t\t\tset $cox_cors_headers \"%.*s\";\n"
		   "\t\t\tset $cox_cors_expose \"%.*s\";\n"
		   "\t\t\tset $cox_cors_credentials \"%s\";\n"
		   "\t\t\tset $cox_cors_max_age \"%ld\";\n",
		   STR_ARG(a->cors_allow_origin), STR_ARG(a->cors_allow_methods),
		   STR_ARG(a->cors_allow_headers), STR_ARG(a->cors_expose_headers),
		   a->cors_allow_credentials ? "true" : "", (long)a->cors_max_age_s);
}

static void render_guards(const struct claim *claim, struct buf *out)
{
	const struct annotations *a = &claim->annotations;
	struct buf id CLEANUP_BUF = {0};

	for (size_t i = 0; i < a->source_range.n; i++) {
		buf_puts(out, "\t\t\tallow ");
		add_cidr(out, &a->source_range.p[i]);
		buf_puts(out, ";\n");
	}
	if (a->source_range.n) {
		buf_puts(out, "\t\t\tdeny all;\n");
	}
	if (!has_limits(claim)) {
		return;
	}
	add_id(&id, claim);
	if (a->limit_connections) {
		buf_printf(out, "\t\t\tlimit_conn conn_%s %ld;\n", buf_cstr(&id),
			   (long)a->limit_connections);
	}
	if (a->limit_rps) {
		buf_printf(out, "\t\t\tlimit_req zone=rps_%s burst=%ld nodelay;\n", buf_cstr(&id),
			   (long)(a->limit_rps * a->limit_burst_multiplier));
	}
	if (a->limit_rpm) {
		buf_printf(out, "\t\t\tlimit_req zone=rpm_%s burst=%ld nodelay;\n", buf_cstr(&id),
			   (long)(a->limit_rpm * a->limit_burst_multiplier));
	}
}

static void render_settings(const struct annotations *a, struct buf *out)
{
	const struct annotations *d = &defaults_of_http;

	if (a->body_bytes_max != d->body_bytes_max) {
		buf_printf(out, "\t\t\tclient_max_body_size %ld;\n", (long)a->body_bytes_max);
	}
	if (a->connect_timeout_s != d->connect_timeout_s) {
		buf_printf(out, "\t\t\tproxy_connect_timeout %lds;\n", (long)a->connect_timeout_s);
	}
	if (a->send_timeout_s != d->send_timeout_s) {
		buf_printf(out, "\t\t\tproxy_send_timeout %lds;\n", (long)a->send_timeout_s);
	}
	if (a->read_timeout_s != d->read_timeout_s) {
		buf_printf(out, "\t\t\tproxy_read_timeout %lds;\n", (long)a->read_timeout_s);
	}
	if (a->limit_rate_kib) {
		buf_printf(out, "\t\t\tlimit_rate %ldk;\n", (long)a->limit_rate_kib);
	}
	if (a->limit_rate_after_kib) {
		buf_printf(out, "\t\t\tlimit_rate_after %ldk;\n", (long)a->limit_rate_after_kib);
	}
}

static void render_proxy(const struct server *server, const struct location *l,
			 const struct render_opts *o, struct buf *out)
{
	const struct annotations *a = &l->claim->annotations;

	buf_printf(out, "\t\t\tset $cox_backend \"e:%.*s\";\n", STR_ARG(l->backend));
	if (l->redirect) {
		buf_printf(out, "\t\t\tset $cox_redirect \"%d\";\n", o->public_https_port);
	}
	if (a->enable_cors) {
		render_cors(a, out);
	}
	if (a->enable_cors || server->tls) {
		buf_puts(out, "\t\t\theader_filter_by_lua_block { cox.headers() }\n");
	}
	render_guards(l->claim, out);
	render_settings(a, out);
	buf_printf(out, "\t\t\trewrite_by_lua_block { cox.rewrite() }\n\t\t\tproxy_pass %s;\n",
		   a->backend_protocol == BACKEND_HTTPS ? "https://${cox_pool}_tls"
							: "http://$cox_pool");
}

static void render_location(const struct server *server, const struct location *l,
			    const struct render_opts *o, struct buf *out)
{
	if (l->claim) {
		buf_printf(out, "\t\t# ingress %.*s/%.*s\n", STR_ARG(l->claim->ns),
			   STR_ARG(l->claim->name));
	}
	buf_puts(out, "\t\tlocation ");
	if (l->exact) {
		buf_puts(out, "= ");
	} else {
		/* The modifier keeps a path from being read as one; there are no regular expressions to skip. */
		buf_puts(out, "^~ ");
	}
	add_quoted(out, l->path);
	buf_puts(out, " {\n");
	if (!l->claim) {
		buf_puts(out, "\t\t\treturn 404;\n");
	} else if (!l->backend.n || l->claim->annotations.denied) {
		buf_puts(out, "\t\t\treturn 503;\n");
	} else {
		render_proxy(server, l, o, out);
	}
	buf_puts(out, "\t\t}\n");
	if (l->claim) {
		buf_puts(out, "\t\t# end\n");
	}
}

static void render_name(struct str host, struct buf *out)
{
	if (!host.n) {
		buf_puts(out, "_");
		return;
	}
	if (!str_has_prefix(host, STR("*."))) {
		buf_printf(out, "\"%.*s\"", STR_ARG(host));
		return;
	}
	/* A wildcard of Kubernetes is one label; nginx's own would be any number. */
	buf_puts(out, "\"~^[^.]+");
	for (size_t i = 1; i < host.n; i++) {
		if (host.p[i] == '.') {
			buf_puts(out, "[.]");
		} else {
			buf_add_char(out, host.p[i]);
		}
	}
	buf_puts(out, "$\"");
}

static void render_server(const struct server *server, const struct render_opts *o, struct buf *out)
{
	const char *is_default = server->host.n ? "" : " default_server";

	buf_puts(out, "\tserver {\n");
	for (size_t i = 0; i < o->http.n; i++) {
		buf_printf(out, "\t\tlisten %.*s%s;\n", STR_ARG(o->http.p[i]), is_default);
	}
	for (size_t i = 0; i < o->https.n; i++) {
		buf_printf(out, "\t\tlisten %.*s ssl http2%s;\n", STR_ARG(o->https.p[i]),
			   is_default);
	}
	buf_puts(out, "\t\tserver_name ");
	render_name(server->host, out);
	buf_printf(out,
		   ";\n"
		   "\t\tset $cox_hsts \"%s\";\n"
		   "\t\tset $cox_cors \"\";\n"
		   "\t\tset $cox_redirect \"\";\n"
		   "\t\tset $cox_backend \"\";\n",
		   server->tls ? "1" : "");
	if (o->https.n) {
		buf_puts(out, "\t\tssl_certificate_by_lua_block { cox.certificate() }\n");
	}
	for (size_t i = 0; i < server->locations.n; i++) {
		render_location(server, &server->locations.p[i], o, out);
	}
	buf_puts(out, "\t}\n");
}

static void render_control(const struct render_opts *o, const char *generation, struct buf *out)
{
	buf_printf(out,
		   "\tinit_worker_by_lua_block { cox.init_worker(\"%s\") }\n"
		   "\tserver {\n"
		   "\t\tlisten unix:%s/control.sock;\n"
		   "\t\taccess_log off;\n"
		   "\t\tclient_max_body_size 64m;\n"
		   "\t\tclient_body_buffer_size 64m;\n"
		   "\t\tlocation = /status { content_by_lua_block { cox.status() } }\n"
		   "\t\tlocation = /update { content_by_lua_block { cox.update() } }\n"
		   "\t\tlocation / { return 404; }\n"
		   "\t}\n",
		   generation, o->runtime_dir);
}

void render(const struct model *model, const struct render_opts *opts, struct buf *out,
	    char *ret_generation)
{
	struct buf generation CLEANUP_BUF = {0};
	size_t start = out->n;

	render_head(opts, out);
	buf_puts(out, "http {\n");
	render_lua(opts, out);
	render_client_side(opts, out);
	render_upstream_side(opts, out);
	render_zones(model, out);
	for (size_t i = 0; i < model->servers.n; i++) {
		render_server(model->servers.p[i], opts, out);
	}
	add_digest(&generation, str_make(out->p + start, out->n - start), RENDER_GENERATION_LEN);
	memcpy(ret_generation, buf_cstr(&generation), RENDER_GENERATION_LEN + 1);
	render_control(opts, ret_generation, out);
	buf_puts(out, "}\n");
}

bool render_find_owner(struct str text, int64_t line, struct str *ret_ns, struct str *ret_name)
{
	struct str head, owner = STR_NULL;

	for (int64_t at = 1; at <= line && str_cut(&text, '\n', &head); at++) {
		head = str_trim(head);
		if (str_has_prefix(head, STR("# ingress "))) {
			owner = str_from(head, 10);
		} else if (str_is(head, "# end")) {
			owner = STR_NULL;
		}
	}
	return owner.p && str_cut(&owner, '/', ret_ns) && owner.p && (*ret_name = owner, true);
}
