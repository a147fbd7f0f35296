/* SPDX-License-Identifier: Apache-2.0 */
/* JSON text: what parses prints, parses again and is equal; skipping accepts exactly what parsing
 * accepts; compact text is what the reader accepts and stays compact. */
#include "base/alloc.h"
#include "codec/go_text.h"
#include "codec/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_skip(struct arena *a, struct str text, const struct json_value *parsed)
{
	struct buf compact CLEANUP_BUF = {0};
	struct buf again CLEANUP_BUF = {0};
	struct json_reader r;
	struct json_value v;
	struct str span;
	bool ok;

	json_reader_init(&r, text, a);
	ok = json_skip(&r, &span) == 0 && json_end(&r) == 0;
	/* The DOM also refuses numbers beyond doubles. */
	ASSERT(ok || !parsed);
	if (!ok) {
		return;
	}
	json_write_compact(&compact, span);
	json_write_compact(&again, buf_str(&compact));
	ASSERT(str_eq(buf_str(&compact), buf_str(&again)));
	ASSERT(!json_is_compact(span) || str_eq(span, buf_str(&compact)));
	if (parsed) {
		ASSERT(json_parse(a, buf_str(&compact), NULL, &v, NULL) == 0 &&
		       json_equal(&v, parsed));
		buf_clear(&again);
		json_write_indented(&again, buf_str(&compact), "  ");
		ASSERT(json_parse(a, buf_str(&again), NULL, &v, NULL) == 0 &&
		       json_equal(&v, parsed));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena a CLEANUP_ARENA = {0};
	struct buf first CLEANUP_BUF = {0};
	struct buf second CLEANUP_BUF = {0};
	struct err e CLEANUP_ERR = {0};
	struct strict_notes notes = {.arena = &a};
	struct str text = str_make(data, size);
	struct json_value v, w;

	if (json_parse(&a, text, &notes, &v, &e) < 0) {
		ASSERT(e.msg);
		check_skip(&a, text, NULL);
		return 0;
	}
	check_skip(&a, text, &v);
	json_write_value(&first, &v, false);
	ASSERT(json_parse(&a, buf_str(&first), NULL, &w, NULL) == 0 && json_equal(&v, &w));
	/* Stable from the second time on: -0.0 prints as -0, which is an integer. */
	json_write_value(&second, &w, false);
	buf_clear(&first);
	ASSERT(json_parse(&a, buf_str(&second), NULL, &w, NULL) == 0);
	json_write_value(&first, &w, false);
	ASSERT(str_eq(buf_str(&first), buf_str(&second)));
	w = json_dup(&a, &v);
	ASSERT(json_equal(&v, &w) && json_count(&v) == json_count(&w));
	buf_clear(&second);
	go_print(&second, &v);
	go_quote(&second, text);
	return 0;
}
