/* SPDX-License-Identifier: Apache-2.0 */
#include "store/row.h"

#include <endian.h>

#include "store/checksum.h"

enum {
	FIXED = 64,  /* bytes before the key */
	SUMMED = 56, /* of them, before the sum itself */
	DELETED = UINT32_MAX,
};

static char *put32(char *p, uint32_t v)
{
	v = htole32(v);
	return (char *)memcpy(p, &v, sizeof(v)) + sizeof(v);
}

static char *put64(char *p, int64_t v)
{
	uint64_t le = htole64((uint64_t)v);

	return (char *)memcpy(p, &le, sizeof(le)) + sizeof(le);
}

static uint32_t get32(const char **p)
{
	uint32_t v;

	memcpy(&v, *p, sizeof(v));
	*p += sizeof(v);
	return le32toh(v);
}

static int64_t get64(const char **p)
{
	uint64_t v;

	memcpy(&v, *p, sizeof(v));
	*p += sizeof(v);
	return (int64_t)le64toh(v);
}

/* The fields before the sum, in order. */
static void put_fixed(char *p, const struct row *row)
{
	p = put64(p, row->id);
	p = put64(p, row->wall_ns);
	p = put64(p, row->create_revision);
	p = put64(p, row->version);
	p = put32(p, row->tag);
	p = put32(p, row->codec);
	p = put32(p, row->room_at);
	p = put32(p, (uint32_t)row->key.n);
	p = put32(p, row->text.p ? (uint32_t)row->text.n : (uint32_t)DELETED);
	put32(p, 0);
}

static uint64_t sum_of_key(const struct row *row)
{
	return checksum(row->key, (uint64_t)row->id);
}

/* The text comes in two parts because the value in memory has digits between them. */
static uint64_t sum_of(const struct row *row, const char *fixed, struct str head, struct str tail)
{
	uint64_t key_sum = sum_of_key(row);
	uint64_t sum = checksum(str_make(fixed, SUMMED), key_sum);

	sum = checksum(tail, checksum(head, sum));
	return key_sum << 32 | (sum & UINT32_MAX);
}

static uint64_t compute_sum(const struct row *row)
{
	char fixed[FIXED];
	bool has_room = row->room_at != STORE_NO_ROOM;

	put_fixed(fixed, row);
	return sum_of(row, fixed, has_room ? str_sub(row->text, 0, row->room_at) : row->text,
		      has_room ? str_from(row->text, row->room_at) : STR_NULL);
}

uint64_t row_add(struct buf *b, const struct store_batch_row *op, int64_t wall_ns)
{
	const struct store_value *value = op->value;
	struct row row = {.id = op->id,
			  .wall_ns = wall_ns,
			  .key = store_key_str(op->key),
			  .room_at = STORE_NO_ROOM};
	struct str head = value ? store_value_head(value) : STR_NULL;
	struct str tail = value ? store_value_tail(value) : STR_NULL;
	char *fixed;

	if (value) {
		row.text = str_make(head.p, head.n + tail.n); /* its length is what counts here */
		row.room_at = value->room_at;
		row.tag = value->tag;
		row.create_revision = value->create_revision.n;
		row.version = value->version;
	}
	fixed = buf_reserve(b, FIXED + row.key.n + row.text.n + 7);
	put_fixed(fixed, &row);
	row.sum = sum_of(&row, fixed, head, tail);
	put64(fixed + SUMMED, (int64_t)row.sum);
	b->n += FIXED;
	buf_add_str(b, row.key);
	buf_add_str(b, head);
	buf_add_str(b, tail);
	while (b->n % 8) {
		buf_add_char(b, 0);
	}
	return row.sum;
}

int row_cut(struct str *rest, struct row *ret)
{
	const char *p = rest->p;
	uint32_t key_n, text_n;
	size_t size;

	if (rest->n < FIXED) {
		return ERR_CORRUPT;
	}
	*ret = (struct row){0};
	ret->id = get64(&p);
	ret->wall_ns = get64(&p);
	ret->create_revision = get64(&p);
	ret->version = get64(&p);
	ret->tag = get32(&p);
	ret->codec = get32(&p);
	ret->room_at = get32(&p);
	key_n = get32(&p);
	text_n = get32(&p);
	get32(&p);
	ret->sum = (uint64_t)get64(&p);
	if (key_n > STORE_KEY_MAX || (text_n != DELETED && text_n > STORE_VALUE_MAX)) {
		return ERR_CORRUPT;
	}
	size = FIXED + (size_t)key_n + (text_n == DELETED ? 0 : text_n);
	size = (size + 7) & ~(size_t)7;
	if (size > rest->n) {
		return ERR_CORRUPT;
	}
	ret->key = str_make(p, key_n);
	ret->text = text_n == DELETED ? STR_NULL : str_make(p + key_n, text_n);
	*rest = str_from(*rest, size);
	return 0;
}

bool row_has_intact_key(const struct row *row)
{
	return row->sum >> 32 == (sum_of_key(row) & UINT32_MAX);
}

bool row_is_intact(const struct row *row)
{
	bool is_sane = row->id >= STORE_TXN_MAX && row->key.n >= 1 && row->key.n <= STORE_KEY_MAX &&
		       row->text.n <= STORE_VALUE_MAX &&
		       (row->room_at == STORE_NO_ROOM || row->room_at <= row->text.n);

	return is_sane && row->sum == compute_sum(row);
}

struct store_value *row_value(const struct row *row)
{
	struct store_value *value;

	if (!row->text.p) {
		return NULL;
	}
	value = store_value_new(row->text, row->room_at);
	value->tag = row->tag;
	value->create_revision.n = row->create_revision;
	value->version = row->version;
	return value;
}
