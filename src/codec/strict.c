/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/strict.h"

void strict_notes_add(struct strict_notes *notes, enum strict_kind kind, const struct path *path)
{
	struct buf b CLEANUP_BUF = {0};

	if (!notes || notes->n == STRICT_NOTES_MAX || notes->tries == STRICT_TRIES_MAX) {
		return;
	}
	notes->tries++;
	path_write(&b, path, PATH_STYLE_STRICT);
	for (size_t i = 0; i < notes->n; i++) {
		if (notes->p[i].kind == kind && str_eq(notes->p[i].path, buf_str(&b))) {
			return;
		}
	}
	if (!notes->p) {
		notes->p = ARENA_ARRAY(notes->arena, STRICT_NOTES_MAX, struct strict_note);
	}
	notes->p[notes->n++] = (struct strict_note){kind, arena_str(notes->arena, buf_str(&b))};
}

void strict_note_write(struct buf *out, const struct strict_note *note)
{
	buf_printf(out, "%s field \"%.*s\"", note->kind == STRICT_UNKNOWN ? "unknown" : "duplicate",
		   STR_ARG(note->path));
}

void strict_notes_write(struct buf *out, const struct strict_notes *notes)
{
	buf_puts(out, "strict decoding error: ");
	for (size_t i = 0; i < notes->n; i++) {
		if (i) {
			buf_puts(out, ", ");
		}
		strict_note_write(out, &notes->p[i]);
	}
}
