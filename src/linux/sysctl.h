/* SPDX-License-Identifier: Apache-2.0 */
/* linux/sysctl.h: kernel settings below /proc/sys, named by path ("net/ipv4/ip_forward"). Network ones are those of the caller's network
 * namespace. What was there before is recorded, so that it can be put back. */
#pragma once
#include "base/err.h"

struct sysctl {
	const char *path;
	const char *value;
};

/* Writes only if the value differs. With record_dir, the value that was there goes first to a file in it (path with '/' as '~'), unless
 * one is there already from an earlier run. 0 or ERR_*; ERR_NOT_FOUND when the kernel has no such setting. */
MUST_USE int sysctl_ensure(const struct sysctl *s, const char *record_dir, struct err *err);
/* Puts every recorded value back and deletes the records. A setting that is gone (its link was deleted) is skipped; a missing directory is
 * success. */
MUST_USE int sysctl_restore(const char *record_dir, struct err *err);
