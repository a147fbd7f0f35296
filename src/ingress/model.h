/* SPDX-License-Identifier: Apache-2.0 */
/* ingress/model.h: all claims merged into what nginx serves: servers by host, locations by path. Pure.
 *
 * Two Ingresses may share a host; where both claim the same path, the older one has it (creation time, then
 * namespace/name) and the younger gets an event. A host without "/" gets one from a default backend of an Ingress on
 * that host, or 404. Exact beats prefix, the longest prefix wins: nginx does that by itself. */
#pragma once
#include "base/map.h"
#include "ingress/claim.h"

struct location {
	bool exact;
	struct str path;
	const struct claim *claim; /* NULL: nobody's, answers 404 */
	struct str backend; /* "namespace/service/port", the key of its endpoints; empty: 503 */
	bool redirect;	    /* http goes to https with 308 */
};

struct server {
	struct str host; /* as claim_rule's; the first server is the one for all other hosts ("") */
	bool tls;
	/* Whose certificate: of the oldest Ingress with TLS for this host. secret empty: the default one. */
	const struct claim *tls_claim;
	struct str secret;
	VEC(struct location) locations; /* exact ones first, then by path */
	struct map by_path;		/* "=/p" or "/p" -> index + 1, as a pointer */
};

struct model_backend {
	struct str key;
	struct str ns;
	struct backend_ref ref;
	const struct claim *claim; /* the first one that names it */
};

struct model_problem {
	const struct claim *claim;
	struct problem problem;
};

struct model {
	struct arena arena;
	VEC(struct server *) servers; /* the first is for all other hosts, the others by name */
	struct map by_host;
	VEC(struct model_backend) backends; /* each once */
	struct map by_backend;
	VEC(struct model_problem) problems;
};

/* `claims` are those of our class; the array is sorted in place. They must outlive the model. has_https: there is an https listener
 * to redirect to. Free with model_fini. */
void model_compute(struct model *model, const struct claim **claims, size_t n, bool has_https);
void model_fini(struct model *model);
void model_problem(struct model *model, const struct claim *claim, const char *reason,
		   const char *fmt, ...) PRINTF(4, 5);
