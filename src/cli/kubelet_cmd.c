/* SPDX-License-Identifier: Apache-2.0 */
/* `cox kubelet`: the node agent alone, with upstream's flag names where there are any. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "cli/applet.h"
#include "cli/flags.h"
#include "client/remote_client.h"
#include "crypto/tls.h"
#include "kubelet/edge.h"
#include "kubelet/images/image_store.h"
#include "kubelet/images/unpack.h"
#include "kubelet/kubelet.h"
#include "kubelet/runtime/crun.h"
#include "linux/file.h"
#include "loop/loop.h"
#include "net/net.h"

struct options {
	const char *api_server, *client_cert, *client_key, *ca_file, *tls_cert, *tls_key, *name,
		*ip, *labels, *root_dir, *cluster_dns, *cluster_domain;
	const char *cgroup_parent, *load_image, *log_dir;
	int64_t port, max_pods, verbosity;
	bool register_node;
};

struct node {
	struct options o;
	struct arena arena;
	struct log log;
	struct loop *loop;
	struct net *net;
	struct client *client;
	struct image_store *images;
	struct runtime *runtime;
	struct kubelet *kubelet;
	struct edge *edge;
};

static int read_text(struct node *n, const char *flag, const char *path, struct str *ret,
		     struct err *err)
{
	struct buf b CLEANUP_BUF = {0};
	int r = path ? file_read(AT_FDCWD, path, 1 << 20, &b, err)
		     : err_set(err, ERR_INVALID, "--%s is needed", flag);

	*ret = r < 0 ? STR_NULL : arena_str(&n->arena, buf_str(&b));
	return r;
}

static int connect_api(struct node *n, struct tls_server_opts *server, struct err *err)
{
	struct tls_client_opts opts = {.h2 = true};
	struct remote_client_opts remote = {.net = n->net, .user_agent = "kubelet"};
	struct buf ip CLEANUP_BUF = {0};
	int r = read_text(n, "ca-file", n->o.ca_file, &opts.ca_pem, err);

	r = r < 0 ? r : read_text(n, "client-cert", n->o.client_cert, &opts.cert_pem, err);
	r = r < 0 ? r : read_text(n, "client-key", n->o.client_key, &opts.key_pem, err);
	r = r < 0 ? r
		  : read_text(n, "tls-cert-file", n->o.tls_cert ? n->o.tls_cert : n->o.client_cert,
			      &server->cert_pem, err);
	r = r < 0 ? r
		  : read_text(n, "tls-private-key-file",
			      n->o.tls_key ? n->o.tls_key : n->o.client_key, &server->key_pem, err);
	r = r < 0 ? r : net_addr_parse(str_of(n->o.api_server), &remote.addr, err);
	r = r < 0 ? r : tls_client_new(&opts, &remote.tls, err);
	if (r < 0) {
		return r;
	}
	server->client_ca_pem = opts.ca_pem;
	net_addr_format_ip(&remote.addr, &ip);
	remote.server_name = arena_str(&n->arena, buf_str(&ip));
	n->client = remote_client_new(&remote);
	tls_ctx_unref(remote.tls);
	return 0;
}

static int load_image(struct node *n, struct err *err)
{
	int fd CLEANUP_FD = n->o.load_image ? open(n->o.load_image, O_RDONLY | O_CLOEXEC) : -1;
	struct image_loaded loaded;
	int r;

	if (!n->o.load_image) {
		return 0;
	}
	if (fd < 0) {
		return err_set_errno(err, errno, "cannot open %s", n->o.load_image);
	}
	r = image_store_load(n->images, fd, &(struct image_load_opts){0}, &loaded, err);
	if (r == 0) {
		image_loaded_fini(&loaded);
	}
	return r;
}

static int start_runtime(struct node *n, struct err *err)
{
	static const char *const unpack[] = {"/proc/self/exe", "image-unpack", NULL};
	struct image_store_config images = {arena_printf(&n->arena, "%s/images", n->o.root_dir).p,
					    unpack};
	struct runtime_config config = {
		.loop = n->loop,
		.log = &n->log,
		.state_dir = arena_printf(&n->arena, "%s/runtime", n->o.root_dir).p,
		.run_dir = arena_printf(&n->arena, "/run/cox/kubelet/%s", n->o.name).p,
		.cgroup_parent = n->o.cgroup_parent};
	int r = dir_make(n->o.root_dir, 0755, err);

	r = r < 0 ? r : image_store_open(&images, &n->images, err);
	r = r < 0 ? r : load_image(n, err);
	config.images = n->images;
	return r < 0 ? r : crun_new(&config, &n->runtime, err);
}

static struct str_map labels_of(struct node *n)
{
	struct str rest = str_of(n->o.labels);
	struct str_map map = {.p = ARENA_ARRAY(&n->arena, rest.n + 1, struct str_pair)};
	struct str pair;

	while (rest.n && str_cut(&rest, ',', &pair)) {
		struct str key;

		str_cut(&pair, '=', &key);
		map.p[map.n++] = (struct str_pair){key, pair.p ? pair : STR("")};
	}
	return map;
}

static int start(struct node *n, struct err *err)
{
	struct tls_server_opts server = {.client_auth = TLS_CLIENT_CERT_REQUEST};
	struct edge_config edge = {.net = n->net, .log = &n->log};
	struct kubelet_config k = {.env = loop_env(n->loop),
				   .log = &n->log,
				   .net = n->net,
				   .node_name = str_of(n->o.name),
				   .node_ip = str_of(n->o.ip),
				   .node_labels = labels_of(n),
				   .register_node = n->o.register_node,
				   .root_dir = n->o.root_dir,
				   .log_dir = n->o.log_dir,
				   .cluster_dns = str_of(n->o.cluster_dns),
				   .cluster_domain = str_of(n->o.cluster_domain),
				   .resolv_conf = "/etc/resolv.conf",
				   .max_pods = n->o.max_pods,
				   .cpu_milli = sysconf(_SC_NPROCESSORS_ONLN) * 1000,
				   .memory_bytes =
					   (int64_t)sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE),
				   .port = (int)n->o.port};
	int r = connect_api(n, &server, err);

	r = r < 0 ? r : start_runtime(n, err);
	r = r < 0 ? r : net_addr_make(str_of(n->o.ip), (uint16_t)n->o.port, &edge.addr, err);
	r = r < 0 ? r : tls_server_new(&server, &edge.tls, err);
	if (r < 0) {
		return r;
	}
	k.client = n->client;
	k.runtime = n->runtime;
	k.images = n->images;
	n->kubelet = kubelet_new(&k);
	edge.node = kubelet_edge_node(n->kubelet);
	r = edge_new(&edge, &n->edge, err);
	tls_ctx_unref(edge.tls);
	return r;
}

/* Containers do not depend on us, and every file is written by replacement: leaving is no work. */
static void on_signal(void *ctx, int signum)
{
	struct node *n = ctx;

	log_info(&n->log, "%s: leaving; containers go on", strsignal(signum));
	_exit(0);
}

int cli_image_unpack(int argc, char **argv)
{
	image_unpack_main(argc, argv);
}

int cli_kubelet(int argc, char **argv)
{
	struct node n = {.o = {.api_server = "127.0.0.1:6443",
			       .ip = "127.0.0.1",
			       .labels = "",
			       .root_dir = "/var/lib/kubelet",
			       .log_dir = "/var/log/pods",
			       .cluster_dns = "10.96.0.10",
			       .cluster_domain = "cluster.local",
			       .cgroup_parent = "",
			       .port = 10250,
			       .max_pods = 110,
			       .register_node = true}};
	struct options *o = &n.o;
	const struct flag flags[] = {
		{"api-server", FLAG_STRING, &o->api_server, "IP:PORT", "where the API server is"},
		{"client-cert", FLAG_STRING, &o->client_cert, "FILE",
		 "certificate of system:node:NAME"},
		{"client-key", FLAG_STRING, &o->client_key, "FILE", "its key"},
		{"ca-file", FLAG_STRING, &o->ca_file, "FILE", "the cluster's authority"},
		{"tls-cert-file", FLAG_STRING, &o->tls_cert, "FILE",
		 "certificate to serve with; default: the client's"},
		{"tls-private-key-file", FLAG_STRING, &o->tls_key, "FILE", "its key"},
		{"hostname-override", FLAG_STRING, &o->name, "NAME", "the node's name"},
		{"node-ip", FLAG_STRING, &o->ip, "IP", "the node's address"},
		{"node-labels", FLAG_STRING, &o->labels, "K=V,...", "labels to register with"},
		{"root-dir", FLAG_STRING, &o->root_dir, "DIR", "images, volumes, state"},
		{"pod-logs-dir", FLAG_STRING, &o->log_dir, "DIR", "logs of containers"},
		{"cluster-dns", FLAG_STRING, &o->cluster_dns, "IP", "DNS server of pods"},
		{"cluster-domain", FLAG_STRING, &o->cluster_domain, "NAME",
		 "domain of the cluster"},
		{"cgroup-root", FLAG_STRING, &o->cgroup_parent, "PATH",
		 "control group below which /kubepods stands"},
		{"port", FLAG_INT, &o->port, "PORT", "HTTPS port"},
		{"max-pods", FLAG_INT, &o->max_pods, "N", "most pods on this node"},
		{"register-node", FLAG_BOOL, &o->register_node, NULL, "make the Node object"},
		{"load-image", FLAG_STRING, &o->load_image, "FILE",
		 "load this image archive before starting"},
		{"v", FLAG_INT, &o->verbosity, "N", "verbosity of the log"},
	};
	struct err err CLEANUP_ERR = {0};
	int r = flags_parse("cox kubelet [flags]", flags, ARRAY_LEN(flags), argc, argv);

	if (r != 0 || !o->name) {
		if (r >= 0) {
			fprintf(stderr, r ? "cox kubelet: takes no arguments\n"
					  : "cox kubelet: --hostname-override is needed\n");
		}
		return r == -2 ? 0 : 2;
	}
	n.log = (struct log){.fd = 2, .component = "kubelet", .verbosity = (int)o->verbosity};
	n.loop = loop_new();
	n.net = net_new(loop_env(n.loop), loop_uv(n.loop));
	if (start(&n, &err) < 0) {
		fprintf(stderr, "cox kubelet: %s\n", err_msg(&err));
		return 1;
	}
	loop_on_signal(n.loop, SIGTERM, on_signal, &n);
	loop_on_signal(n.loop, SIGINT, on_signal, &n);
	loop_run(n.loop);
	return 0;
}
