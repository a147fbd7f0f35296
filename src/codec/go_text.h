/* SPDX-License-Identifier: Apache-2.0 */
/* codec/go_text.h: text as Go's fmt prints it, where clients see it in messages. */
#pragma once
#include "base/buf.h"
#include "base/str.h"
#include "codec/json.h"

/* %q: in double quotes, what cannot be printed as \n \x7f \u200b. */
void go_quote(struct buf *out, struct str s);
/* %v of a decoded JSON document: map[a:1 b:[x y] c:<nil>]. */
void go_print(struct buf *out, const struct json_value *v);
