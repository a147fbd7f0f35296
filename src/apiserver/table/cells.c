/* SPDX-License-Identifier: Apache-2.0 */
#include "apiserver/table/cells.h"

#include "rules/selector.h"

void cell_name(struct table_row *row, const struct object_head *obj)
{
	table_cell_str(row, obj->metadata.name);
}

void cell_object_age(struct table_row *row, const struct object_head *obj)
{
	table_cell_age(row, obj->metadata.creation_timestamp);
}

void cell_or_none(struct table_row *row, struct str s)
{
	table_cell_str(row, s.n ? s : NONE);
}

void cell_list(struct table_row *row, const struct str_list *list)
{
	struct buf b CLEANUP_BUF = {0};

	for (size_t i = 0; i < list->n; i++) {
		buf_add_str(&b, i ? STR(",") : STR(""));
		buf_add_str(&b, list->p[i]);
	}
	cell_or_none(row, buf_str(&b));
}

void cell_containers(struct table_row *row, const struct core_pod_spec *spec)
{
	struct buf names CLEANUP_BUF = {0};
	struct buf images CLEANUP_BUF = {0};

	for (size_t i = 0; i < spec->containers.n; i++) {
		buf_add_str(&names, i ? STR(",") : STR(""));
		buf_add_str(&names, spec->containers.p[i].name);
		buf_add_str(&images, i ? STR(",") : STR(""));
		buf_add_str(&images, spec->containers.p[i].image);
	}
	table_cell_str(row, buf_str(&names));
	table_cell_str(row, buf_str(&images));
}

void cell_selector(struct table_row *row, const struct meta_label_selector *selector)
{
	struct err err CLEANUP_ERR = {0};
	struct selector s;

	if (!selector || label_selector_of(row->arena, selector, &s, &err) < 0) {
		table_cell_str(row, NONE);
		return;
	}
	cell_or_none(row, selector_text(row->arena, &s));
}

void cell_map(struct table_row *row, const struct str_map *map)
{
	struct buf b CLEANUP_BUF = {0};

	for (size_t i = 0; i < map->n; i++) {
		buf_printf(&b, "%s%.*s=%.*s", i ? "," : "", STR_ARG(map->p[i].key),
			   STR_ARG(map->p[i].value));
	}
	cell_or_none(row, buf_str(&b));
}
