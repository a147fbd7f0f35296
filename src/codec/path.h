/* SPDX-License-Identifier: Apache-2.0 */
/* codec/path.h: the place of a value inside a document, as a chain of nodes on the callers' stacks:
 * cheap to extend on the way down, printed only when something is wrong. NULL is the root. A node
 * borrows its parent and its name.
 *     struct path spec = path_field(NULL, STR("spec"));
 *     struct path c = path_field(&spec, STR("containers"));
 *     struct path item = path_index(&c, 0);
 *     struct path image = path_field(&item, STR("image"));      spec.containers[0].image
 * */
#pragma once
#include "base/arena.h"
#include "base/buf.h"
#include "base/str.h"

enum path_kind { PATH_KIND_FIELD, PATH_KIND_INDEX, PATH_KIND_KEY };

struct path {
	const struct path *up;
	struct str name; /* of a field, or a map's key */
	size_t index;
	enum path_kind kind;
};

enum path_style {
	/* spec.hard[cpu], spec.containers[0].image: field errors and causes */
	PATH_STYLE_API,
	/* spec.hard.cpu, spec.containers[0].image: unknown and duplicate fields */
	PATH_STYLE_STRICT,
	/* spec.hard, spec.containers.image: type errors */
	PATH_STYLE_GO,
};

/* Longer names are cut and end in "...", so that no document can make printing its paths dear. */
enum { PATH_NAME_MAX = 256 };

static inline struct path path_field(const struct path *up, struct str name)
{
	return (struct path){.up = up, .name = name, .kind = PATH_KIND_FIELD};
}

static inline struct path path_index(const struct path *up, size_t index)
{
	return (struct path){.up = up, .index = index, .kind = PATH_KIND_INDEX};
}

static inline struct path path_key(const struct path *up, struct str key)
{
	return (struct path){.up = up, .name = key, .kind = PATH_KIND_KEY};
}

void path_write(struct buf *out, const struct path *path, enum path_style style);
/* In the arena, NUL-terminated; "" for the root. */
struct str path_print(struct arena *arena, const struct path *path, enum path_style style);
