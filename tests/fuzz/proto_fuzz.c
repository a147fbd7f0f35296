/* SPDX-License-Identifier: Apache-2.0 */
/* Protobuf bodies: envelope, then a Pod or a CustomResourceDefinition. What decodes must encode to bytes that decode to the same. */
#include <stddef.h>
#include <stdint.h>

#include "base/alloc.h"
#include "object/object.h"
#include "object/proto.h"
#include "types/types.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void round_trip(struct arena *a, const struct type_desc *type, struct str bytes)
{
	void *obj = arena_alloc(a, type->size);
	void *again = arena_alloc(a, type->size);
	struct err err CLEANUP_ERR = {0};
	struct buf b CLEANUP_BUF = {0};

	if (proto_decode(a, type, bytes, obj, &err) < 0) {
		ASSERT(err.msg);
		return;
	}
	proto_encode(&b, type, obj);
	ASSERT(proto_decode(a, type, buf_str(&b), again, &err) == 0);
	ASSERT(object_equal(type, obj, again));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena a CLEANUP_ARENA = {0};
	struct str bytes = str_make(data, size);
	struct proto_envelope envelope;

	if (proto_read_envelope(bytes, &envelope, NULL) == 0) {
		bytes = envelope.raw;
	}
	round_trip(&a, &type_core_pod, bytes);
	round_trip(&a, &type_apiextensions_custom_resource_definition, bytes);
	return 0;
}
