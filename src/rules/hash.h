/* SPDX-License-Identifier: Apache-2.0 */
/* rules/hash.h: short names for contents: pod-template-hash and the names of revisions.
 * FNV-1a (32 bits) over the canonical JSON, then upstream's alphabet without vowels, so that no words come out. Upstream hashes
 * Go's dump of its structs instead: the same template has another hash here, and keeps it for ever, whatever is built later. */
#pragma once
#include <stdint.h>

#include "base/arena.h"
#include "types/types.h"

uint32_t hash_fnv1a(uint32_t seed, const void *p, size_t n);
enum { HASH_FNV1A_SEED = 0x811c9dc5 };

/* Each byte of the text as one of bcdfghjklmnpqrstvwxz2456789. */
struct str safe_encode(struct arena *a, struct str s);
/* "6d4cf56db6". collision_count (may be NULL): raised when the name that came out was taken by something else. */
struct str pod_template_hash(struct arena *a, const struct core_pod_template_spec *template,
			     const int32_t *collision_count);
/* The same for any bytes: the data of a ControllerRevision. */
struct str content_hash(struct arena *a, struct str content, const int32_t *collision_count);
