/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/time.h"

#include <stdbool.h>

static const int month_days[] = {0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

static bool is_leap(int year)
{
	return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

/* Days since 1970-01-01 of the proleptic Gregorian calendar, counted in years that begin in March
 * so that the leap day comes last. */
static int64_t days_from_civil(int year, int month, int day)
{
	int64_t y = month <= 2 ? year - 1 : year;
	int64_t era = (y >= 0 ? y : y - 399) / 400;
	int64_t year_of_era = y - era * 400;
	int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

	return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 +
	       day_of_year - 719468;
}

struct civil {
	int year, month, day, hour, minute, second;
};

static struct civil civil_from_sec(int64_t sec)
{
	int64_t days = sec / 86400 - (sec % 86400 < 0);
	int rest = (int)(sec - days * 86400);
	int64_t z = days + 719468;
	int64_t era = (z >= 0 ? z : z - 146096) / 146097;
	int64_t day_of_era = z - era * 146097;
	int64_t year_of_era =
		(day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
	int64_t day_of_year =
		day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
	int64_t mp = (5 * day_of_year + 2) / 153;
	int month = (int)(mp < 10 ? mp + 3 : mp - 9);

	return (struct civil){
		.year = (int)(year_of_era + era * 400 + (month <= 2)),
		.month = month,
		.day = (int)(day_of_year - (153 * mp + 2) / 5 + 1),
		.hour = rest / 3600,
		.minute = rest / 60 % 60,
		.second = rest % 60,
	};
}

/* A time layout as Go writes it, element by element. */
enum element { LITERAL, YEAR, MONTH, DAY, HOUR, MINUTE, SECOND, MICROS, ZONE };

struct layout_element {
	const char *text;
	enum element kind;
};

static const struct layout_element layout[] = {
	{"2006", YEAR}, {"-", LITERAL},	     {"01", MONTH},    {"-", LITERAL}, {"02", DAY},
	{"T", LITERAL}, {"15", HOUR},	     {":", LITERAL},   {"04", MINUTE}, {":", LITERAL},
	{"05", SECOND}, {".000000", MICROS}, {"Z07:00", ZONE},
};

struct time_parser {
	struct str rest;
	struct civil civil;
	int32_t nsec;
	int offset_sec;
	bool micro;
	const char *range; /* what is out of range */
};

static bool is_digit(struct str s, size_t i)
{
	return i < s.n && s.p[i] >= '0' && s.p[i] <= '9';
}

/* A number of min..max digits. */
static bool take_number(struct str *s, size_t min, size_t max, int *ret)
{
	size_t n = 0;
	int v = 0;

	while (n < max && is_digit(*s, n)) {
		v = v * 10 + (s->p[n++] - '0');
	}
	if (n < min) {
		return false;
	}
	*s = str_from(*s, n);
	*ret = v;
	return true;
}

static bool take_two(struct time_parser *p, size_t min, int *ret, int lowest, int highest,
		     const char *what)
{
	if (!take_number(&p->rest, min, 2, ret)) {
		return false;
	}
	if (*ret < lowest || *ret > highest) {
		p->range = what;
	}
	return true;
}

/* Digits after '.' or ',': all that follow, or exactly `digits` of them if that is not 0. */
static bool take_fraction(struct time_parser *p, size_t digits)
{
	size_t n = 1;
	int32_t nsec = 0;
	int32_t unit = 100000000;

	if (p->rest.n < 2 || (p->rest.p[0] != '.' && p->rest.p[0] != ',')) {
		return false;
	}
	while (is_digit(p->rest, n) && (digits == 0 || n <= digits)) {
		nsec += (p->rest.p[n++] - '0') * unit;
		unit /= 10;
	}
	if (n == 1 || (digits && n != digits + 1)) {
		return false;
	}
	p->nsec = nsec;
	p->rest = str_from(p->rest, n);
	return true;
}

static bool take_zone(struct time_parser *p)
{
	struct str s = p->rest;
	int hours, minutes;
	bool negative;

	if (str_has_prefix(s, STR("Z"))) {
		p->rest = str_from(s, 1);
		return true;
	}
	if (s.n < 6 || (s.p[0] != '+' && s.p[0] != '-') || s.p[3] != ':') {
		return false;
	}
	negative = s.p[0] == '-';
	s = str_from(s, 1);
	if (!take_number(&s, 2, 2, &hours)) {
		return false;
	}
	s = str_from(s, 1);
	if (!take_number(&s, 2, 2, &minutes)) {
		return false;
	}
	if (hours > 24) {
		p->range = "time zone offset hour";
	} else if (minutes > 60) {
		p->range = "time zone offset minute";
	}
	p->offset_sec = (hours * 60 + minutes) * (negative ? -60 : 60);
	p->rest = s;
	return true;
}

static bool take_element(struct time_parser *p, const struct layout_element *e)
{
	struct civil *c = &p->civil;

	switch (e->kind) {
	case LITERAL:
		if (!str_has_prefix(p->rest, str_of(e->text))) {
			return false;
		}
		p->rest = str_from(p->rest, 1);
		return true;
	case YEAR:
		return take_number(&p->rest, 4, 4, &c->year);
	case MONTH:
		return take_two(p, 2, &c->month, 1, 12, "month");
	case DAY:
		return take_two(p, 2, &c->day, 0, 99, "day");
	case HOUR: /* Go is content with one digit here. */
		return take_two(p, 1, &c->hour, 0, 23, "hour");
	case MINUTE:
		return take_two(p, 2, &c->minute, 0, 59, "minute");
	case SECOND:
		if (!take_two(p, 2, &c->second, 0, 59, "second")) {
			return false;
		}
		if (!p->micro && p->rest.n >= 2 && (p->rest.p[0] == '.' || p->rest.p[0] == ',') &&
		    is_digit(p->rest, 1)) {
			return take_fraction(p, 0);
		}
		return true;
	case MICROS:
		return !p->micro || take_fraction(p, 6);
	default:
		return take_zone(p);
	}
}

static const char *layout_text(bool micro)
{
	return micro ? "2006-01-02T15:04:05.000000Z07:00" : "2006-01-02T15:04:05Z07:00";
}

static int read_time(struct str s, bool micro, int64_t *ret_sec, int32_t *ret_nsec, struct err *err)
{
	struct time_parser p = {.rest = s, .micro = micro};
	int64_t sec;

	for (size_t i = 0; i < ARRAY_LEN(layout); i++) {
		struct str before = p.rest;

		if (!take_element(&p, &layout[i])) {
			return err_set(
				err, ERR_INVALID,
				"parsing time \"%.*s\" as \"%s\": cannot parse \"%.*s\" as \"%s\"",
				STR_ARG(s), layout_text(micro), STR_ARG(before), layout[i].text);
		}
		if (p.range) {
			return err_set(err, ERR_INVALID, "parsing time \"%.*s\": %s out of range",
				       STR_ARG(s), p.range);
		}
	}
	if (p.rest.n) {
		return err_set(err, ERR_INVALID, "parsing time \"%.*s\": extra text: \"%.*s\"",
			       STR_ARG(s), STR_ARG(p.rest));
	}
	if (p.civil.day < 1 || p.civil.day > month_days[p.civil.month] + (p.civil.month == 2 &&
									  is_leap(p.civil.year))) {
		return err_set(err, ERR_INVALID, "parsing time \"%.*s\": day out of range",
			       STR_ARG(s));
	}
	sec = days_from_civil(p.civil.year, p.civil.month, p.civil.day) * 86400 +
	      p.civil.hour * 3600 + p.civil.minute * 60 + p.civil.second - p.offset_sec;
	/* An offset must not carry it out of what can be written. */
	if (sec < days_from_civil(0, 1, 1) * 86400 || sec >= days_from_civil(10000, 1, 1) * 86400) {
		return err_set(err, ERR_INVALID, "parsing time \"%.*s\": year out of range",
			       STR_ARG(s));
	}
	*ret_sec = sec;
	*ret_nsec = p.nsec;
	return 0;
}

int time_read(struct str s, int64_t *ret_sec, int32_t *ret_nsec, struct err *err)
{
	return read_time(s, false, ret_sec, ret_nsec, err);
}

int time_read_micro(struct str s, int64_t *ret_sec, int32_t *ret_nsec, struct err *err)
{
	return read_time(s, true, ret_sec, ret_nsec, err);
}

static char *put_digits(char *p, unsigned v, int n)
{
	for (int i = n - 1; i >= 0; i--, v /= 10) {
		p[i] = (char)('0' + v % 10);
	}
	return p + n;
}

static char *put_seconds(char *p, int64_t sec)
{
	struct civil c = civil_from_sec(sec);

	p = put_digits(p, (unsigned)c.year, 4);
	*p++ = '-';
	p = put_digits(p, (unsigned)c.month, 2);
	*p++ = '-';
	p = put_digits(p, (unsigned)c.day, 2);
	*p++ = 'T';
	p = put_digits(p, (unsigned)c.hour, 2);
	*p++ = ':';
	p = put_digits(p, (unsigned)c.minute, 2);
	*p++ = ':';
	return put_digits(p, (unsigned)c.second, 2);
}

void time_write(struct buf *out, int64_t sec)
{
	char *start = buf_reserve(out, 32);
	char *p = put_seconds(start, sec);

	*p++ = 'Z';
	out->n += (size_t)(p - start);
}

void time_write_micro(struct buf *out, int64_t sec, int32_t nsec)
{
	char *start = buf_reserve(out, 32);
	char *p = put_seconds(start, sec);

	*p++ = '.';
	p = put_digits(p, (unsigned)nsec / 1000, 6);
	*p++ = 'Z';
	out->n += (size_t)(p - start);
}

struct unit {
	struct str name;
	int64_t ns;
};

static const struct unit units[] = {
	{STR_INIT("ns"), 1},	       {STR_INIT("us"), 1000},
	{STR_INIT("\xc2\xb5s"), 1000}, {STR_INIT("\xce\xbcs"), 1000},
	{STR_INIT("ms"), 1000000},     {STR_INIT("s"), 1000000000},
	{STR_INIT("m"), 60000000000},  {STR_INIT("h"), 3600000000000},
};

static const struct unit *find_unit(struct str name)
{
	for (size_t i = 0; i < ARRAY_LEN(units); i++) {
		if (str_eq(units[i].name, name)) {
			return &units[i];
		}
	}
	return NULL;
}

static int bad_duration(struct str s, struct err *err)
{
	return err_set(err, ERR_INVALID, "time: invalid duration \"%.*s\"", STR_ARG(s));
}

/* Adds one "12.5s" at the head of *rest to *sum, which counts up to 2^63 (the smallest
 * duration). */
static int take_term(struct str whole, struct str *rest, uint64_t *sum, struct err *err)
{
	struct str s = *rest;
	uint64_t v = 0;
	uint64_t fraction = 0;
	double scale = 1;
	size_t n = 0;
	size_t digits;
	const struct unit *unit;

	for (; is_digit(s, n); n++) {
		if (__builtin_mul_overflow(v, (uint64_t)10, &v) ||
		    __builtin_add_overflow(v, (uint64_t)(s.p[n] - '0'), &v) ||
		    v > (uint64_t)1 << 63) {
			return bad_duration(whole, err);
		}
	}
	digits = n;
	if (n < s.n && s.p[n] == '.') {
		for (n++; is_digit(s, n); n++) {
			digits++;
			if (fraction < UINT64_MAX / 20) {
				fraction = fraction * 10 + (uint64_t)(s.p[n] - '0');
				scale *= 10;
			}
		}
	}
	if (digits == 0) {
		return bad_duration(whole, err);
	}
	s = str_from(s, n);
	for (n = 0; n < s.n && s.p[n] != '.' && !is_digit(s, n);) {
		n++;
	}
	if (n == 0) {
		return err_set(err, ERR_INVALID, "time: missing unit in duration \"%.*s\"",
			       STR_ARG(whole));
	}
	unit = find_unit(str_sub(s, 0, n));
	if (!unit) {
		return err_set(err, ERR_INVALID, "time: unknown unit \"%.*s\" in duration \"%.*s\"",
			       STR_ARG(str_sub(s, 0, n)), STR_ARG(whole));
	}
	if (__builtin_mul_overflow(v, (uint64_t)unit->ns, &v)) {
		return bad_duration(whole, err);
	}
	v += (uint64_t)((double)fraction * ((double)unit->ns / scale));
	if (__builtin_add_overflow(*sum, v, sum) || *sum > (uint64_t)1 << 63) {
		return bad_duration(whole, err);
	}
	*rest = str_from(s, n);
	return 0;
}

int duration_read(struct str s, int64_t *ret_ns, struct err *err)
{
	struct str rest = s;
	bool negative = s.n && s.p[0] == '-';
	uint64_t sum = 0;

	if (s.n && (s.p[0] == '-' || s.p[0] == '+')) {
		rest = str_from(rest, 1);
	}
	if (str_is(rest, "0")) {
		*ret_ns = 0;
		return 0;
	}
	if (rest.n == 0) {
		return bad_duration(s, err);
	}
	while (rest.n) {
		int code = take_term(s, &rest, &sum, err);

		if (code < 0) {
			return code;
		}
	}
	if (!negative && sum > INT64_MAX) {
		return bad_duration(s, err);
	}
	*ret_ns = (int64_t)(negative ? 0 - sum : sum);
	return 0;
}

/* v units of 10^-digits, without trailing zeros behind the point. */
static void write_fraction(struct buf *out, uint64_t v, int digits)
{
	char text[24];
	uint64_t scale = 1;
	int n;

	for (int i = 0; i < digits; i++) {
		scale *= 10;
	}
	buf_add_uint64(out, v / scale);
	v %= scale;
	if (v == 0) {
		return;
	}
	n = digits;
	put_digits(text, (unsigned)v, digits);
	while (text[n - 1] == '0') {
		n--;
	}
	buf_add_char(out, '.');
	buf_add(out, text, (size_t)n);
}

void duration_write(struct buf *out, int64_t ns)
{
	uint64_t v = ns < 0 ? 0 - (uint64_t)ns : (uint64_t)ns;

	if (ns == 0) {
		buf_puts(out, "0s");
		return;
	}
	if (ns < 0) {
		buf_add_char(out, '-');
	}
	if (v < 1000) {
		buf_add_uint64(out, v);
		buf_puts(out, "ns");
	} else if (v < 1000000) {
		write_fraction(out, v, 3);
		buf_puts(out, "\xc2\xb5s");
	} else if (v < 1000000000) {
		write_fraction(out, v, 6);
		buf_puts(out, "ms");
	} else {
		uint64_t minutes = v / 60000000000ULL;

		if (minutes >= 60) {
			buf_add_uint64(out, minutes / 60);
			buf_add_char(out, 'h');
		}
		if (minutes) {
			buf_add_uint64(out, minutes % 60);
			buf_add_char(out, 'm');
		}
		write_fraction(out, v % 60000000000ULL, 9);
		buf_add_char(out, 's');
	}
}
