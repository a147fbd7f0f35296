/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/path.h"

static void write_cut(struct buf *out, struct str name)
{
	buf_add_str(out, str_sub(name, 0, PATH_NAME_MAX));
	if (name.n > PATH_NAME_MAX) {
		buf_puts(out, "...");
	}
}

static void write_name(struct buf *out, struct str name, size_t start)
{
	if (out->n > start) {
		buf_add_char(out, '.');
	}
	write_cut(out, name);
}

/* Recursion is as deep as the document, which its parser has bounded. */
static void write_from(struct buf *out, const struct path *path, enum path_style style,
		       size_t start)
{
	if (!path) {
		return;
	}
	write_from(out, path->up, style, start);
	switch (path->kind) {
	case PATH_KIND_FIELD:
		write_name(out, path->name, start);
		break;
	case PATH_KIND_INDEX:
		if (style != PATH_STYLE_GO) {
			buf_printf(out, "[%zu]", path->index);
		}
		break;
	case PATH_KIND_KEY:
		if (style == PATH_STYLE_STRICT) {
			write_name(out, path->name, start);
		} else if (style == PATH_STYLE_API) {
			buf_add_char(out, '[');
			write_cut(out, path->name);
			buf_add_char(out, ']');
		}
		break;
	}
}

void path_write(struct buf *out, const struct path *path, enum path_style style)
{
	write_from(out, path, style, out->n);
}

struct str path_print(struct arena *arena, const struct path *path, enum path_style style)
{
	struct buf b CLEANUP_BUF = {0};

	path_write(&b, path, style);
	return arena_str(arena, buf_str(&b));
}
