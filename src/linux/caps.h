/* SPDX-License-Identifier: Apache-2.0 */
/* linux/caps.h: capabilities as bit masks and names, and what this process may hand on: a container that asks for more than our bounding
 * set or hard limits would not start at all, so both are clamped. Thread-safe. */
#pragma once
#include <stdint.h>
#include <sys/resource.h>

#include "base/attr.h"
#include "base/str.h"

/* Docker's set, which every Kubernetes runtime gives by default. */
uint64_t caps_default(void);
/* What the kernel lets this process and its children ever have (CapBnd). */
uint64_t caps_bounding(void);
/* "NET_ADMIN", "CAP_NET_ADMIN", "net_admin"; "ALL" gives every bit. 0 or ERR_NOT_FOUND. */
MUST_USE int caps_parse(struct str name, uint64_t *ret_mask);
/* "CAP_NET_ADMIN", static; NULL beyond the last one that we know. Bits count from 0. */
const char *caps_name(unsigned bit);
/* Bounding, permitted, effective and inheritable set of this process become `mask`, ambient empty. For children: there is no way back.
 * 0 or negative errno. */
MUST_USE int caps_keep_only(uint64_t mask);

/* "nofile", "RLIMIT_NOFILE": the RLIMIT_* number or ERR_NOT_FOUND. */
MUST_USE int rlimit_parse(struct str name);
/* Soft and hard not above our own hard limit. */
struct rlimit rlimit_clamp(int resource, struct rlimit want);
