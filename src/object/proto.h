/* SPDX-License-Identifier: Apache-2.0 */
/* object/proto.h: generated structs as protobuf (proto2 wire format), by descriptors, byte for byte as upstream's generated code writes them:
 * fields by number, values written even when zero, pointers when set, map entries by key, repeated numbers not packed (packed ones are
 * read). And the envelope that every document travels in: "k8s\0" and a runtime.Unknown message. */
#pragma once
#include "base/arena.h"
#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"
#include "object/desc.h"

enum { PROTO_DEPTH_MAX = 100, PROTO_ITEMS_MAX = 1000 * 1000 };

/* Appends the message. Cannot fail. */
void proto_encode(struct buf *out, const struct type_desc *type, const void *obj);
/* Fills *obj, which must be zeroed. Strings are borrowed from `bytes`, which must outlive the object. Unknown fields are passed over. 0,
 * ERR_INVALID ("proto: ..." ) or ERR_LIMIT. */
MUST_USE int proto_decode(struct arena *arena, const struct type_desc *type, struct str bytes,
			  void *obj, struct err *err);

struct proto_envelope {
	struct str api_version, kind;
	struct str raw;
	struct str content_type;
};

/* True if the bytes begin with the magic number. */
bool proto_has_magic(struct str bytes);
MUST_USE int proto_read_envelope(struct str bytes, struct proto_envelope *ret, struct err *err);
/* Appends magic number and envelope around an encoded message. */
void proto_write_envelope(struct buf *out, struct str api_version, struct str kind, struct str raw);
