/* SPDX-License-Identifier: Apache-2.0 */
/* http_bench: what HTTP and TLS cost. Starts a server of ours that answers 1 KB, and nginx that serves a file of 1 KB over TLS, both on loopback
 * and on the same cores, and lets http_load (beside this program) fetch from both in one run; prints the figures and their ratio. Then
 * memory per idle connection, HTTP/1.1 and HTTP/2.
 *     http_bench [seconds]
 *     http_bench --make-certs DIR; http_bench --serve [DIR]      (prints the address, runs until killed; without DIR: plain) */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "crypto/secret.h"
#include "crypto/x509.h"
#include "http/client.h"
#include "http/server.h"
#include "loop/loop.h"

enum {
	BODY_BYTES = 1024,
	IDLE_CONNECTIONS = 1000,
};

static char body[BODY_BYTES];

static void handle(void *ctx UNUSED, struct http_request *req)
{
	const struct http_header headers[] = {
		HTTP_HEADER("Content-Type", STR("application/json")),
		HTTP_HEADER("Cache-Control", STR("no-cache, private"))};
	const struct slice slice = {body, sizeof(body), NULL, NULL};

	http_respond(req, 200, headers, ARRAY_LEN(headers), &slice, 1);
}

static NORETURN void fail(const char *what)
{
	fprintf(stderr, "http_bench: %s\n", what);
	exit(2);
}

static void make_pair(const char *dir, struct x509_pem *ca, struct x509_pem *server)
{
	const struct str names[] = {STR("localhost")};
	const struct str ips[] = {STR("127.0.0.1")};
	struct x509_opts opts = {.common_name = STR("bench"),
				 .server = true,
				 .dns_names = names,
				 .n_dns_names = 1,
				 .ips = ips,
				 .n_ips = 1,
				 .now_s = time(NULL),
				 .lifetime_s = 86400};
	struct err err = {0};
	char path[300];

	if (x509_make_ca(STR("bench-ca"), opts.now_s, 86400, ca, &err) < 0 ||
	    x509_issue(ca, &opts, server, &err) < 0) {
		fail(err_msg(&err));
	}
	snprintf(path, sizeof(path), "%s/ca.crt", dir);
	if (secret_file_write(path, str_of(ca->cert), true, &err) < 0) {
		fail(err_msg(&err));
	}
	snprintf(path, sizeof(path), "%s/tls.crt", dir);
	if (secret_file_write(path, str_of(server->cert), true, &err) < 0) {
		fail(err_msg(&err));
	}
	snprintf(path, sizeof(path), "%s/tls.key", dir);
	if (secret_file_write(path, str_of(server->key), false, &err) < 0) {
		fail(err_msg(&err));
	}
}

static struct buf read_file(const char *dir, const char *name)
{
	struct buf b = {0};
	struct err err = {0};
	char path[300];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	if (secret_file_read(path, 1 << 20, &b, &err) < 0) {
		fail(err_msg(&err));
	}
	return b;
}

static struct tls_ctx *server_tls(const char *dir)
{
	struct buf cert CLEANUP_BUF = read_file(dir, "tls.crt");
	struct buf key CLEANUP_BUF = read_file(dir, "tls.key");
	struct buf ca CLEANUP_BUF = read_file(dir, "ca.crt");
	const struct tls_server_opts opts = {.cert_pem = buf_str(&cert),
					     .key_pem = buf_str(&key),
					     .client_auth = TLS_CLIENT_CERT_IF_GIVEN,
					     .client_ca_pem = buf_str(&ca),
					     .h2 = true};
	struct tls_ctx *tls;
	struct err err = {0};

	if (tls_server_new(&opts, &tls, &err) < 0) {
		fail(err_msg(&err));
	}
	return tls;
}

/* dir: with the certificates; NULL: plain. */
static NORETURN void serve(const char *dir)
{
	struct loop *loop = loop_new();
	struct net *net = net_new(loop_env(loop), loop_uv(loop));
	struct tls_ctx *tls = NULL;
	struct net_addr addr;
	struct err err = {0};
	struct buf text = {0};
	struct http_server *srv;

	memset(body, 'x', sizeof(body));
	tls = dir ? server_tls(dir) : NULL;
	srv = http_server_new(net, &(struct http_server_opts){.on_request = handle, .tls = tls});
	if (net_addr_parse(STR("127.0.0.1:0"), &addr, &err) < 0 ||
	    http_server_listen(srv, &addr, &err) < 0) {
		fail(err_msg(&err));
	}
	net_addr_format(http_server_addr(srv, 0), &text);
	buf_add_char(&text, '\n');
	if (write(1, text.p, text.n) < 0) {
		fail("cannot report the address");
	}
	loop_run(loop);
	exit(0);
}

/* A process of its own, not a fork: what this one has allocated and freed would count as its memory. */
static pid_t start_server(const char *dir, char *ret_addr, size_t cap)
{
	int fds[2];
	pid_t pid;
	ssize_t n;

	if (pipe(fds) < 0 || (pid = fork()) < 0) {
		fail("cannot start the server");
	}
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		dup2(fds[1], 1);
		execl("/proc/self/exe", "http_bench", "--serve", dir, (char *)NULL);
		_exit(127);
	}
	close(fds[1]);
	n = read(fds[0], ret_addr, cap - 1);
	close(fds[0]);
	if (n <= 1) {
		fail("the server did not start");
	}
	ret_addr[n - 1] = '\0';
	return pid;
}

static int listen_on_loopback(char *ret_addr, size_t cap)
{
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t n = sizeof(in);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (bind(fd, (struct sockaddr *)&in, n) < 0 || listen(fd, 1024) < 0 ||
	    getsockname(fd, (struct sockaddr *)&in, &n) < 0) {
		fail("no free port");
	}
	snprintf(ret_addr, cap, "127.0.0.1:%d", ntohs(in.sin_port));
	return fd;
}

static void write_nginx_files(const char *dir, const char *addr)
{
	struct buf conf CLEANUP_BUF = {0};
	struct err err = {0};
	char path[300];

	snprintf(path, sizeof(path), "%s/www", dir);
	mkdir(path, 0755);
	snprintf(path, sizeof(path), "%s/www/file", dir);
	if (secret_file_write(path, str_make(body, sizeof(body)), true, &err) < 0) {
		fail(err_msg(&err));
	}
	buf_printf(&conf,
		   "pid %s/nginx.pid; daemon off; worker_processes 1; error_log stderr crit;\n"
		   "events { worker_connections 4096; }\n"
		   "http { access_log off; keepalive_requests 100000000; open_file_cache max=100;\n"
		   " server { listen %s ssl; ssl_certificate %s/tls.crt; ssl_certificate_key "
		   "%s/tls.key;\n"
		   "  ssl_protocols TLSv1.3; root %s/www; default_type application/json; } }\n",
		   dir, addr, dir, dir, dir);
	snprintf(path, sizeof(path), "%s/nginx.conf", dir);
	if (secret_file_write(path, buf_str(&conf), true, &err) < 0) {
		fail(err_msg(&err));
	}
}

/* nginx takes the listening socket by its NGINX variable, so that a client's first connection waits for it to be ready. */
static pid_t start_nginx(const char *dir, char *ret_addr, size_t cap)
{
	int fd = listen_on_loopback(ret_addr, cap);
	char path[300];
	char inherit[32];
	pid_t pid;

	write_nginx_files(dir, ret_addr);
	snprintf(path, sizeof(path), "%s/nginx.conf", dir);
	snprintf(inherit, sizeof(inherit), "%d;", fd);
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGTERM);
		setenv("NGINX", inherit, 1);
		execlp("nginx", "nginx", "-p", dir, "-c", path, "-e", "stderr", (char *)NULL);
		_exit(127);
	}
	close(fd);
	return pid;
}

/* requests_per_s of http_load's line. */
static double run_load(const char *dir, const char *addr, const char *path, const char *seconds)
{
	char self[300];
	char ca[300];
	char line[1000] = "";
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 20);
	int fds[2];
	int status;
	pid_t pid;
	char *found;

	if (n < 0 || pipe(fds) < 0) {
		fail("cannot run http_load");
	}
	self[n] = '\0';
	memcpy(strrchr(self, '/'), "/http_load", sizeof("/http_load"));
	snprintf(ca, sizeof(ca), "%s/ca.crt", dir);
	pid = fork();
	if (pid == 0) {
		dup2(fds[1], 1);
		execl(self, "http_load", "--connect", addr, "--ca", ca, "--server-name",
		      "localhost", "--path", path, "--seconds", seconds, (char *)NULL);
		_exit(127);
	}
	close(fds[1]);
	n = read(fds[0], line, sizeof(line) - 1);
	close(fds[0]);
	waitpid(pid, &status, 0);
	fputs(line, stdout);
	found = strstr(line, "requests_per_s\":");
	return found ? strtod(found + 16, NULL) : 0;
}

static long cpu_ms(pid_t pid)
{
	char path[64];
	char line[1000];
	FILE *f;
	char *p;
	unsigned long user = 0, sys = 0;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	f = fopen(path, "r");
	if (!f || !fgets(line, sizeof(line), f)) {
		fail("cannot read /proc");
	}
	fclose(f);
	p = strrchr(line, ')');
	if (!p || sscanf(p + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user,
			 &sys) != 2) {
		fail("cannot read /proc");
	}
	return (long)((user + sys) * 1000 / (unsigned long)sysconf(_SC_CLK_TCK));
}

/* --- memory of idle connections --- */

static long rss_kb(pid_t pid)
{
	char path[64];
	long pages = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/statm", pid);
	f = fopen(path, "r");
	if (!f || fscanf(f, "%*d %ld", &pages) != 1) {
		fail("cannot read /proc");
	}
	fclose(f);
	return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

struct idle {
	struct loop *loop;
	int left;
};

static void idle_on_end(struct http_call *call, const struct http_response *response UNUSED,
			int code, const char *why)
{
	struct idle *idle = http_call_ctx(call);

	if (code < 0) {
		fail(why);
	}
	if (--idle->left == 0) {
		loop_stop(idle->loop);
	}
}

/* Each of many clients makes one request over a connection of its own and keeps it. */
static double idle_connection_kb(const char *dir, const struct x509_pem *ca,
				 const struct x509_pem *cert, bool h2)
{
	static const struct http_call_ops ops = {.on_end = idle_on_end};
	const struct tls_client_opts tls_opts = {.ca_pem = str_of(ca->cert),
						 .cert_pem = cert ? str_of(cert->cert) : STR_NULL,
						 .key_pem = cert ? str_of(cert->key) : STR_NULL,
						 .h2 = h2};
	struct loop *loop = loop_new();
	struct net *net = net_new(loop_env(loop), loop_uv(loop));
	struct http_client **clients = mem_new_array(IDLE_CONNECTIONS, sizeof(*clients));
	struct idle idle = {loop, 0};
	struct net_addr addr;
	struct tls_ctx *tls;
	char text[64];
	pid_t server = start_server(dir, text, sizeof(text));
	long before = 0;

	if (net_addr_parse(str_of(text), &addr, NULL) < 0 ||
	    tls_client_new(&tls_opts, &tls, NULL) < 0) {
		fail("no client");
	}
	for (int i = 0; i < IDLE_CONNECTIONS; i++) {
		if (i == 20) {
			before = rss_kb(server); /* pools and first-use tables are filled */
		}
		clients[i] = http_client_new(
			net, &(struct http_client_opts){
				     .addr = addr, .tls = tls, .server_name = STR("localhost")});
		idle.left = 1;
		http_call_start(clients[i],
				&(struct http_call_opts){.method = STR("GET"),
							 .path = STR("/"),
							 .buffer_limit = 9999},
				&ops, &idle);
		loop_run(loop);
	}
	double kb = (double)(rss_kb(server) - before) / (IDLE_CONNECTIONS - 20);

	for (int i = 0; i < IDLE_CONNECTIONS; i++) {
		http_client_free(clients[i]);
	}
	mem_free(clients);
	tls_ctx_unref(tls);
	net_free(net);
	loop_free(loop);
	kill(server, SIGTERM);
	waitpid(server, NULL, 0);
	return kb;
}

static void print_memory(const char *dir, const struct x509_pem *ca)
{
	const struct str orgs[] = {STR("system:nodes")};
	struct x509_pem client = {0};
	struct err err = {0};

	if (x509_issue(ca,
		       &(struct x509_opts){.common_name = STR("system:node:worker-1"),
					   .organizations = orgs,
					   .n_organizations = 1,
					   .client = true,
					   .now_s = time(NULL),
					   .lifetime_s = 999},
		       &client, &err) < 0) {
		fail(err_msg(&err));
	}
	printf("memory per idle TLS connection: HTTP/1.1 %.1f KB, HTTP/2 %.1f KB",
	       idle_connection_kb(dir, ca, NULL, false), idle_connection_kb(dir, ca, NULL, true));
	printf("; with client certificate %.1f KB, %.1f KB (at most 24, 56)\n",
	       idle_connection_kb(dir, ca, &client, false),
	       idle_connection_kb(dir, ca, &client, true));
	x509_pem_fini(&client);
}

static int remove_one(const char *path, const struct stat *st UNUSED, int type UNUSED,
		      struct FTW *ftw UNUSED)
{
	return remove(path);
}

int main(int argc, char **argv)
{
	char dir[] = "/tmp/http_bench-XXXXXX";
	struct x509_pem ca = {0}, pair = {0};
	char ours[64], theirs[64];
	const char *seconds = argc > 1 ? argv[1] : "3";
	double us, them;
	long before, after;
	pid_t server, nginx;

	if (argc > 2 && str_is(str_of(argv[1]), "--make-certs")) {
		make_pair(argv[2], &ca, &pair);
		return 0;
	}
	if (argc > 1 && str_is(str_of(argv[1]), "--serve")) {
		serve(argc > 2 ? argv[2] : NULL);
	}
	if (!mkdtemp(dir)) {
		fail("no temporary directory");
	}
	chmod(dir, 0755);
	memset(body, 'x', sizeof(body));
	make_pair(dir, &ca, &pair);
	server = start_server(dir, ours, sizeof(ours));
	nginx = start_nginx(dir, theirs, sizeof(theirs));
	before = cpu_ms(server);
	us = run_load(dir, ours, "/file", seconds);
	after = cpu_ms(server);
	them = run_load(dir, theirs, "/file", seconds);
	printf("1 KB over TLS, 32 connections, one server thread each: ours %.0f/s, nginx %.0f/s, "
	       "ratio %.2f; our server's CPU "
	       "%ld ms\n",
	       us, them, them > 0 ? us / them : 0, after - before);
	kill(server, SIGTERM);
	kill(nginx, SIGTERM);
	waitpid(server, NULL, 0);
	waitpid(nginx, NULL, 0);
	print_memory(dir, &ca);
	return nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS) == 0 ? 0 : 1;
}
