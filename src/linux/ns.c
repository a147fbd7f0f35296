/* SPDX-License-Identifier: Apache-2.0 */
#include "linux/ns.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <pthread.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "linux/mounts.h"

struct thread_call {
	int (*fn)(void *ctx, struct err *err);
	void *ctx;
	struct err *err;
	int r;
};

static void *thread_main(void *arg)
{
	struct thread_call *call = arg;

	call->r = call->fn(call->ctx, call->err);
	return NULL;
}

/* The thread ends with its namespaces, so there is no way back to get wrong. */
static int run_in_thread(int (*fn)(void *ctx, struct err *err), void *ctx, struct err *err)
{
	struct thread_call call = {fn, ctx, err, 0};
	pthread_t thread;
	int e = pthread_create(&thread, NULL, thread_main, &call);

	if (e) {
		return err_set_errno(err, e, "cannot start a thread");
	}
	ASSERT(pthread_join(thread, NULL) == 0);
	return call.r;
}

static int raise_loopback(struct err *err)
{
	int fd CLEANUP_FD = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq req = {.ifr_name = "lo"};

	if (fd < 0 || ioctl(fd, SIOCGIFFLAGS, &req) < 0) {
		return err_set_errno(err, errno, "cannot read the loopback interface");
	}
	req.ifr_flags |= IFF_UP;
	if (ioctl(fd, SIOCSIFFLAGS, &req) < 0) {
		return err_set_errno(err, errno, "cannot raise the loopback interface");
	}
	return 0;
}

static int pin(const char *kind, const char *path, struct err *err)
{
	char source[64];
	int fd;
	int r;

	if (!path) {
		return 0;
	}
	r = ns_remove(path, err);
	if (r < 0) {
		return r;
	}
	fd = open(path, O_RDONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0444);
	if (fd < 0) {
		return err_set_errno(err, errno, "cannot create %s", path);
	}
	close(fd);
	snprintf(source, sizeof(source), "/proc/thread-self/ns/%s", kind);
	if (mount(source, path, NULL, MS_BIND, NULL) < 0) {
		return err_set_errno(err, errno, "cannot pin a %s namespace at %s", kind, path);
	}
	return 0;
}

static int create_here(void *ctx, struct err *err)
{
	const struct ns_setup *setup = ctx;
	int flags = (setup->net ? CLONE_NEWNET : 0) | (setup->ipc ? CLONE_NEWIPC : 0) |
		    (setup->uts ? CLONE_NEWUTS : 0);
	int r = 0;

	if (unshare(flags) < 0) {
		return err_set_errno(err, errno, "cannot make namespaces");
	}
	if (setup->uts && setup->hostname &&
	    sethostname(setup->hostname, strlen(setup->hostname)) < 0) {
		return err_set_errno(err, errno, "cannot set the host name %s", setup->hostname);
	}
	if (setup->net) {
		r = raise_loopback(err);
	}
	if (r == 0 && setup->inside) {
		r = setup->inside(setup->ctx, err);
	}
	if (r == 0) {
		r = pin("net", setup->net, err);
	}
	if (r == 0) {
		r = pin("ipc", setup->ipc, err);
	}
	return r < 0 ? r : pin("uts", setup->uts, err);
}

int ns_create(const struct ns_setup *setup, struct err *err)
{
	const char *const paths[] = {setup->net, setup->ipc, setup->uts};
	int r = run_in_thread(create_here, (void *)setup, err);

	for (size_t i = 0; r < 0 && i < ARRAY_LEN(paths); i++) {
		if (paths[i]) {
			int ignored = ns_remove(paths[i],
						NULL); /* the first failure is the one to report */

			(void)ignored;
		}
	}
	return r;
}

int ns_remove(const char *path, struct err *err)
{
	int r = mount_remove(path, true, err);

	if (r == 0 && unlink(path) < 0 && errno != ENOENT) {
		return err_set_errno(err, errno, "cannot remove %s", path);
	}
	return r;
}

struct enter_call {
	const char *path;
	int (*fn)(void *ctx, struct err *err);
	void *ctx;
};

static int enter_here(void *ctx, struct err *err)
{
	struct enter_call *call = ctx;
	int fd CLEANUP_FD = open(call->path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || setns(fd, 0) < 0) {
		return err_set_errno(err, errno, "cannot enter the namespace %s", call->path);
	}
	return call->fn(call->ctx, err);
}

int ns_enter(const char *path, int (*fn)(void *ctx, struct err *err), void *ctx, struct err *err)
{
	struct enter_call call = {path, fn, ctx};

	return run_in_thread(enter_here, &call, err);
}
