/* SPDX-License-Identifier: Apache-2.0 */
/* dns/source.h: one epoll for all of the server's sockets, so that whoever owns the loop watches a single descriptor. A source is embedded in
 * what it serves; closing one inside a callback is safe: events of the same turn for it are dropped. */
#pragma once
#include <stdint.h>

#include "base/attr.h"

struct source;
typedef void (*source_fn)(struct source *source, uint32_t events);

struct source {
	int fd; /* -1: closed */
	source_fn ready;
};

struct sources {
	int epoll;
	struct epoll_event *batch; /* of the turn at hand */
	int at, n;
};

/* 0 or ERR_SYSTEM. */
MUST_USE int sources_init(struct sources *all);
void sources_fini(struct sources *all);
/* Watches fd for EPOLLIN, EPOLLOUT. Returns ERR_SYSTEM if the kernel refuses; fd is the caller's then. */
MUST_USE int source_open(struct sources *all, struct source *source, int fd, uint32_t events,
			 source_fn ready);
void source_want(struct sources *all, struct source *source, uint32_t events);
/* Stops watching, and closes the descriptor. Harmless when closed. */
void source_close(struct sources *all, struct source *source);
/* Stops watching, leaves the descriptor to its owner. */
void source_release(struct sources *all, struct source *source);
/* Handles what is ready now, without waiting. */
void sources_turn(struct sources *all);
