/* SPDX-License-Identifier: Apache-2.0 */
/* Scalars with a notation of their own, the first byte says which: what is read, prints, and reads
 * back the same. */
#include "base/alloc.h"
#include "codec/base64.h"
#include "codec/time.h"
#include "object/quantity.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_quantity(struct str s)
{
	struct buf b CLEANUP_BUF = {0};
	struct buf c CLEANUP_BUF = {0};
	struct err e CLEANUP_ERR = {0};
	struct quantity q, again;

	if (quantity_read(s, &q, &e) < 0) {
		return;
	}
	quantity_write(&b, q);
	ASSERT(quantity_read(buf_str(&b), &again, &e) == 0);
	ASSERT(quantity_cmp(q, again) == 0);
	/* Stable from the second time on: a binary 2000 prints as 2000, which reads as decimal and
	 * prints as 2k. */
	quantity_write(&c, again);
	buf_clear(&b);
	ASSERT(quantity_read(buf_str(&c), &again, &e) == 0);
	quantity_write(&b, again);
	ASSERT(str_eq(buf_str(&b), buf_str(&c)));
	ASSERT(quantity_sign(quantity_sub(q, again)) == 0);
	ASSERT(quantity_sign(quantity_neg(q)) == -quantity_sign(q));
	ASSERT(quantity_cmp(quantity_add(q, q), q) * quantity_sign(q) >= 0);
	ASSERT((quantity_value(q) > 0) - (quantity_value(q) < 0) == quantity_sign(q));
	ASSERT((quantity_milli_value(q) > 0) - (quantity_milli_value(q) < 0) == quantity_sign(q));
}

static void check_time(struct str s, bool micro)
{
	struct buf b CLEANUP_BUF = {0};
	struct err e CLEANUP_ERR = {0};
	int64_t sec, sec2;
	int32_t nsec, nsec2;

	if ((micro ? time_read_micro(s, &sec, &nsec, &e) : time_read(s, &sec, &nsec, &e)) < 0) {
		return;
	}
	if (micro) {
		time_write_micro(&b, sec, nsec);
		ASSERT(time_read_micro(buf_str(&b), &sec2, &nsec2, &e) == 0 && nsec2 == nsec);
	} else {
		time_write(&b, sec);
		ASSERT(time_read(buf_str(&b), &sec2, &nsec2, &e) == 0);
	}
	ASSERT(sec == sec2);
}

static void check_duration(struct str s)
{
	struct buf b CLEANUP_BUF = {0};
	struct err e CLEANUP_ERR = {0};
	int64_t ns, again;

	if (duration_read(s, &ns, &e) == 0) {
		duration_write(&b, ns);
		ASSERT(duration_read(buf_str(&b), &again, &e) == 0 && ns == again);
	}
}

static void check_base64(struct str s)
{
	struct arena a CLEANUP_ARENA = {0};
	struct buf b CLEANUP_BUF = {0};
	struct str bytes, again;
	size_t at;

	if (base64_read(&a, s, &bytes, &at) < 0) {
		ASSERT(at <= s.n);
		return;
	}
	base64_write(&b, bytes);
	ASSERT(base64_read(&a, buf_str(&b), &again, NULL) == 0 && str_eq(bytes, again));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str s = str_make(data, size);

	if (size == 0) {
		return 0;
	}
	s = str_from(s, 1);
	switch (data[0]) {
	case 't':
		check_time(s, false);
		break;
	case 'm':
		check_time(s, true);
		break;
	case 'd':
		check_duration(s);
		break;
	case 'b':
		check_base64(s);
		break;
	default:
		check_quantity(s);
		break;
	}
	return 0;
}
