/* SPDX-License-Identifier: Apache-2.0 */
/* ingress/claim.h: our own typed copy of one Ingress: what it claims of hosts and paths, checked and in canonical form. Made once per
 * version of the object; the model merges all claims. */
#pragma once
#include "ingress/annotations.h"
#include "types/networking_v1.h"

/* Bounds of one Ingress; what is beyond is reported and left out. */
#define CLAIM_RULES_MAX 1000
#define CLAIM_PATHS_MAX 5000 /* of all rules */

struct backend_ref {
	struct str service;   /* unset: no backend that we can serve (503) */
	struct str port_name; /* or: */
	int32_t port_number;
};

enum path_match {
	PATH_EXACT,
	PATH_PREFIX, /* by segments: /a matches /a and /a/b, not /ab */
	PATH_STARTS, /* ImplementationSpecific: /a matches /ab too, as ingress-nginx does */
};

struct claim_path {
	enum path_match match;
	/* Percent-decoded, starts with "/"; PATH_PREFIX without "/" at the end unless it is all. No control characters. */
	struct str path;
	struct backend_ref backend;
};

struct claim_rule {
	struct str
		host; /* lower case; "*.example.com" for one label; empty: every host that nobody else claims */
	LIST(struct claim_path) paths;
};

struct claim_tls {
	struct str_list hosts; /* lower case; none: every host of the Ingress */
	struct str secret;     /* empty: the default certificate */
};

struct claim {
	struct arena arena; /* all of it */
	struct str ns, name, uid, resource_version;
	int64_t created_s;
	struct str class_annotation; /* kubernetes.io/ingress.class; unset: none */
	struct str class_name;	     /* spec.ingressClassName; unset: none */
	struct annotations annotations;
	bool has_default;
	struct backend_ref default_backend;
	LIST(struct claim_rule) rules;
	LIST(struct claim_tls) tls;
	struct str_list addresses; /* status.loadBalancer: ips, host names as they stand */
	struct problems problems;  /* of the object alone */
	bool rejected;		   /* nginx refused its configuration: left out until it changes */
};

/* The caller's; free with claim_free. NULL if namespace or name are not DNS names (an API server lets no such object through, and the
 * rest relies on it). */
struct claim *claim_new(const struct networking_ingress *ingress);
void claim_free(struct claim *claim);
/* RFC 1123 subdomain, lower case. */
bool is_dns_name(struct str s);
