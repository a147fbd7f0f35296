/* SPDX-License-Identifier: Apache-2.0 */
/* rules/strategy.h: what is particular about a kind when it is written: defaults and validation that the tables in api/ cannot say, and
 * which parts a client may set. Pure functions of objects; one file per group (rules/core.c, rules/apps.c, ...) holds the descriptors
 * of its kinds, strategies.def lists the files.
 *
 * The API server does the rest for every kind alike: table defaults, metadata (uid, creationTimestamp, generation, deletion fields), status
 * reset, table validation (required, enums, immutable, list keys), names. `obj` and `old` are generated structs of resource->type.
 *
 * Order on a write: table defaults, set_defaults, prepare_*, admission, both defaults again, validate*, warn. All functions are
 * idempotent. Objects may share memory with frozen ones: a function that changes a list, a map or what a pointer leads to makes it
 * anew in the arena, unless it has just been decoded (set_defaults, prepare_create: obj is the caller's own down to its leaves). */
#pragma once
#include <stdbool.h>

#include "base/arena.h"
#include "object/desc.h"
#include "object/field_error.h"
#include "rules/names.h"

/* Takes the text of one Warning header. */
struct warn_sink {
	struct arena *arena;
	void (*add)(void *ctx, struct str text);
	void *ctx;
};

struct strategy {
	const struct resource_desc *resource;
	enum name_rule name;
	/* metadata.name has at most so many bytes, where the rule alone would let more through; 0: the rule's. */
	uint8_t name_max;
	/* metadata.generation is kept: 1 at first, one more for each change outside metadata and status. */
	bool generation;
	/* A change of annotations counts too: Deployments, whose annotations travel to ReplicaSets. */
	bool generation_of_annotations;
	/* A PUT (or apply) on a name that does not exist creates it. */
	bool create_on_update;
	/* A PUT without resourceVersion is refused (422, "must be specified for an update"). */
	bool must_send_version;
	/* Conditional defaults; runs after the table's, on create and on update. May be NULL, as all that follow. */
	void (*set_defaults)(struct arena *a, void *obj);
	/* Clear or keep what clients may not set beyond status and metadata. */
	void (*prepare_create)(struct arena *a, void *obj);
	void (*prepare_update)(struct arena *a, void *obj, const void *old);
	/* Write through the status subresource: everything but status has been taken from old already. */
	void (*prepare_status)(struct arena *a, void *obj, const void *old);
	/* old is NULL on create. Appends to errs. */
	void (*validate)(struct field_errors *errs, const void *obj, const void *old);
	void (*validate_status)(struct field_errors *errs, const void *obj, const void *old);
	/* Texts for Warning headers, as upstream gives them (deprecated fields, ...). old is NULL on create. */
	void (*warn)(const struct warn_sink *sink, const void *obj, const void *old);
};

struct strategy_list {
	const struct strategy *p;
	size_t n;
};

/* Never NULL: kinds without anything particular get the plain strategy (DNS subdomain names, nothing else). */
const struct strategy *strategy_find(const struct resource_desc *resource);

/* metadata.name of a new object, and its generateName, by the strategy's rule. */
void strategy_check_name(const struct strategy *s, struct field_errors *errs, struct str name,
			 struct str generate_name);

/* For warn functions: "path: text". */
void warn_at(const struct warn_sink *sink, const struct path *at, const char *fmt, ...)
	PRINTF(3, 4);
