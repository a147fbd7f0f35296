/* SPDX-License-Identifier: Apache-2.0 */
#include "dns/source.h"

#include <sys/epoll.h>
#include <unistd.h>

#include "base/err.h"

enum { TURN_EVENTS = 64 };

int sources_init(struct sources *all)
{
	*all = (struct sources){.epoll = epoll_create1(EPOLL_CLOEXEC)};
	return all->epoll < 0 ? ERR_SYSTEM : 0;
}

void sources_fini(struct sources *all)
{
	if (all->epoll >= 0) {
		close(all->epoll);
	}
	all->epoll = -1;
}

int source_open(struct sources *all, struct source *source, int fd, uint32_t events,
		source_fn ready)
{
	struct epoll_event e = {.events = events, .data.ptr = source};

	*source = (struct source){fd, ready};
	if (epoll_ctl(all->epoll, EPOLL_CTL_ADD, fd, &e) < 0) {
		source->fd = -1;
		return ERR_SYSTEM;
	}
	return 0;
}

void source_want(struct sources *all, struct source *source, uint32_t events)
{
	struct epoll_event e = {.events = events, .data.ptr = source};

	/* fails for a closed descriptor only, which would be a bug of ours: then nothing more is heard of it and its timer ends it */
	(void)epoll_ctl(all->epoll, EPOLL_CTL_MOD, source->fd, &e);
}

void source_release(struct sources *all, struct source *source)
{
	if (source->fd < 0) {
		return;
	}
	(void)epoll_ctl(all->epoll, EPOLL_CTL_DEL, source->fd, NULL);
	source->fd = -1;
	for (int i = all->at; i < all->n; i++) {
		if (all->batch[i].data.ptr == source) {
			all->batch[i].data.ptr = NULL;
		}
	}
}

void source_close(struct sources *all, struct source *source)
{
	int fd = source->fd;

	source_release(all, source);
	if (fd >= 0) {
		close(fd);
	}
}

void sources_turn(struct sources *all)
{
	struct epoll_event batch[TURN_EVENTS];

	all->batch = batch;
	all->n = epoll_wait(all->epoll, batch, TURN_EVENTS, 0);
	for (all->at = 0; all->at < all->n;) {
		struct epoll_event e = batch[all->at++];
		struct source *source = e.data.ptr;
		if (source) {
			source->ready(source, e.events);
		}
	}
	all->batch = NULL;
	all->at = all->n = 0;
}
