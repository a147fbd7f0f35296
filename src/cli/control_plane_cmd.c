/* SPDX-License-Identifier: Apache-2.0 */
/* `cox apiserver`: the API server and its store alone, with upstream's flag names. `cox control-plane`: the controllers with it in one
 * process. Keys and certificates are made in --cert-dir when
 * missing; --write-kubeconfig gives an administrator's way in. */
#include <errno.h>
#include <signal.h>
#include <sys/stat.h>
#include <time.h>

#include "apiserver/apiserver.h"
#include "apiserver/http_front.h"
#include "base/cleanup.h"
#include "cli/applet.h"
#include "cli/flags.h"
#include "cli/kubeconfig.h"
#include "controller/executor.h"
#include "crypto/tls.h"
#include "env/disk.h"
#include "loop/loop.h"
#include "net/net.h"
#include "scheduler/scheduler.h"
#include "supervisor/pki.h"

struct options {
	const char *bind_address, *data_dir, *cert_dir, *service_cidr, *kubeconfig, *issuer,
		*storage;
	int64_t secure_port, verbosity;
	bool anonymous_auth;
	bool controllers;
	const char *cluster_cidr, *volume_dir;
};

struct server {
	struct options opts;
	struct log log;
	struct loop *loop;
	struct net *net;
	struct pki pki;
	struct store *store;
	struct apiserver *api;
	struct http_server *http;
	struct tls_ctx *kubelet_tls;
	/* The controllers, if they run here. */
	struct client *manager;
	struct informers *informers;
	struct controller_options controller_options;
	struct executor *executor;
	struct client *scheduler_client;
	struct informers *scheduler_informers;
	struct scheduler *scheduler;
	bool stopping;
};

static int64_t now_s(void)
{
	return time(NULL);
}

static int make_pki(struct server *s, struct err *err)
{
	static const struct str names[] = {STR_INIT("localhost"), STR_INIT("kubernetes"),
					   STR_INIT("kubernetes.default"),
					   STR_INIT("kubernetes.default.svc"),
					   STR_INIT("kubernetes.default.svc.cluster.local")};
	struct str ips[] = {STR("127.0.0.1"), STR("::1"), STR("10.96.0.1"),
			    str_of(s->opts.bind_address)};
	struct pki_opts opts = {.dir = s->opts.cert_dir,
				.dns_names = names,
				.n_dns_names = ARRAY_LEN(names),
				.ips = ips,
				.n_ips = ARRAY_LEN(ips),
				.now_s = now_s()};

	if (str_is(ips[3], "0.0.0.0")) {
		opts.n_ips--;
	}
	return pki_ensure(&opts, &s->pki, err);
}

static int open_store(struct server *s, struct err *err)
{
	struct store_opts opts = {.log = &s->log};
	struct arena a CLEANUP_ARENA = {0};

	if (strcmp(s->opts.storage, "memory") == 0) {
		s->store = store_open_memory(loop_env(s->loop), &opts);
		return 0;
	}
	if (mkdir(s->opts.data_dir, 0700) < 0 && errno != EEXIST) {
		return err_set_errno(err, errno, "cannot create the data directory %s",
				     s->opts.data_dir);
	}
	return store_open_sqlite(loop_env(s->loop), disk_posix(),
				 arena_printf(&a, "%s/state.db", s->opts.data_dir).p, &opts,
				 &s->store, err);
}

/* What other machines may connect to; unset: nothing, and the kubernetes Service has no endpoint. */
static struct str advertised(const struct server *s)
{
	struct str ip = str_of(s->opts.bind_address);

	return str_is(ip, "0.0.0.0") || str_has_prefix(ip, STR("127.")) ? STR_NULL : ip;
}

/* How this server speaks to kubelets. */
static int make_kubelet_tls(const struct server *s, struct tls_ctx **ret, struct err *err)
{
	struct tls_client_opts opts = {.ca_pem = str_of(s->pki.ca.cert),
				       .cert_pem = str_of(s->pki.kubelet_client.cert),
				       .key_pem = str_of(s->pki.kubelet_client.key)};

	return tls_client_new(&opts, ret, err);
}

static int start_api(struct server *s, struct err *err)
{
	struct apiserver_config config = {
		.env = loop_env(s->loop),
		.store = s->store,
		.log = &s->log,
		.service_cidr = str_of(s->opts.service_cidr),
		.node_port_min = 30000,
		.node_port_max = 32767,
		.service_account_key_pem = str_of(s->pki.service_account_key),
		.service_account_issuer = str_of(s->opts.issuer),
		.client_ca_pem = str_of(s->pki.ca.cert),
		.advertise_address = advertised(s),
		.secure_port = (int)s->opts.secure_port,
		.anonymous_auth = s->opts.anonymous_auth,
		.net = s->net,
	};
	int r = make_kubelet_tls(s, &s->kubelet_tls, err);
	if (r < 0) {
		return r;
	}
	config.kubelet_tls = s->kubelet_tls;
	return apiserver_new(&config, &s->api, err);
}

static void on_request(void *ctx, struct http_request *http)
{
	http_front_request(((struct server *)ctx)->api, http);
}

static int listen_https(struct server *s, struct err *err)
{
	struct tls_server_opts tls_opts = {
		.cert_pem = str_of(s->pki.apiserver.cert),
		.key_pem = str_of(s->pki.apiserver.key),
		.client_auth = TLS_CLIENT_CERT_REQUEST,
		.client_ca_pem = str_of(s->pki.ca.cert),
		.h2 = true,
	};
	struct http_server_opts opts = {.on_request = on_request, .ctx = s};
	struct net_addr addr;
	struct tls_ctx *tls;
	int r = tls_server_new(&tls_opts, &tls, err);

	if (r < 0) {
		return r;
	}
	opts.tls = tls;
	s->http = http_server_new(s->net, &opts);
	tls_ctx_unref(tls);
	r = net_addr_make(str_of(s->opts.bind_address), (uint16_t)s->opts.secure_port, &addr, err);
	if (r < 0) {
		return err_set(err, r, "--bind-address %s is not an IP address",
			       s->opts.bind_address);
	}
	r = http_server_listen(s->http, &addr, err);
	if (r == 0) {
		s->opts.secure_port = net_addr_port(http_server_addr(s->http, 0));
	}
	return r;
}

static struct client *client_for(void *ctx, const char *service_account)
{
	struct server *s = ctx;

	return apiserver_client_service_account(s->api, service_account, service_account);
}

static void start_controllers(struct server *s)
{
	struct executor_config config = {.env = loop_env(s->loop),
					 .log = &s->log,
					 .client_for = client_for,
					 .client_ctx = s,
					 .options = &s->controller_options};

	controller_options_init(&s->controller_options);
	s->controller_options.root_ca = str_of(s->pki.ca.cert);
	s->controller_options.cluster_cidr = str_of(s->opts.cluster_cidr);
	s->controller_options.provision_dir = str_of(s->opts.volume_dir);
	s->manager = apiserver_client(s->api, STR("system:kube-controller-manager"), NULL, 0,
				      "kube-controller-manager");
	s->informers = informers_new(s->manager);
	config.informers = s->informers;
	config.reader = s->manager;
	s->executor = executor_new(&config);
}

static void start_scheduler(struct server *s)
{
	struct scheduler_config config = {.env = loop_env(s->loop), .log = &s->log};

	s->scheduler_client =
		apiserver_client(s->api, STR("system:kube-scheduler"), NULL, 0, "kube-scheduler");
	s->scheduler_informers = informers_new(s->scheduler_client);
	config.client = s->scheduler_client;
	config.informers = s->scheduler_informers;
	s->scheduler = scheduler_new(&config);
}

static void on_ready(void *ctx)
{
	struct server *s = ctx;
	struct err err CLEANUP_ERR = {0};
	struct kubeconfig_entry entry = {
		.name = "cox", .port = (int)s->opts.secure_port, .pki = &s->pki};

	if (s->opts.controllers) {
		start_controllers(s);
		start_scheduler(s);
	}
	log_info(&s->log, "serving securely on %s:%d", s->opts.bind_address,
		 (int)s->opts.secure_port);
	if (s->opts.kubeconfig && kubeconfig_write(s->opts.kubeconfig, &entry, &err) < 0) {
		log_error(&s->log, "%s", err_msg(&err));
	}
}

static void on_closed(void *ctx)
{
	struct server *s = ctx;

	loop_stop(s->loop);
}

static void on_signal(void *ctx, int signum)
{
	struct server *s = ctx;

	if (!s->stopping) {
		s->stopping = true;
		log_info(&s->log, "%s: shutting down", strsignal(signum));
		apiserver_stop(s->api);
		executor_free(s->executor);
		s->executor = NULL;
		http_server_free(s->http);
		s->http = NULL;
		store_close(s->store, on_closed, s);
		s->store = NULL;
	}
}

static int run(struct server *s)
{
	struct err err CLEANUP_ERR = {0};
	int r;

	s->loop = loop_new();
	s->net = net_new(loop_env(s->loop), loop_uv(s->loop));
	r = make_pki(s, &err);
	if (r == 0) {
		r = open_store(s, &err);
	}
	if (r == 0) {
		r = listen_https(
			s,
			&err); /* the port may be the kernel's choice; nobody is served before the loop runs */
	}
	if (r == 0) {
		r = start_api(s, &err);
	}
	if (r < 0) {
		fprintf(stderr, "cox apiserver: %s\n", err_msg(&err));
		return 1;
	}
	apiserver_on_ready(s->api, on_ready, s);
	loop_on_signal(s->loop, SIGTERM, on_signal, s);
	loop_on_signal(s->loop, SIGINT, on_signal, s);
	loop_run(s->loop);
	informers_free(s->scheduler_informers);
	scheduler_free(s->scheduler);
	client_free(s->scheduler_client);
	informers_free(s->informers);
	client_free(s->manager);
	apiserver_free(s->api);
	tls_ctx_unref(s->kubelet_tls);
	net_free(s->net);
	loop_free(s->loop);
	pki_fini(&s->pki);
	return 0;
}

static int run_command(const char *name, bool controllers, int argc, char **argv)
{
	struct server s = {.opts = {.bind_address = "127.0.0.1",
				    .data_dir = "/var/lib/cox",
				    .service_cidr = "10.96.0.0/12",
				    .issuer = "https://kubernetes.default.svc.cluster.local",
				    .storage = "sqlite",
				    .secure_port = 6443,
				    .anonymous_auth = true,
				    .cluster_cidr = "10.244.0.0/16",
				    .controllers = controllers}};
	struct options *o = &s.opts;
	const struct flag flags[] = {
		{"bind-address", FLAG_STRING, &o->bind_address, "IP", "address to serve on"},
		{"secure-port", FLAG_INT, &o->secure_port, "PORT",
		 "port to serve on; 0: any free one"},
		{"data-dir", FLAG_STRING, &o->data_dir, "DIR", "where the state is kept"},
		{"storage-backend", FLAG_STRING, &o->storage, "NAME", "sqlite or memory"},
		{"cert-dir", FLAG_STRING, &o->cert_dir, "DIR",
		 "keys and certificates; default DATA-DIR/pki"},
		{"service-cluster-ip-range", FLAG_STRING, &o->service_cidr, "CIDR",
		 "addresses of Services"},
		{"service-account-issuer", FLAG_STRING, &o->issuer, "URL",
		 "issuer of service account tokens"},
		{"anonymous-auth", FLAG_BOOL, &o->anonymous_auth, NULL,
		 "let requests without credentials in as system:anonymous"},
		{"write-kubeconfig", FLAG_STRING, &o->kubeconfig, "FILE",
		 "write an administrator's kubeconfig here once ready"},
		{"v", FLAG_INT, &o->verbosity, "N", "verbosity of the log"},
		/* Of the controllers only. */
		{"cluster-cidr", FLAG_STRING, &o->cluster_cidr, "CIDR",
		 "addresses of pods, a /24 for each node"},
		{"volume-dir", FLAG_STRING, &o->volume_dir, "DIR",
		 "where volumes of the default class are made; none: no volumes"},
	};
	struct arena a CLEANUP_ARENA = {0};
	int n = flags_parse(arena_printf(&a, "%s [flags]", name).p, flags,
			    ARRAY_LEN(flags) - (controllers ? 0 : 2), argc, argv);

	if (n != 0) {
		if (n > 0) {
			fprintf(stderr, "%s: takes no arguments, got '%s'\n", name, argv[1]);
		}
		return n == -2 ? 0 : 2;
	}
	if (!o->cert_dir) {
		if (mkdir(o->data_dir, 0700) < 0 && errno != EEXIST) {
			fprintf(stderr, "cox apiserver: cannot create the data directory %s: %s\n",
				o->data_dir, strerror(errno));
			return 1;
		}
		o->cert_dir = arena_printf(&a, "%s/pki", o->data_dir).p;
	}
	s.log = (struct log){
		.fd = 2, .component = "kube-apiserver", .verbosity = (int)o->verbosity};
	return run(&s);
}

int cli_apiserver(int argc, char **argv)
{
	return run_command("cox apiserver", false, argc, argv);
}

int cli_control_plane(int argc, char **argv)
{
	return run_command("cox control-plane", true, argc, argv);
}
