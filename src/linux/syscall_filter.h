/* SPDX-License-Identifier: Apache-2.0 */
/* linux/syscall_filter.h: system call filters: the container default (RuntimeDefault) as the "seccomp" object of an OCI config.json, and a
 * filter for our own children that parse foreign bytes. */
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"

/* Appends the JSON object. An allow list; names that the kernel or libseccomp does not know are skipped by the OCI runtime. `caps` (see
 * linux/caps.h) opens the calls that are useless without the capability, as the common default profile does. */
void syscall_filter_write_default(struct buf *out, uint64_t caps);
/* From now on this thread and its children may call only these; anything else kills the process. no_new_privs is set. 0 or negative
 * errno. `names` may hold calls that this architecture lacks. */
MUST_USE int syscall_filter_allow_only(const char *const *names, size_t n);
