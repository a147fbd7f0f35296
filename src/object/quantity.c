/* SPDX-License-Identifier: Apache-2.0 */
#include "object/quantity.h"

#include "base/alloc.h"

typedef __int128 wide; /* no struct: arithmetic needs the bare type */

enum { SCALE_MIN = -9, SCALE_MAX = 18 };

static const int64_t powers_of_ten[] = {
	1,
	10,
	100,
	1000,
	10000,
	100000,
	1000000,
	10000000,
	100000000,
	1000000000,
	10000000000,
	100000000000,
	1000000000000,
	10000000000000,
	100000000000000,
	1000000000000000,
	10000000000000000,
	100000000000000000,
	1000000000000000000,
};

static wide pow10_wide(int n)
{
	wide v = 1;

	for (; n > 18; n -= 18) {
		v *= powers_of_ten[18];
	}
	return v * powers_of_ten[n];
}

/* v / 10, away from zero. */
static wide tenth(wide v)
{
	return v / 10 + (v % 10 > 0) - (v % 10 < 0);
}

/* v * 10^scale within the bounds of the struct. */
static struct quantity fit(wide v, int scale, enum quantity_format format)
{
	while (v && (v > INT64_MAX || v < -INT64_MAX || scale < SCALE_MIN)) {
		v = tenth(v);
		scale++;
	}
	if (v == 0) {
		scale = 0;
	}
	for (; scale > SCALE_MAX; scale--) {
		if (v > INT64_MAX / 10 || v < -INT64_MAX / 10) {
			return (struct quantity){v > 0 ? INT64_MAX : -INT64_MAX, SCALE_MAX,
						 (uint8_t)format};
		}
		v *= 10;
	}
	return (struct quantity){(int64_t)v, (int8_t)scale, (uint8_t)format};
}

struct suffix {
	struct str text;
	int exponent; /* of 10 or of 2 */
};

static const struct suffix decimal_suffixes[] = {
	{STR_INIT("n"), -9}, {STR_INIT("u"), -6}, {STR_INIT("m"), -3}, {STR_INIT(""), 0},
	{STR_INIT("k"), 3},  {STR_INIT("M"), 6},  {STR_INIT("G"), 9},  {STR_INIT("T"), 12},
	{STR_INIT("P"), 15}, {STR_INIT("E"), 18},
};

static const struct suffix binary_suffixes[] = {
	{STR_INIT("Ki"), 10}, {STR_INIT("Mi"), 20}, {STR_INIT("Gi"), 30},
	{STR_INIT("Ti"), 40}, {STR_INIT("Pi"), 50}, {STR_INIT("Ei"), 60},
};

/* The parts of a quantity's text. */
struct parts {
	bool negative;
	struct str whole; /* digits before the point */
	struct str fraction;
	struct str suffix;
};

static struct str take_while(struct str *s, const char *set)
{
	size_t n = 0;
	struct str head;

	while (n < s->n && s->p[n] && strchr(set, s->p[n])) {
		n++;
	}
	head = str_sub(*s, 0, n);
	*s = str_from(*s, n);
	return head;
}

static bool split(struct str s, struct parts *ret)
{
	struct parts p = {0};
	struct str rest;

	if (s.n && (s.p[0] == '-' || s.p[0] == '+')) {
		p.negative = s.p[0] == '-';
		s = str_from(s, 1);
	}
	p.whole = take_while(&s, "0123456789");
	if (s.n && s.p[0] == '.') {
		s = str_from(s, 1);
		p.fraction = take_while(&s, "0123456789");
	}
	p.suffix = rest = s;
	take_while(&rest, "eEinumkKMGTP");
	if (rest.n && (rest.p[0] == '-' || rest.p[0] == '+')) {
		rest = str_from(rest, 1);
	}
	take_while(&rest, "0123456789");
	*ret = p;
	return rest.n == 0;
}

/* What a suffix multiplies by. False if it is none. */
static bool find_suffix(struct str s, enum quantity_format *ret_format, int *ret_exponent)
{
	int64_t v;

	for (size_t i = 0; i < ARRAY_LEN(decimal_suffixes); i++) {
		if (str_eq(s, decimal_suffixes[i].text)) {
			*ret_format = QUANTITY_DECIMAL_SI;
			*ret_exponent = decimal_suffixes[i].exponent;
			return true;
		}
	}
	for (size_t i = 0; i < ARRAY_LEN(binary_suffixes); i++) {
		if (str_eq(s, binary_suffixes[i].text)) {
			*ret_format = QUANTITY_BINARY_SI;
			*ret_exponent = binary_suffixes[i].exponent;
			return true;
		}
	}
	if (s.n > 1 && (s.p[0] == 'e' || s.p[0] == 'E') && str_to_int64(str_from(s, 1), &v) == 0) {
		*ret_format = QUANTITY_DECIMAL_EXPONENT;
		/* Far beyond what can be held; more would only overflow the sums below. */
		*ret_exponent = (int)(v > 1000 ? 1000 : v < -1000 ? -1000 : v);
		return true;
	}
	return false;
}

/* The first `limit` significant digits; the rest counts as zeros, rounded up if there is anything
 * in them. */
struct digits {
	wide value;
	int scale;
	int taken;
	bool more;
};

static void take_digits(struct digits *d, struct str s, bool fraction, int limit)
{
	for (size_t i = 0; i < s.n; i++) {
		int digit = s.p[i] - '0';

		if (d->taken < limit) {
			d->value = d->value * 10 + digit;
			d->taken += d->value != 0;
			d->scale -= fraction;
		} else {
			d->more |= digit != 0;
			d->scale += !fraction;
		}
	}
}

int quantity_read(struct str text, struct quantity *ret, struct err *err)
{
	struct str s = str_trim(text);
	struct digits d = {0};
	struct parts parts;
	enum quantity_format format;
	struct quantity q;
	int exponent;

	if (s.n == 0 || s.n > QUANTITY_TEXT_MAX || !split(s, &parts)) {
		return err_set(err, ERR_INVALID,
			       "quantities must match the regular expression "
			       "'^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'");
	}
	if (!find_suffix(parts.suffix, &format, &exponent)) {
		return err_set(err, ERR_INVALID, "unable to parse quantity's suffix");
	}
	/* 19 digits times 2^60, or 37 digits, stay below 2^127. */
	take_digits(&d, parts.whole, false, format == QUANTITY_BINARY_SI ? 19 : 37);
	take_digits(&d, parts.fraction, true, format == QUANTITY_BINARY_SI ? 19 : 37);
	d.value += d.more;
	if (format == QUANTITY_BINARY_SI) {
		d.value <<= exponent;
	} else {
		d.scale += exponent;
	}
	q = fit(d.value, d.scale, format);
	if (q.scale == SCALE_MAX && q.value == INT64_MAX && format != QUANTITY_BINARY_SI) {
		return err_set(err, ERR_INVALID,
			       "unable to parse numeric part of quantity: larger than 9.2e36");
	}
	if (format == QUANTITY_BINARY_SI &&
	    quantity_cmp(q, quantity_of_int(INT64_MAX, format)) > 0) {
		q = quantity_of_int(INT64_MAX, format);
	}
	if (format == QUANTITY_BINARY_SI && q.value &&
	    quantity_cmp(q, quantity_of_int(1, format)) < 0) {
		q.format = QUANTITY_DECIMAL_SI;
	}
	*ret = parts.negative ? quantity_neg(q) : q;
	return 0;
}

struct quantity quantity_of(const char *text)
{
	struct quantity q = {0};

	ASSERT(quantity_read(str_of(text), &q, NULL) == 0);
	return q;
}

struct quantity quantity_of_int(int64_t value, enum quantity_format format)
{
	return (struct quantity){value, 0, (uint8_t)format};
}

struct quantity quantity_of_milli(int64_t milli, enum quantity_format format)
{
	return (struct quantity){milli, -3, (uint8_t)format};
}

int quantity_sign(struct quantity q)
{
	return (q.value > 0) - (q.value < 0);
}

int quantity_cmp(struct quantity a, struct quantity b)
{
	int diff = a.scale - b.scale;
	wide x = a.value;
	wide y = b.value;

	if (diff > 19 || diff < -19) {
		/* The one with the larger scale is larger than any other, unless it is zero. */
		x = diff > 0 && x ? x * pow10_wide(19) : x;
		y = diff < 0 && y ? y * pow10_wide(19) : y;
	} else if (diff > 0) {
		x *= pow10_wide(diff);
	} else {
		y *= pow10_wide(-diff);
	}
	return (x > y) - (x < y);
}

static struct quantity add_wide(struct quantity a, wide value, int scale,
				enum quantity_format format)
{
	struct quantity low = {(int64_t)value, (int8_t)scale, 0};
	struct quantity high = a;

	if (low.scale > high.scale) {
		high = low;
		low = a;
	}
	/* Digits of the finer one that the sum cannot hold anyway are rounded off first. */
	while (high.scale - low.scale > 19) {
		low.value = (int64_t)tenth(low.value);
		low.scale++;
	}
	return fit((wide)high.value * pow10_wide(high.scale - low.scale) + low.value, low.scale,
		   format);
}

struct quantity quantity_add(struct quantity a, struct quantity b)
{
	return add_wide(a, b.value, b.scale, a.value ? a.format : b.format);
}

struct quantity quantity_sub(struct quantity a, struct quantity b)
{
	return quantity_add(a.value ? a : (struct quantity){.format = b.format}, quantity_neg(b));
}

struct quantity quantity_neg(struct quantity q)
{
	q.value = q.value == INT64_MIN ? INT64_MAX : -q.value;
	return q;
}

static int64_t scaled_value(struct quantity q, int scale)
{
	wide v = q.value;
	int s = q.scale;

	for (; s < scale && v; s++) {
		v = tenth(v);
	}
	if (s > scale && __builtin_mul_overflow(v, pow10_wide(s - scale), &v)) {
		return q.value > 0 ? INT64_MAX : INT64_MIN;
	}
	return v > INT64_MAX ? INT64_MAX : v < INT64_MIN ? INT64_MIN : (int64_t)v;
}

int64_t quantity_value(struct quantity q)
{
	return scaled_value(q, 0);
}

int64_t quantity_milli_value(struct quantity q)
{
	return scaled_value(q, -3);
}

double quantity_to_double(struct quantity q)
{
	double d = (double)q.value;

	return q.scale >= 0 ? d * (double)pow10_wide(q.scale) : d / (double)pow10_wide(-q.scale);
}

static void write_wide(struct buf *out, wide v)
{
	char digits[40];
	size_t i = sizeof(digits);
	bool negative = v < 0;

	do {
		int digit = (int)(v % 10);

		digits[--i] = (char)('0' + (digit < 0 ? -digit : digit));
		v /= 10;
	} while (v);
	if (negative) {
		buf_add_char(out, '-');
	}
	buf_add(out, digits + i, sizeof(digits) - i);
}

static void write_decimal(struct buf *out, struct quantity q, bool exponent_form)
{
	wide v = q.value;
	int exponent = q.scale;

	while (v % 10 == 0) {
		v /= 10;
		exponent++;
	}
	while (exponent % 3 != 0 || (exponent > SCALE_MAX && !exponent_form)) {
		v *= 10;
		exponent--;
	}
	write_wide(out, v);
	if (!exponent_form) {
		buf_add_str(out, decimal_suffixes[(exponent + 9) / 3].text);
	} else if (exponent) {
		buf_printf(out, "e%d", exponent);
	}
}

/* False if it has a fraction or is too small for a binary suffix. */
static bool write_binary(struct buf *out, struct quantity q)
{
	wide v = q.value;
	int factors = 0;

	for (int s = q.scale; s < 0; s++) {
		if (v % 10 != 0) {
			return false;
		}
		v /= 10;
	}
	if (q.scale > 0) {
		v *= pow10_wide(q.scale);
	}
	if (v > -1024 && v < 1024) {
		return false;
	}
	while (factors < (int)ARRAY_LEN(binary_suffixes) && v % 1024 == 0) {
		v /= 1024;
		factors++;
	}
	write_wide(out, v);
	if (factors) {
		buf_add_str(out, binary_suffixes[factors - 1].text);
	}
	return true;
}

void quantity_write(struct buf *out, struct quantity q)
{
	if (q.value == 0) {
		buf_add_char(out, '0');
	} else if (q.format != QUANTITY_BINARY_SI || !write_binary(out, q)) {
		write_decimal(out, q, q.format == QUANTITY_DECIMAL_EXPONENT);
	}
}
