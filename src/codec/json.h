/* SPDX-License-Identifier: Apache-2.0 */
/* codec/json.h: JSON (RFC 8259) as upstream's API machinery reads and writes it, in three parts:
 *   reader   pulls values out of a byte slice without building anything (the decoder of objects)
 *   writer   appends to a struct buf by Go's escape and number rules
 *   DOM      struct json_value, for patches and whatever has no schema
 *
 * Rules: ill-formed UTF-8 and lone surrogate escapes read as U+FFFD, one per byte or escape. A
 * number without '.' and exponent that fits in 64 bits is an integer, any other a double. Names are
 * compared bytewise; of duplicate names the last counts.
 * Limits: JSON_DEPTH_MAX nested containers (upstream allows 10,000; nothing in the API comes near
 * 512, and the readers of documents recurse), JSON_VALUES_MAX values. Sizes in bytes are the
 * caller's to bound.
 * Errors: upstream's words ("invalid character 'x' looking for beginning of value", "unexpected end of JSON input"),
 * with line and column behind them. Reentrant; a reader belongs to one thread. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "codec/path.h"
#include "codec/strict.h"

enum {
	JSON_DEPTH_MAX = 512,
	JSON_VALUES_MAX = 1000 * 1000,
};

enum json_kind {
	JSON_NULL,
	JSON_BOOL,
	JSON_INT,
	JSON_DOUBLE,
	JSON_STRING,
	JSON_ARRAY,
	JSON_OBJECT
};

/* ---- reader ----
 *     json_reader_init(&r, text, arena);
 *     json_begin_object(&r);
 *     while ((more = json_next_key(&r, &key)) > 0) { ...read or skip exactly one value... }
 *     json_end(&r);
 * The first failure sticks: every later call fails too, so checking may wait until a loop ends. */

struct json_reader {
	const char *start, *p, *end;
	struct arena *arena; /* strings that cannot be borrowed */
	uint32_t depth;
	uint32_t values;
	bool first;	  /* just entered a container */
	int code;	  /* 0, or the failure */
	const char *what; /* its words */
};

struct json_number {
	bool is_int;
	int64_t i;	 /* of an int */
	struct str text; /* as it stands in the input */
};

/* The text must outlive the strings read from it; it need not end in a NUL. */
void json_reader_init(struct json_reader *r, struct str text, struct arena *arena);
/* The kind of the value that comes next, JSON_INT for any number, or ERR_*; consumes white space
 * only. */
MUST_USE int json_peek(struct json_reader *r);
/* Each reads one value of its kind; another kind is a syntax error, so peek first. */
MUST_USE int json_read_null(struct json_reader *r);
MUST_USE int json_read_bool(struct json_reader *r, bool *ret);
MUST_USE int json_read_number(struct json_reader *r, struct json_number *ret);
/* Borrowed from the input if it holds no escapes and no ill-formed UTF-8, else made in the arena.
 * Never unset. */
MUST_USE int json_read_string(struct json_reader *r, struct str *ret);
MUST_USE int json_begin_object(struct json_reader *r);
MUST_USE int json_begin_array(struct json_reader *r);
/* 1 and the key: its value comes next; 0: the object has been closed; ERR_*. */
MUST_USE int json_next_key(struct json_reader *r, struct str *ret_key);
/* 1: an item comes next; 0: the array has been closed; ERR_*. */
MUST_USE int json_next_item(struct json_reader *r);
/* Passes over one value of any kind, checking it fully. ret_text (may be NULL) is the text it
 * stands in. */
MUST_USE int json_skip(struct json_reader *r, struct str *ret_text);
/* Nothing but white space may follow. 0 or ERR_*. */
MUST_USE int json_end(struct json_reader *r);
/* Sets err from the failure that stuck: ERR_INVALID for bad syntax, ERR_LIMIT. Returns the code. */
int json_reader_error(const struct json_reader *r, struct err *err);
/* Nearest double. ERR_RANGE if it is beyond them. */
MUST_USE int json_number_to_double(struct str text, double *ret);

/* ---- writer ---- */

/* Quoted, with Go's escapes: also < > & U+2028 U+2029; ill-formed UTF-8 becomes \ufffd. */
void json_write_string(struct buf *out, struct str s);
/* As JavaScript prints it: 1, 0.5, 1e-7, 1e+21. Must be finite. */
void json_write_double(struct buf *out, double d);
/* Valid JSON text without white space between tokens and with the writer's escapes in strings;
 * numbers stay as they stand. `text` must have been checked by json_skip. */
void json_write_compact(struct buf *out, struct str text);
/* True if json_write_compact would change nothing; false if it might. */
bool json_is_compact(struct str text);
/* Valid JSON text spread over lines, for people (?pretty=true). */
void json_write_indented(struct buf *out, struct str text, const char *indent);

/* ---- DOM ----
 * Values live in an arena and are changed in place; strings are borrowed from the input or whoever
 * made them. Objects keep the order of appearance and find keys in constant time, however many
 * there are. */

struct json_member;
struct json_index;

struct json_value {
	uint8_t kind; /* enum json_kind */
	bool boolean;
	uint32_t n;   /* items, members, or bytes of a string */
	uint32_t cap; /* of items or members */
	union {
		int64_t num;
		double dbl;
		const char *str;
		struct json_value *items;
		struct json_member *members;
	};
	struct json_index *index; /* of a large object, made when needed */
};

struct json_member {
	struct str key;
	struct json_value value;
};

static inline struct str json_str(const struct json_value *v)
{
	return str_make(v->str, v->n);
}

static inline struct json_value json_make_string(struct str s)
{
	return (struct json_value){.kind = JSON_STRING, .n = (uint32_t)s.n, .str = s.p ? s.p : ""};
}

static inline struct json_value json_make_int(int64_t i)
{
	return (struct json_value){.kind = JSON_INT, .num = i};
}

static inline struct json_value json_make_bool(bool b)
{
	return (struct json_value){.kind = JSON_BOOL, .boolean = b};
}

static inline struct json_value json_make_double(double d)
{
	return (struct json_value){.kind = JSON_DOUBLE, .dbl = d};
}

static inline struct json_value json_make(enum json_kind kind)
{
	return (struct json_value){.kind = (uint8_t)kind};
}

/* One whole document of fewer than 4 GiB. Duplicate names are noted in `notes` (may be NULL). 0,
 * ERR_INVALID or ERR_LIMIT; a number beyond doubles is ERR_INVALID. */
MUST_USE int json_parse(struct arena *arena, struct str text, struct strict_notes *notes,
			struct json_value *ret, struct err *err);
/* Compact; sorted: members by key, as Go writes maps. */
void json_write_value(struct buf *out, const struct json_value *v, bool sorted);
/* The member's value, borrowed until the object changes; NULL if there is none or v is no
 * object. */
struct json_value *json_get(const struct json_value *v, struct str key);
/* Adds or replaces; the key is borrowed. Returns the place of the value, valid until the object
 * changes. */
struct json_value *json_set(struct arena *arena, struct json_value *object, struct str key,
			    struct json_value value);
/* Removes a member, keeping the order of the others; false if there was none. */
bool json_remove(struct json_value *object, struct str key);
/* at: 0..n, n appends. */
void json_insert(struct arena *arena, struct json_value *array, size_t at, struct json_value value);
void json_remove_item(struct json_value *array, size_t at);
/* Deep copy; strings are shared. */
struct json_value json_dup(struct arena *arena, const struct json_value *v);
/* Deep equality; the order of members does not count, an integer and a double of equal value are
 * equal. */
bool json_equal(const struct json_value *a, const struct json_value *b);
/* Values in the tree, itself included: what a copy costs. */
size_t json_count(const struct json_value *v);
/* "string", "number", "bool", "null", "array", "object": as error messages call it. */
const char *json_kind_name(const struct json_value *v);
