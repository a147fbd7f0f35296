/* SPDX-License-Identifier: Apache-2.0 */
#include "rules/check.h"

#include "base/alloc.h"
#include "codec/json.h"
#include "object/encode.h"
#include "object/object.h"
#include "object/quantity.h"
#include "rules/cidr.h"
#include "rules/names.h"

struct field_value value_of(struct field_errors *errs, const struct type_desc *type,
			    const void *obj, const char *field)
{
	const struct field_desc *f = type_find_field(type, str_of(field));

	ASSERT(f);
	return field_value_of(errs->arena, f, obj);
}

struct field_value value_json(struct field_errors *errs, const struct type_desc *type,
			      const void *obj)
{
	struct buf b CLEANUP_BUF = {0};

	object_encode(&b, type, obj, NULL, NULL);
	return field_json(arena_str(errs->arena, buf_str(&b)));
}

struct field_value strings_json(struct field_errors *errs, const struct str_list *list)
{
	struct buf b CLEANUP_BUF = {0};

	buf_add_char(&b, '[');
	for (size_t i = 0; i < list->n; i++) {
		buf_add_str(&b, i ? STR(",") : STR(""));
		json_write_string(&b, list->p[i]);
	}
	buf_add_char(&b, ']');
	return field_json(arena_str(errs->arena, buf_str(&b)));
}

struct field_value quantity_value_text(struct field_errors *errs, struct quantity q)
{
	struct buf b CLEANUP_BUF = {0};

	quantity_write(&b, q);
	return field_str(arena_str(errs->arena, buf_str(&b)));
}

struct field_value int_or_string_value(struct int_or_string v)
{
	return v.kind == IOS_INT ? field_int(v.num) : field_str(v.str);
}

void check_not_negative(struct field_errors *errs, const struct path *at, int64_t v)
{
	if (v < 0) {
		field_invalid(errs, at, field_int(v), "must be greater than or equal to 0");
	}
}

void check_not_negative_ptr(struct field_errors *errs, const struct path *at, const int32_t *v)
{
	if (v) {
		check_not_negative(errs, at, *v);
	}
}

void check_range(struct field_errors *errs, const struct path *at, int64_t v, int64_t low,
		 int64_t high)
{
	if (v < low || v > high) {
		field_invalid(errs, at, field_int(v), "must be between %lld and %lld, inclusive",
			      (long long)low, (long long)high);
	}
}

void check_port(struct field_errors *errs, const struct path *at, int64_t port)
{
	check_range(errs, at, port, 1, 65535);
}

void check_port_or_name(struct field_errors *errs, const struct path *at, struct int_or_string port)
{
	if (port.kind == IOS_INT) {
		check_port(errs, at, port.num);
	} else {
		check_name(errs, at, port.str, port_name_faults);
	}
}

void check_int_or_percent(struct field_errors *errs, const struct path *at, struct int_or_string v)
{
	if (v.kind == IOS_INT) {
		check_not_negative(errs, at, v.num);
	} else {
		check_name(errs, at, v.str, percent_faults);
	}
}

int64_t int_or_percent_number(struct int_or_string v)
{
	int64_t n;

	if (v.kind == IOS_INT) {
		return v.num;
	}
	return name_is(v.str, percent_faults) &&
			       str_to_int64(str_sub(v.str, 0, v.str.n - 1), &n) == 0
		       ? n
		       : 0;
}

void check_at_most_100_percent(struct field_errors *errs, const struct path *at,
			       struct int_or_string v)
{
	if (v.kind == IOS_STRING && int_or_percent_number(v) > 100) {
		field_invalid(errs, at, field_str(v.str), "must not be greater than 100%%");
	}
}

void check_id(struct field_errors *errs, const struct path *at, const int64_t *id)
{
	if (id) {
		check_range(errs, at, *id, 0, UINT32_MAX);
	}
}

void check_file_mode(struct field_errors *errs, const struct path *at, const int32_t *mode)
{
	if (mode && (*mode < 0 || *mode > 0777)) {
		field_invalid(errs, at, field_int(*mode),
			      "must be a number between 0 and 0777 (octal), both inclusive");
	}
}

bool is_one_of(struct str s, const char *const *values)
{
	for (; *values; values++) {
		if (str_eq(s, str_of(*values))) {
			return true;
		}
	}
	return false;
}

void check_one_of(struct field_errors *errs, const struct path *at, const struct str *s,
		  const char *const *values)
{
	if (s && !is_one_of(*s, values)) {
		field_not_supported(errs, at, field_str(*s), values);
	}
}

void check_no_backsteps(struct field_errors *errs, const struct path *at, struct str path)
{
	struct str rest = path;
	struct str part;

	while (str_cut(&rest, '/', &part)) {
		if (str_is(part, "..")) {
			field_invalid(errs, at, field_str(path), "must not contain '..'");
			return;
		}
	}
}

void check_descending_path(struct field_errors *errs, const struct path *at, struct str path)
{
	if (str_has_prefix(path, STR("/"))) {
		field_invalid(errs, at, field_str(path), "must be a relative path");
	}
	check_no_backsteps(errs, at, path);
}

void check_volume_path(struct field_errors *errs, const struct path *at, struct str path)
{
	check_descending_path(errs, at, path);
	if (str_has_prefix(path, STR("..")) && !str_has_prefix(path, STR("../")) &&
	    !str_is(path, "..")) {
		field_invalid(errs, at, field_str(path), "must not start with '..'");
	}
}

/* 010.0.0.1: read by older versions as decimal, by others as octal. */
static bool has_leading_zeros(struct str s)
{
	struct str part;

	while (str_cut(&s, '.', &part)) {
		if (part.n > 1 && part.p[0] == '0') {
			return true;
		}
	}
	return false;
}

void check_ip(struct field_errors *errs, const struct path *at, struct str s)
{
	struct addr ip;

	if (addr_parse_sloppy(s, &ip) < 0) {
		field_invalid(errs, at, field_str(s),
			      "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)");
		return;
	}
	if (str_find_char(s, ':') < 0 && has_leading_zeros(s)) {
		field_invalid(errs, at, field_str(s), "must not have leading 0s");
	}
	if (str_find_char(s, ':') >= 0 && addr_is_v4(&ip)) {
		field_invalid(errs, at, field_str(s), "must not be an IPv4-mapped IPv6 address");
	}
}

void check_cidr(struct field_errors *errs, const struct path *at, struct str s)
{
	struct cidr c;
	struct addr ip;
	struct str bits = s;
	struct str addr;

	str_cut(&bits, '/', &addr);
	if (addr_parse_sloppy(addr, &ip) < 0 || cidr_parse_sloppy(s, &c) < 0) {
		field_invalid(errs, at, field_str(s),
			      "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)");
		return;
	}
	if ((str_find_char(s, ':') < 0 && has_leading_zeros(addr)) ||
	    (bits.n > 1 && bits.p[0] == '0')) {
		field_invalid(errs, at, field_str(s),
			      "must not have leading 0s in IP or prefix length");
	} else if (str_find_char(s, ':') >= 0 && addr_is_v4(&ip)) {
		field_invalid(errs, at, field_str(s), "must not have an IPv4-mapped IPv6 address");
	} else if (!addr_eq(&ip, &c.base)) {
		field_invalid(errs, at, field_str(s),
			      "must not have bits set beyond the prefix length");
	}
}

void check_ordinary_ip(struct field_errors *errs, const struct path *at, struct str s)
{
	struct addr ip;

	if (addr_parse_sloppy(s, &ip) < 0) {
		field_invalid(errs, at, field_str(s), "must be a valid IP address");
		return;
	}
	switch (addr_scope(&ip)) {
	case IP_UNSPECIFIED:
		field_invalid(errs, at, field_str(s), "may not be unspecified (%.*s)", STR_ARG(s));
		break;
	case IP_LOOPBACK:
		field_invalid(errs, at, field_str(s),
			      "may not be in the loopback range (127.0.0.0/8, ::1/128)");
		break;
	case IP_LINK_LOCAL:
		field_invalid(errs, at, field_str(s),
			      "may not be in the link-local range (169.254.0.0/16, fe80::/10)");
		break;
	case IP_LINK_LOCAL_MULTICAST:
		field_invalid(
			errs, at, field_str(s),
			"may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)");
		break;
	case IP_GLOBAL:
		break;
	}
}

void check_dual_stack(struct field_errors *errs, const struct path *at, const struct str_list *ips,
		      const char *what)
{
	size_t v6 = 0;

	for (size_t i = 0; i < ips->n; i++) {
		v6 += str_find_char(ips->p[i], ':') >= 0;
	}
	if (ips->n > 2 || v6 > 1 || ips->n - v6 > 1) {
		field_invalid(errs, at, strings_json(errs, ips),
			      "may specify no more than one %s for each IP family", what);
	}
	for (size_t i = 1; i < ips->n && ips->n <= 100; i++) {
		for (size_t j = 0; j < i; j++) {
			if (str_eq(ips->p[i], ips->p[j])) {
				field_duplicate(errs, AT_INDEX(at, i), field_str(ips->p[i]));
				break;
			}
		}
	}
}

void check_unchanged(struct field_errors *errs, const struct path *at, const struct type_desc *type,
		     const void *obj, const void *old, const char *field)
{
	const struct field_desc *f = type_find_field(type, str_of(field));

	ASSERT(f);
	if (!field_equal(f, obj, old)) {
		field_invalid(errs, at, field_value_of(errs->arena, f, obj), "field is immutable");
	}
}

bool str_set_add(struct str_set *set, struct str s)
{
	static char there;

	if (!set->ready) {
		map_init(&set->map, MAP_BORROW_KEYS);
		set->ready = true;
	}
	if (map_find(&set->map, s)) {
		return false;
	}
	map_put(&set->map, s, &there);
	return true;
}

bool str_set_has(const struct str_set *set, struct str s)
{
	return set->ready && map_find(&set->map, s);
}

void str_set_fini(struct str_set *set)
{
	if (set->ready) {
		map_fini(&set->map);
		set->ready = false;
	}
}
