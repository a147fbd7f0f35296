/* SPDX-License-Identifier: Apache-2.0 */
#include "apiserver/table/table.h"

#include <stdarg.h>

#include "base/alloc.h"
#include "codec/json.h"
#include "codec/time.h"

static const struct {
	const struct resource_desc *resource;
	table_printer_fn fn;
} printers[] = {
#define PRINTER(resource, fn) {&resource_##resource, fn},
#include "apiserver/table/printers.def"
#undef PRINTER
	{NULL, NULL},
};

static void begin_cell(struct table_row *row)
{
	if (row->ncells++) {
		buf_add_char(row->out, ',');
	}
}

void table_cell_str(struct table_row *row, struct str s)
{
	begin_cell(row);
	json_write_string(row->out, s);
}

void table_cell_printf(struct table_row *row, const char *fmt, ...)
{
	struct str s;
	va_list ap;

	va_start(ap, fmt);
	s = arena_vprintf(row->arena, fmt, ap);
	va_end(ap);
	table_cell_str(row, s);
}

void table_cell_int(struct table_row *row, int64_t v)
{
	begin_cell(row);
	buf_add_int64(row->out, v);
}

void table_cell_bool(struct table_row *row, bool v)
{
	begin_cell(row);
	buf_add_str(row->out, v ? STR("true") : STR("false"));
}

/* apimachinery's duration.HumanDuration: two units where the first is small, one where it is not. */
static struct str human_duration(struct arena *a, int64_t s)
{
	int64_t m = s / 60;
	int64_t h = m / 60;
	int64_t d = h / 24;

	if (s < 0) {
		return s >= -1 ? STR("0s") : STR("<invalid>");
	}
	if (s < 120) {
		return arena_printf(a, "%llds", (long long)s);
	}
	if (m < 10) {
		return s % 60 ? arena_printf(a, "%lldm%llds", (long long)m, (long long)(s % 60))
			      : arena_printf(a, "%lldm", (long long)m);
	}
	if (m < 180) {
		return arena_printf(a, "%lldm", (long long)m);
	}
	if (h < 8) {
		return m % 60 ? arena_printf(a, "%lldh%lldm", (long long)h, (long long)(m % 60))
			      : arena_printf(a, "%lldh", (long long)h);
	}
	if (h < 48) {
		return arena_printf(a, "%lldh", (long long)h);
	}
	if (h < 192) {
		return h % 24 ? arena_printf(a, "%lldd%lldh", (long long)d, (long long)(h % 24))
			      : arena_printf(a, "%lldd", (long long)d);
	}
	if (h < 24 * 365 * 2) {
		return arena_printf(a, "%lldd", (long long)d);
	}
	if (h < 24 * 365 * 8) {
		int64_t dy = d % 365;

		return dy ? arena_printf(a, "%lldy%lldd", (long long)(d / 365), (long long)dy)
			  : arena_printf(a, "%lldy", (long long)(d / 365));
	}
	return arena_printf(a, "%lldy", (long long)(d / 365));
}

struct str table_duration(struct arena *a, int64_t seconds)
{
	return human_duration(a, seconds);
}

void table_cell_age(struct table_row *row, struct timestamp t)
{
	table_cell_str(row,
		       t.set ? human_duration(row->arena, row->now_sec - t.sec) : STR("<unknown>"));
}

static void write_column(struct buf *out, const char *name, const char *type, const char *format,
			 int priority)
{
	buf_printf(out,
		   "{\"name\":\"%s\",\"type\":\"%s\",\"format\":\"%s\",\"description\":\"\","
		   "\"priority\":%d}",
		   name, type, format, priority);
}

void table_write_columns(struct buf *out, const struct resource_desc *resource)
{
	buf_puts(out, "\"columnDefinitions\":[");
	for (size_t i = 0; i < resource->ncolumns; i++) {
		const struct column_desc *c = &resource->columns[i];

		buf_add_str(out, i ? STR(",") : STR(""));
		write_column(out, c->name, c->type, c->format, c->priority);
	}
	if (!resource->ncolumns) {
		write_column(out, "Name", "string", "name", 0);
		buf_puts(out, ",");
		write_column(out, "Created At", "date", "", 0);
	}
	buf_puts(out, "]");
}

static table_printer_fn find_printer(const struct resource_desc *resource)
{
	for (size_t i = 0; printers[i].fn; i++) {
		if (printers[i].resource == resource) {
			return printers[i].fn;
		}
	}
	return NULL;
}

/* Name, and what any object can tell; other columns of a kind that nobody prints yet say <unknown>. */
static void print_plain(struct table_row *row, const struct resource_desc *resource,
			const struct object_head *obj)
{
	table_cell_str(row, obj->metadata.name);
	for (size_t i = 1; i < MAX((size_t)resource->ncolumns, (size_t)2); i++) {
		struct str name =
			resource->ncolumns ? str_of(resource->columns[i].name) : STR("Created At");
		struct buf time CLEANUP_BUF = {0};

		if (str_is(name, "Age")) {
			table_cell_age(row, obj->metadata.creation_timestamp);
		} else if (str_is(name, "Created At")) {
			time_write(&time, obj->metadata.creation_timestamp.sec);
			table_cell_str(row, buf_str(&time));
		} else {
			table_cell_str(row, STR("<unknown>"));
		}
	}
}

void table_write_cells(struct buf *out, const struct resource_desc *resource,
		       const struct object_head *obj, int64_t now_sec, struct arena *scratch)
{
	struct table_row row = {.out = out, .arena = scratch, .now_sec = now_sec};
	table_printer_fn fn = find_printer(resource);
	size_t want = resource->ncolumns ? resource->ncolumns : 2;

	buf_puts(out, "\"cells\":[");
	if (fn) {
		fn(&row, obj);
	} else {
		print_plain(&row, resource, obj);
	}
	ASSERT(row.ncells == want);
	buf_puts(out, "]");
}
