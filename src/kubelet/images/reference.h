/* SPDX-License-Identifier: Apache-2.0 */
/* kubelet/images/reference.h: names of images, normalised as every Kubernetes runtime does:
 *     busybox                   docker.io/library/busybox:latest
 *     me/app:v2                 docker.io/me/app:v2
 *     localhost:5000/app        localhost:5000/app:latest
 *     busybox@sha256:<64 hex>   docker.io/library/busybox@sha256:...   (no default tag beside a digest)
 * Pure; nothing here blocks. */
#pragma once
#include "base/arena.h"
#include "base/err.h"

enum { REFERENCE_MAX = 512 };

struct reference {
	struct str domain; /* "docker.io" */
	struct str path;   /* "library/busybox" */
	struct str tag;	   /* unset beside a digest unless given */
	struct str digest; /* "sha256:..."; unset if none */
	struct str name;   /* the whole normal form */
};

/* Everything is made in the arena. ERR_INVALID says what is wrong with the name. */
MUST_USE int reference_parse(struct arena *arena, struct str text, struct reference *ret,
			     struct err *err);
/* "sha256:" and 64 lower-case hex digits. */
bool reference_is_digest(struct str s);
