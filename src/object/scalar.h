/* SPDX-License-Identifier: Apache-2.0 */
/* object/scalar.h: how the scalar types of the Kubernetes API lie in memory inside generated structs. Strings and arrays are
 * borrowed from the arena (or the source bytes) that the object was decoded into. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

enum quantity_format { QUANTITY_DECIMAL_SI, QUANTITY_BINARY_SI, QUANTITY_DECIMAL_EXPONENT };

/* resource.Quantity: value * 10^scale. Zeroed is the quantity "0". Parse, print, compare: object/quantity.h. */
struct quantity {
	int64_t value;
	int8_t scale; /* -9..18 */
	uint8_t format;
};

/* metav1.Time and MicroTime; set == false is null. */
struct timestamp {
	int64_t sec; /* since the Unix epoch */
	int32_t nsec;
	bool set;
};

enum int_or_string_kind { IOS_INT, IOS_STRING };

/* Zeroed is the number 0, as in Go. */
struct int_or_string {
	struct str str;
	int32_t num;
	uint8_t kind;
};

/* A list field is LIST(struct core_container) containers;  p NULL is nil, p non-NULL with n 0 is the empty list. */
#define LIST(type)                                                                                 \
	struct {                                                                                   \
		type *p;                                                                           \
		size_t n;                                                                          \
	}
/* A map field: entries sorted by key (bytewise), no duplicates. */
#define STR_KEYED(type)                                                                            \
	struct {                                                                                   \
		struct {                                                                           \
			struct str key;                                                            \
			type value;                                                                \
		} * p;                                                                             \
		size_t n;                                                                          \
	}

struct str_list {
	struct str *p;
	size_t n;
};

struct str_pair {
	struct str key;
	struct str value;
};

struct str_map {
	struct str_pair *p;
	size_t n;
};

struct quantity_pair {
	struct str key;
	struct quantity value;
};

struct quantity_map {
	struct quantity_pair *p;
	size_t n;
};

/* What generic code sees of any list or map field. */
struct any_list {
	void *p;
	size_t n;
};
