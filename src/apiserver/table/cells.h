/* SPDX-License-Identifier: Apache-2.0 */
/* apiserver/table/cells.h: cells that several kinds share. */
#pragma once
#include "apiserver/table/table.h"

#define NONE STR("<none>")
#define UNSET STR("<unset>")

void cell_name(struct table_row *row, const struct object_head *obj);
void cell_object_age(struct table_row *row, const struct object_head *obj);
/* "" becomes <none>. */
void cell_or_none(struct table_row *row, struct str s);
/* a,b,c; <none> for an empty list. */
void cell_list(struct table_row *row, const struct str_list *list);
/* Containers, images and selector of a workload: the wide columns. */
void cell_containers(struct table_row *row, const struct core_pod_spec *spec);
void cell_selector(struct table_row *row, const struct meta_label_selector *selector);
void cell_map(struct table_row *row, const struct str_map *map);
