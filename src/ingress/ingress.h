/* SPDX-License-Identifier: Apache-2.0 */
/* ingress/ingress.h: the ingress controller: objects in, nginx below, events and status out. It takes its input by plain calls, so that
 * whoever has the objects (informers) can feed it; docs/design/ingress.md has the picture. Loop thread only.
 *
 *     ingress = ingress_new(&opts, &err);
 *     ingress_set_class(...), ingress_set_ingress(...), ... for what exists; then ingress_synced(ingress);
 *     ... ingress_set_ and ingress_remove_ as things change ...
 *
 * Objects are borrowed during the call. Setting what is there already replaces it. */
#pragma once
#include "base/err.h"
#include "loop/loop.h"
#include "types/core_v1.h"
#include "types/discovery_v1.h"
#include "types/networking_v1.h"

struct ingress;

/* Which object a callback speaks of; borrowed during the callback. */
struct ingress_ref {
	struct str ns, name, uid, resource_version;
};

struct ingress_callbacks {
	/* A Warning event on the Ingress. Each problem is told once, and again if it comes back. */
	void (*event)(void *ctx, const struct ingress_ref *about, const char *reason,
		      struct str message);
	/* status.loadBalancer.ingress should hold these addresses, and doesn't. Called once for each version of the object, when its routes are in
	 * force. A conflict brings a new version and another call; other failures are the caller's to repeat. */
	void (*status)(void *ctx, const struct ingress_ref *about, const struct str *addresses,
		       size_t n);
	/* Every EndpointSlice change up to this revision acts on requests that arrive from now on. Only ever grows. */
	void (*applied)(void *ctx, int64_t revision);
};

struct ingress_opts {
	struct loop *loop;
	const struct log *log;
	const char *runtime_dir; /* absolute; made if absent; see nginx.h */
	const char *nginx_path;	 /* NULL: /usr/sbin/nginx */
	const int *
		http_fds; /* TCP sockets, bound and listening; stay the caller's, open as long as we live */
	size_t nhttp;
	const int *https_fds;
	size_t nhttps;
	/* What clients connect to, where it isn't the sockets' port: for X-Forwarded-Port and redirects. 0: the socket's. */
	int public_http_port, public_https_port;
	struct str class_name; /* of kubernetes.io/ingress.class; unset: nginx */
	struct str
		controller; /* spec.controller of our IngressClasses; unset: k8s.io/ingress-nginx */
	const struct str *addresses; /* for status.loadBalancer: IPs or host names */
	size_t naddresses;
	unsigned workers;     /* 0: one per CPU, at most 2 */
	unsigned connections; /* per worker; 0: 4096 */
	bool access_log;      /* a line per request into the log */
	struct ingress_callbacks callbacks;
	void *ctx;
};

/* Everything in opts is copied but loop, log and the descriptors. NULL with err. nginx starts (or is adopted) after ingress_synced. */
struct ingress *ingress_new(const struct ingress_opts *opts, struct err *err);
/* Leaves nginx running, as it must go on when we are restarted. */
void ingress_free(struct ingress *ingress);
/* nginx finishes its requests and ends; for `cox down`. */
void ingress_quit(struct ingress *ingress);

void ingress_set_class(struct ingress *ingress, const struct networking_ingress_class *object);
void ingress_remove_class(struct ingress *ingress, struct str name);
void ingress_set_ingress(struct ingress *ingress, const struct networking_ingress *object);
void ingress_remove_ingress(struct ingress *ingress, struct str ns, struct str name);
void ingress_set_service(struct ingress *ingress, const struct core_service *object);
void ingress_remove_service(struct ingress *ingress, struct str ns, struct str name);
/* revision: the object's (or the deletion event's) resourceVersion as a number. */
void ingress_set_slice(struct ingress *ingress, const struct discovery_endpoint_slice *object,
		       int64_t revision);
void ingress_remove_slice(struct ingress *ingress, struct str ns, struct str name,
			  int64_t revision);
/* Give only what `type=kubernetes.io/tls` selects; a Secret reaches nginx only while an Ingress of ours names it. */
void ingress_set_secret(struct ingress *ingress, const struct core_secret *object);
void ingress_remove_secret(struct ingress *ingress, struct str ns, struct str name);
/* The first lists are complete. Nothing is told to nginx before: half of the routes would be worse than the former ones. */
void ingress_synced(struct ingress *ingress);

/* Newest EndpointSlice revision that nginx has acknowledged (metric, zero-drop termination). 0: none yet. */
int64_t ingress_applied_revision(const struct ingress *ingress);
/* nginx runs and holds everything we know: readiness. */
bool ingress_is_current(const struct ingress *ingress);
pid_t ingress_nginx_pid(const struct ingress *ingress); /* 0: none */
