/* SPDX-License-Identifier: Apache-2.0 */
/* apiserver/table/table.h: objects as rows for kubectl get (meta.k8s.io/v1 Table). The columns of a kind stand in api/; what a cell shows is
 * written in table/GROUP.c, one function per kind, listed in table/printers.def. Kinds without one show name and age. */
#pragma once
#include "base/arena.h"
#include "base/buf.h"
#include "types/types.h"

/* A row under construction: one table_cell_* call per column, in order. */
struct table_row {
	struct buf *out;
	struct arena *arena; /* scratch */
	int64_t now_sec;
	size_t ncells;
};

void table_cell_str(struct table_row *row, struct str s);
void table_cell_printf(struct table_row *row, const char *fmt, ...) PRINTF(2, 3);
void table_cell_int(struct table_row *row, int64_t v);
void table_cell_bool(struct table_row *row, bool v);
/* How long ago, as upstream's duration.HumanDuration: "5s", "3m12s", "2d4h"; "<unknown>" for an unset time. */
void table_cell_age(struct table_row *row, struct timestamp t);

/* "3m12s": how people read a duration (apimachinery HumanDuration). */
struct str table_duration(struct arena *a, int64_t seconds);

/* "columnDefinitions":[...] of a resource, without braces around it. */
void table_write_columns(struct buf *out, const struct resource_desc *resource);
/* "cells":[...] of one object. Asserts that the printer gave as many cells as the kind has columns. */
void table_write_cells(struct buf *out, const struct resource_desc *resource,
		       const struct object_head *obj, int64_t now_sec, struct arena *scratch);

/* A kind's cells. printers.def: PRINTER(resource, function). */
typedef void (*table_printer_fn)(struct table_row *row, const struct object_head *obj);
#define PRINTER(resource, fn) void fn(struct table_row *row, const struct object_head *obj);
#include "apiserver/table/printers.def"
#undef PRINTER
