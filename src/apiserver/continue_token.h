/* SPDX-License-Identifier: Apache-2.0 */
/* apiserver/continue_token.h: where a limited list goes on: opaque to clients. In upstream's form, base64url of
 * {"v":"meta.k8s.io/v1","rv":123,"start":"ns/name"}; start is the first key of the next page, behind the resource's prefix. */
#pragma once
#include <stdint.h>

#include "base/arena.h"
#include "base/attr.h"

struct continue_token {
	int64_t revision; /* > 0 */
	struct str start;
};

struct str continue_token_make(struct arena *a, int64_t revision, struct str start);
/* ERR_INVALID for anything that _make cannot have made. */
MUST_USE int continue_token_parse(struct arena *a, struct str text, struct continue_token *ret);
