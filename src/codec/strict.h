/* SPDX-License-Identifier: Apache-2.0 */
/* codec/strict.h: what strict decoding complains about: unknown and duplicate fields, each place
 * once, at most STRICT_NOTES_MAX of them (upstream's bound). fieldValidation=Strict refuses the
 * request with strict_notes_write, Warn sends each note as a warning. Ready when zeroed but for the
 * arena, which owns the paths. */
#pragma once
#include "base/arena.h"
#include "base/buf.h"
#include "codec/path.h"

enum {
	STRICT_NOTES_MAX = 100,
	STRICT_TRIES_MAX = 10000, /* after so many, repeated ones included, no more are looked at */
};

enum strict_kind { STRICT_UNKNOWN, STRICT_DUPLICATE };

struct strict_note {
	enum strict_kind kind;
	struct str path;
};

struct strict_notes {
	struct arena *arena;
	struct strict_note *p;
	size_t n;
	size_t tries;
};

/* notes may be NULL: nobody asked. */
void strict_notes_add(struct strict_notes *notes, enum strict_kind kind, const struct path *path);
/* unknown field "spec.foo" */
void strict_note_write(struct buf *out, const struct strict_note *note);
/* strict decoding error: unknown field "spec.foo", duplicate field "spec.bar" */
void strict_notes_write(struct buf *out, const struct strict_notes *notes);
