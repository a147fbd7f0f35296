/* SPDX-License-Identifier: Apache-2.0 */
/* ingress/ingress_internal.h: state of the controller, shared by ingress.c (objects in, life) and reconcile.c (what nginx should know). */
#pragma once
#include "ingress/endpoints.h"
#include "ingress/ingress.h"
#include "ingress/nginx.h"
#include "ingress/sync.h"

struct class
{
	bool ours, is_default;
	char *name;
};

struct secret {
	char *text;    /* for the wire; NULL: unusable */
	char *problem; /* why */
	char *key;
};

/* Ports of one Service that nginx knows of. */
struct watched {
	char *service;			    /* "ns/name" */
	VEC(struct model_backend) backends; /* own copies of their strings */
	struct arena arena;
};

struct ingress {
	struct arena arena; /* copies of opts */
	struct ingress_opts opts;
	struct render_opts render;
	int *fds;
	struct nginx *nginx;
	struct env *env;
	struct map claims;   /* "ns/name" -> struct claim */
	struct map classes;  /* name -> struct class */
	struct map secrets;  /* "ns/name" -> struct secret */
	struct map watched;  /* "ns/name" -> struct watched */
	struct map standing; /* problems that were told: "ns/name reason message" -> this */
	struct map statuses; /* "ns/name" -> resource version (heap) that status() was called for */
	struct endpoints endpoints;
	struct sync sync;
	struct buf conf;
	char generation[RENDER_GENERATION_LEN + 1];
	bool synced, rebuild_wanted, statuses_wanted, updating;
	int64_t telling_revision, applied_revision;
	int64_t rebuilt_at;
	struct env_timer later; /* a rebuild that is due, a failed update to repeat */
	struct env_timer
		soon; /* the next turn of the loop: what changes in one turn goes out together */
};

/* "ns/name", the caller's. */
char *make_key(struct str ns, struct str name);

/* Does what is due, in this order: rebuild, endpoints to nginx, routes (which may need them), status. */
void pump(struct ingress *ic);
/* Endpoints of this port into the next update. */
enum resolution tell_backend(struct ingress *ic, const struct model_backend *backend);
extern const struct nginx_callbacks ingress_nginx_callbacks;
