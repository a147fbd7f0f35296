/* SPDX-License-Identifier: Apache-2.0 */
/* codec/json_internal.h: the reader's second pass over strings that hold escapes or ill-formed
 * bytes. For codec/json*.c only. */
#pragma once
#include "base/arena.h"
#include "base/str.h"

/* 0..15, or -1. */
int json_hex_digit(char c);
/* What stands between the quotes, [p, end), as UTF-8 in the arena. Its escapes have been checked;
 * `room` is enough. */
struct str json_unescape(struct arena *arena, const char *p, const char *end, size_t room);
