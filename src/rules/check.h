/* SPDX-License-Identifier: Apache-2.0 */
/* rules/check.h: what the validators of all groups share: places on the way down, bad values as JSON, and the checks that every
 * other field needs, with upstream's texts. Everything appends to errs; nothing fails.
 *     for (size_t i = 0; i < ports.n; i++) {
 *             const struct path *item = AT_INDEX(AT(spec, "ports"), i);
 *             check_port(errs, AT(item, "port"), ports.p[i].port);       spec.ports[0].port: Invalid value: 0: must be ...
 *     } */
#pragma once
#include <stdbool.h>

#include "base/map.h"
#include "object/field_error.h"
#include "object/scalar.h"

/* Nodes of a path on the stack; they live until the end of the enclosing block. NULL as `up` is the top. */
#define AT(up_, literal)                                                                           \
	(&(const struct path){.up = (up_), .name = STR_INIT(literal), .kind = PATH_KIND_FIELD})
#define AT_INDEX(up_, i) (&(const struct path){.up = (up_), .index = (i), .kind = PATH_KIND_INDEX})
#define AT_KEY(up_, key) (&(const struct path){.up = (up_), .name = (key), .kind = PATH_KIND_KEY})

/* ---- values, as messages show them ---- */

/* The member `field` of *obj, which must be one of the type's. */
struct field_value value_of(struct field_errors *errs, const struct type_desc *type,
			    const void *obj, const char *field);
/* The whole object. */
struct field_value value_json(struct field_errors *errs, const struct type_desc *type,
			      const void *obj);
struct field_value strings_json(struct field_errors *errs, const struct str_list *list);
struct field_value quantity_value_text(struct field_errors *errs, struct quantity q);
struct field_value int_or_string_value(struct int_or_string v);

/* ---- numbers ---- */

void check_not_negative(struct field_errors *errs, const struct path *at, int64_t v);
/* NULL is fine. */
void check_not_negative_ptr(struct field_errors *errs, const struct path *at, const int32_t *v);
void check_range(struct field_errors *errs, const struct path *at, int64_t v, int64_t low,
		 int64_t high);
void check_port(struct field_errors *errs, const struct path *at, int64_t port);
/* A number as check_port, or a name as port_name_faults. */
void check_port_or_name(struct field_errors *errs, const struct path *at,
			struct int_or_string port);
/* A number that is not negative, or "25%". */
void check_int_or_percent(struct field_errors *errs, const struct path *at, struct int_or_string v);
/* A percentage is at most 100. */
void check_at_most_100_percent(struct field_errors *errs, const struct path *at,
			       struct int_or_string v);
/* The number before %, or the number; 0 for what is neither. */
int64_t int_or_percent_number(struct int_or_string v);
/* Unix ids: 0 to 2^32-1. NULL is fine. */
void check_id(struct field_errors *errs, const struct path *at, const int64_t *id);
/* File permissions: 0 to 0777. NULL is fine. */
void check_file_mode(struct field_errors *errs, const struct path *at, const int32_t *mode);

/* ---- texts ---- */

/* values: NULL-terminated. */
bool is_one_of(struct str s, const char *const *values);
/* Not supported unless one of values; unset (NULL) is fine. */
void check_one_of(struct field_errors *errs, const struct path *at, const struct str *s,
		  const char *const *values);
/* No element is "..". */
void check_no_backsteps(struct field_errors *errs, const struct path *at, struct str path);
/* And relative. */
void check_descending_path(struct field_errors *errs, const struct path *at, struct str path);
/* And does not begin with "..": what the kubelet writes into a volume. */
void check_volume_path(struct field_errors *errs, const struct path *at, struct str path);

/* ---- addresses ---- */

void check_ip(struct field_errors *errs, const struct path *at, struct str s);
void check_cidr(struct field_errors *errs, const struct path *at, struct str s);
/* Neither unspecified, loopback nor link-local. */
void check_ordinary_ip(struct field_errors *errs, const struct path *at, struct str s);
/* At most one address of each family, none twice; the single ones are fine already. */
void check_dual_stack(struct field_errors *errs, const struct path *at, const struct str_list *ips,
		      const char *what);

/* ---- changes ---- */

/* The member must be as it was: Invalid value: ...: field is immutable. */
void check_unchanged(struct field_errors *errs, const struct path *at, const struct type_desc *type,
		     const void *obj, const void *old, const char *field);

/* ---- sets, to find duplicates ---- */

/* struct str_set names CLEANUP_STR_SET = {0};   Keys are borrowed. */
struct str_set {
	struct map map;
	bool ready;
};

/* False if it was there already. */
bool str_set_add(struct str_set *set, struct str s);
bool str_set_has(const struct str_set *set, struct str s);
void str_set_fini(struct str_set *set);

#define CLEANUP_STR_SET CLEANUP(str_set_fini)
