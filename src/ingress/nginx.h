/* SPDX-License-Identifier: Apache-2.0 */
/* ingress/nginx.h: the nginx process below us: started with our listening sockets, reloaded, watched, started again, adopted.
 *
 * The sockets belong to whoever opened them before us and stay open in us, so that connections made while no nginx runs wait in their
 * queues. nginx finds them by the addresses of its `listen` lines (environment variable NGINX). It is the leader of its own
 * session and outlives us; a new one of us finds it by its control socket. Loop thread only. */
#pragma once
#include "base/buf.h"
#include "base/err.h"
#include "ingress/render.h"
#include "loop/loop.h"

struct nginx;

struct nginx_callbacks {
	/* A new nginx is about to start: append the full update that it begins with. */
	void (*snapshot)(void *ctx, struct buf *out);
	/* It answers: a new one, that holds the snapshot, or one that ran before us, and nobody knows what it holds. */
	void (*up)(void *ctx);
	/* The configuration asked for last is in force. */
	void (*applied)(void *ctx);
	/* `nginx -t` refused this text (the former stays): its first complaint, and the line of the text it names (0: none). */
	void (*rejected)(void *ctx, struct str text, int64_t line, struct str message);
	/* An update was answered: status as of HTTP, or 0 if no answer came. */
	void (*updated)(void *ctx, int status, struct str line);
};

struct nginx_opts {
	struct loop *loop;
	const struct log *log;
	const char *path; /* of the program */
	const char *
		runtime_dir; /* absolute, at most NGINX_DIR_MAX bytes; made if absent; must be ours alone */
	const int *fds; /* listening sockets, borrowed */
	size_t nfds;
	const struct nginx_callbacks *callbacks;
	void *ctx;
};

#define NGINX_DIR_MAX 80

/* Prepares the directory and the log socket; starts nothing. opts is copied, what it points to is borrowed. NULL with err: not a usable
 * directory, or we are root (nginx's workers would be somebody else, and parse the network next to root). */
struct nginx *nginx_new(const struct nginx_opts *opts, struct err *err);
/* Leaves nginx running. No callback afterwards; memory goes when the loop has turned. */
void nginx_free(struct nginx *nginx);

/* From now on nginx shall run, with this configuration. Reloads at most once a second, never for the same generation. */
void nginx_configure(struct nginx *nginx, struct str text, const char *generation);
/* It runs and answers. */
bool nginx_is_up(const struct nginx *nginx);
/* It runs with the configuration that was asked for last. */
bool nginx_is_current(const struct nginx *nginx);
pid_t nginx_pid(const struct nginx *nginx); /* of the master; 0: none */
/* Sends an update; callbacks->updated comes exactly once. Only one at a time, and only while it is up. */
void nginx_update(struct nginx *nginx, struct str body);
/* Let it finish its requests and end; it isn't started again. */
void nginx_quit(struct nginx *nginx);
/* The new file `name` (below runtime_dir) with these contents, in one step. */
MUST_USE int nginx_write_file(const struct nginx *nginx, const char *name, struct str contents,
			      struct err *err);
