/* SPDX-License-Identifier: Apache-2.0 */
/* kubelet/runtime/test_scope.h: a world of its own for a test that runs real containers: cgroup subtree, mount, network, uts and ipc namespaces. The
 * process splits: the child goes on inside, the parent waits, kills what is left and removes the cgroups. Needs root. Tests only. */
#pragma once
#include <errno.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "linux/cgroup.h"

static int test_scope_fail_(const char *what)
{
	fprintf(stderr, "test scope: %s: %s (this test needs root and control groups)\n", what,
		strerror(errno));
	return -1;
}

static int test_scope_mount_v1_(const struct cgroup_fs *fs)
{
	static const char *const names[CGROUP_CONTROLLERS] = {
		"cpu", "cpuacct", "cpuset", "memory", "pids", "blkio", "freezer", "devices"};
	char path[128];

	if (mount("cgroup", "/sys/fs/cgroup", "tmpfs", 0, "mode=755") < 0) {
		return test_scope_fail_("tmpfs on /sys/fs/cgroup");
	}
	for (int c = 0; c < CGROUP_CONTROLLERS; c++) {
		snprintf(path, sizeof(path), "/sys/fs/cgroup/%s", names[c]);
		if (fs->dirs[c] &&
		    (mkdir(path, 0755) < 0 || mount("cgroup", path, "cgroup", 0, names[c]) < 0)) {
			return test_scope_fail_(path);
		}
	}
	return 0;
}

static int test_scope_enter_(const struct cgroup_fs *fs, const char *group)
{
	if (cgroup_enter(fs, group, 0, NULL) < 0) {
		return test_scope_fail_("entering the cgroup");
	}
	if (unshare(CLONE_NEWCGROUP | CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWUTS | CLONE_NEWIPC) <
		    0 ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    umount2("/sys", MNT_DETACH) < 0 || mount("sysfs", "/sys", "sysfs", 0, NULL) < 0) {
		return test_scope_fail_("private namespaces");
	}
	if (fs->mode != CGROUP_V2) {
		return test_scope_mount_v1_(fs);
	}
	/* v2: the group itself must be free of processes before it can hand controllers down */
	if (mount("cgroup2", "/sys/fs/cgroup", "cgroup2", 0, NULL) < 0 ||
	    mkdir("/sys/fs/cgroup/agent", 0755) < 0 || cgroup_enter(fs, "/agent", 0, NULL) < 0) {
		return test_scope_fail_("cgroup2");
	}
	return 0;
}

/* Runs fn inside of a fresh scope; returns its result, or 1. */
static int test_scope_run(int (*fn)(int argc, char **argv), int argc, char **argv)
{
	struct cgroup_fs fs = {0};
	struct err err CLEANUP_ERR = {0};
	char group[64];
	int status;
	pid_t pid;

	snprintf(group, sizeof(group), "/cox-test-%d", (int)getpid());
	if (cgroup_detect("/sys/fs/cgroup", &fs, &err) < 0 || cgroup_create(&fs, group, &err) < 0) {
		fprintf(stderr, "test scope: %s\n", err_msg(&err));
		return 1;
	}
	prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); /* conmons end up here, not with a lazy init */
	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		status = test_scope_enter_(&fs, group) < 0 ? 1 : fn(argc, argv);
		cgroup_fs_fini(&fs);
		fflush(NULL);
		exit(status);
	}
	for (;;) {
		int s;
		pid_t ended = wait(&s);

		if (ended == pid) {
			status = WIFEXITED(s) ? WEXITSTATUS(s) : 128 + WTERMSIG(s);
			break;
		}
	}
	if (cgroup_kill(&fs, group, &err) < 0) {
		fprintf(stderr, "test scope: %s\n", err_msg(&err));
	}
	while (wait(NULL) > 0) {
	}
	if (cgroup_remove(&fs, group, &err) < 0) {
		fprintf(stderr, "test scope: %s\n", err_msg(&err));
		status = status ? status : 1;
	}
	cgroup_fs_fini(&fs);
	return status;
}
