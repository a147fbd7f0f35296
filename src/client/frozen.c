/* SPDX-License-Identifier: Apache-2.0 */
#include "client/frozen.h"

#include "base/alloc.h"
#include "object/decode.h"

static int decode(const struct resource_desc *resource, struct str text, struct frozen *f,
		  struct err *err)
{
	struct object_head *head = arena_alloc(&f->arena, resource->type->size);
	int r = object_decode(&f->arena, resource->type, text, head, NULL, err);
	int64_t revision = 0;

	if (r < 0) {
		return r;
	}
	if (str_to_int64(head->metadata.resource_version, &revision) < 0) {
		revision = 0;
	}
	f->refs = 1;
	f->resource = resource;
	f->head = head;
	f->revision = revision;
	return 0;
}

int frozen_decode(const struct resource_desc *resource, struct str json, struct frozen **ret,
		  struct err *err)
{
	struct frozen *f = NEW(struct frozen);
	int r = decode(resource, arena_str(&f->arena, json), f, err);

	if (r < 0) {
		arena_fini(&f->arena);
		mem_free(f);
		return r;
	}
	*ret = f;
	return 0;
}

struct frozen *frozen_ref(struct frozen *f)
{
	f->refs++;
	return f;
}

void frozen_unref(struct frozen *f)
{
	if (!f) {
		return;
	}
	ASSERT(f->refs > 0);
	if (--f->refs == 0) {
		if (f->release) {
			f->release(f->owner);
		}
		arena_fini(&f->arena);
		mem_free(f);
	}
}

int frozen_borrow(const struct resource_desc *resource, struct str json,
		  void (*release)(void *owner), void *owner, struct frozen **ret, struct err *err)
{
	struct frozen *f = NEW(struct frozen);
	int r = decode(resource, json, f, err);

	if (r < 0) {
		arena_fini(&f->arena);
		mem_free(f);
		return r;
	}
	f->release = release;
	f->owner = owner;
	*ret = f;
	return 0;
}

void frozen_set_revision(struct frozen *f, int64_t revision)
{
	ASSERT(f->refs == 1);
	f->revision = revision;
	((struct object_head *)f->head)->metadata.resource_version =
		arena_printf(&f->arena, "%lld", (long long)revision);
}
