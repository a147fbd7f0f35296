/* SPDX-License-Identifier: Apache-2.0 */
#include "rules/cron.h"

#include <stdbool.h>

struct bounds {
	unsigned min, max;
	const char *const *names; /* of min, min + 1, ...; NULL: none */
};

static const char *const month_names[] = {"jan", "feb", "mar", "apr", "may", "jun", "jul",
					  "aug", "sep", "oct", "nov", "dec", NULL};
static const char *const weekday_names[] = {"sun", "mon", "tue", "wed", "thu", "fri", "sat", NULL};

static const struct bounds minute_bounds = {0, 59, NULL};
static const struct bounds hour_bounds = {0, 23, NULL};
static const struct bounds day_bounds = {1, 31, NULL};
static const struct bounds month_bounds = {1, 12, month_names};
static const struct bounds weekday_bounds = {0, 6, weekday_names};

static int parse_number(struct str text, unsigned *ret, struct err *err)
{
	int64_t n;

	if (str_to_int64(text, &n) < 0) {
		return err_set(err, ERR_INVALID,
			       "failed to parse int from %.*s: strconv.Atoi: parsing \"%.*s\": "
			       "invalid syntax",
			       STR_ARG(text), STR_ARG(text));
	}
	if (n < 0) {
		return err_set(err, ERR_INVALID, "negative number (%lld) not allowed: %.*s",
			       (long long)n, STR_ARG(text));
	}
	*ret = n > 1000000 ? 1000000 : (unsigned)n;
	return 0;
}

static int parse_number_or_name(struct str text, const struct bounds *b, unsigned *ret,
				struct err *err)
{
	for (unsigned i = 0; b->names && b->names[i]; i++) {
		if (str_eq_nocase(text, str_of(b->names[i]))) {
			*ret = b->min + i;
			return 0;
		}
	}
	return parse_number(text, ret, err);
}

/* The part before a slash: *, N or N-M. */
static int parse_ends(struct str text, const struct bounds *b, unsigned *low, unsigned *high,
		      bool *single, struct err *err)
{
	struct str rest = text;
	struct str head;
	int code;

	*single = false;
	if (str_is(text, "*") || str_is(text, "?")) {
		*low = b->min;
		*high = b->max;
		return 0;
	}
	str_cut(&rest, '-', &head);
	code = parse_number_or_name(head, b, low, err);
	if (code < 0) {
		return code;
	}
	if (!rest.p) {
		*high = *low;
		*single = true;
		return 0;
	}
	if (str_find_char(rest, '-') >= 0) {
		return err_set(err, ERR_INVALID, "too many hyphens: %.*s", STR_ARG(text));
	}
	return parse_number_or_name(rest, b, high, err);
}

/* *, N, N-M, each also with /STEP. */
static int parse_range(struct str text, const struct bounds *b, uint64_t *bits, struct err *err)
{
	struct str rest = text;
	struct str ends;
	unsigned low;
	unsigned high;
	unsigned step = 1;
	bool single;
	int code;

	str_cut(&rest, '/', &ends);
	code = parse_ends(ends, b, &low, &high, &single, err);
	if (code < 0) {
		return code;
	}
	if (rest.p) {
		if (str_find_char(rest, '/') >= 0) {
			return err_set(err, ERR_INVALID, "too many slashes: %.*s", STR_ARG(text));
		}
		code = parse_number(rest, &step, err);
		if (code < 0) {
			return code;
		}
		if (single) {
			high = b->max; /* N/STEP: from N to the end */
		}
	}
	if (low < b->min) {
		return err_set(err, ERR_INVALID, "beginning of range (%u) below minimum (%u): %.*s",
			       low, b->min, STR_ARG(text));
	}
	if (high > b->max) {
		return err_set(err, ERR_INVALID, "end of range (%u) above maximum (%u): %.*s", high,
			       b->max, STR_ARG(text));
	}
	if (low > high) {
		return err_set(err, ERR_INVALID,
			       "beginning of range (%u) beyond end of range (%u): %.*s", low, high,
			       STR_ARG(text));
	}
	if (step == 0) {
		return err_set(err, ERR_INVALID, "step of range should be a positive number: %.*s",
			       STR_ARG(text));
	}
	for (unsigned i = low; i <= high; i += step) {
		*bits |= (uint64_t)1 << i;
	}
	return 0;
}

static int parse_field(struct str text, const struct bounds *b, uint64_t *bits, struct err *err)
{
	struct str part;

	*bits = 0;
	while (str_cut(&text, ',', &part)) {
		int code = part.n ? parse_range(part, b, bits, err) : 0;

		if (code < 0) {
			return code;
		}
	}
	return 0;
}

static bool is_any(struct str field)
{
	return field.n > 0 && (field.p[0] == '*' || field.p[0] == '?');
}

/* 1h30m10s: as much of Go's durations as makes sense here. */
static int parse_every(struct str text, int64_t *ret_s, struct err *err)
{
	struct str rest = text;
	int64_t total = 0;

	while (rest.n) {
		size_t digits = 0;
		int64_t n;
		int64_t unit;

		while (digits < rest.n && rest.p[digits] >= '0' && rest.p[digits] <= '9') {
			digits++;
		}
		if (digits == rest.n || str_to_int64(str_sub(rest, 0, digits), &n) < 0 ||
		    n > INT32_MAX) {
			return err_set(err, ERR_INVALID,
				       "failed to parse duration @every %.*s: time: invalid "
				       "duration \"%.*s\"",
				       STR_ARG(text), STR_ARG(text));
		}
		unit = rest.p[digits] == 'h'   ? 3600
		       : rest.p[digits] == 'm' ? 60
		       : rest.p[digits] == 's' ? 1
					       : 0;
		if (!unit) {
			return err_set(err, ERR_INVALID,
				       "failed to parse duration @every %.*s: time: invalid "
				       "duration \"%.*s\"",
				       STR_ARG(text), STR_ARG(text));
		}
		total += n * unit;
		rest = str_from(rest, digits + 1);
	}
	*ret_s = total > 0 ? total : 1;
	return 0;
}

static int parse_name(struct str text, struct cron_schedule *ret, struct err *err)
{
	static const struct {
		const char *name;
		const char *fields;
	} names[] = {
		{"@yearly", "0 0 1 1 *"}, {"@annually", "0 0 1 1 *"}, {"@monthly", "0 0 1 * *"},
		{"@weekly", "0 0 * * 0"}, {"@daily", "0 0 * * *"},    {"@midnight", "0 0 * * *"},
		{"@hourly", "0 * * * *"},
	};

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (str_eq(text, str_of(names[i].name))) {
			return cron_parse(str_of(names[i].fields), ret, err);
		}
	}
	if (str_has_prefix(text, STR("@every "))) {
		*ret = (struct cron_schedule){0};
		return parse_every(str_from(text, strlen("@every ")), &ret->every_s, err);
	}
	return err_set(err, ERR_INVALID, "unrecognized descriptor: %.*s", STR_ARG(text));
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* Cuts at white space; returns how many parts there are, of which the first five are kept. */
static size_t split(struct str text, struct str fields[5])
{
	size_t n = 0;

	text = str_trim(text);
	while (text.n) {
		size_t len = 0;

		while (len < text.n && !is_blank(text.p[len])) {
			len++;
		}
		if (n < 5) {
			fields[n] = str_sub(text, 0, len);
		}
		n++;
		text = str_trim(str_from(text, len));
	}
	return n;
}

int cron_parse(struct str text, struct cron_schedule *ret, struct err *err)
{
	static const struct bounds *const bounds[5] = {&minute_bounds, &hour_bounds, &day_bounds,
						       &month_bounds, &weekday_bounds};
	struct cron_schedule s = {0};
	uint64_t *const bits[5] = {&s.minutes, &s.hours, &s.days, &s.months, &s.weekdays};
	struct str fields[5];
	size_t n;

	if (!text.n) {
		return err_set(err, ERR_INVALID, "empty spec string");
	}
	if (str_has_prefix(text, STR("TZ=")) || str_has_prefix(text, STR("CRON_TZ="))) {
		ptrdiff_t space = str_find_char(text, ' ');

		text = str_trim(str_from(text, space < 0 ? text.n : (size_t)space));
	}
	if (str_has_prefix(text, STR("@"))) {
		return parse_name(text, ret, err);
	}
	n = split(text, fields);
	if (n != 5) {
		return err_set(err, ERR_INVALID, "expected exactly 5 fields, found %zu: [%.*s]", n,
			       STR_ARG(str_trim(text)));
	}
	for (size_t i = 0; i < 5; i++) {
		int code = parse_field(fields[i], bounds[i], bits[i], err);

		if (code < 0) {
			return code;
		}
	}
	s.any_day = is_any(fields[2]);
	s.any_weekday = is_any(fields[4]);
	*ret = s;
	return 0;
}
