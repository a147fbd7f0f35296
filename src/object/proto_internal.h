/* SPDX-License-Identifier: Apache-2.0 */
/* object/proto_internal.h: what writing and reading protobuf share. */
#pragma once
#include "object/field.h"
#include "object/proto.h"

enum wire_type { WIRE_VARINT = 0, WIRE_FIXED64 = 1, WIRE_BYTES = 2, WIRE_FIXED32 = 5 };

/* How deep messages are inlined into one struct (proto_path). */
enum { INLINE_MAX = 4 };

/* The field lies behind these numbers of inlined messages. */
static inline bool has_prefix(const struct field_desc *f, const uint16_t *prefix, size_t depth)
{
	if (!f->proto_path) {
		return false;
	}
	for (size_t i = 0; i < depth; i++) {
		if (f->proto_path[i] != prefix[i]) {
			return false;
		}
	}
	return f->proto_path[depth] != 0;
}

#define PROTO_MAGIC STR("k8s\0")
