/* SPDX-License-Identifier: Apache-2.0 */
/* apiserver/apiserver.h: the API server: serves the resources of api/ from a store, over HTTP and to components in this process. One loop
 * thread; everything is asynchronous. */
#pragma once
#include "base/err.h"
#include "base/log.h"
#include "client/client.h"
#include "env/env.h"
#include "store/store.h"

struct apiserver;
struct net;
struct tls_ctx;

struct apiserver_config {
	struct env *env;
	struct store *store; /* must outlive the server */
	struct log *log;
	struct str service_cidr;	  /* "10.96.0.0/12": ClusterIPs; .0.1 is the API itself */
	int node_port_min, node_port_max; /* 30000..32767 */
	/* Service account tokens. */
	struct str service_account_key_pem; /* P-256 private key */
	struct str service_account_issuer;  /* "https://kubernetes.default.svc.cluster.local" */
	struct str
		client_ca_pem; /* for the extension-apiserver-authentication ConfigMap; may be unset */
	struct str advertise_address; /* endpoint of the kubernetes Service */
	int secure_port;
	bool anonymous_auth;
	/* For pods/log, exec, ...: how to speak to kubelets (client certificate, no h2: connections are upgraded). NULL: such requests fail. */
	struct net *net;
	struct tls_ctx *kubelet_tls;
};

/* Creates what must exist (namespaces, default roles, the kubernetes Service); ready() says when that is done. */
MUST_USE int apiserver_new(const struct apiserver_config *config, struct apiserver **ret,
			   struct err *err);
/* The store is about to be closed: from now on everything is answered with 503, watches included. */
void apiserver_stop(struct apiserver *api);
void apiserver_free(struct apiserver *api);

/* True once the default objects exist and the caches are filled: /readyz. on_ready is called once, on the loop, at that moment. */
bool apiserver_is_ready(const struct apiserver *api);
void apiserver_on_ready(struct apiserver *api, void (*fn)(void *ctx), void *ctx);

/* A client in this process. Calls run through the same stages under this name (invariant I6). Strings are copied. */
struct client *apiserver_client(struct apiserver *api, struct str user, const struct str *groups,
				size_t ngroups, const char *user_agent);
/* As a service account of kube-system: controllers. */
struct client *apiserver_client_service_account(struct apiserver *api, const char *name,
						const char *user_agent);
