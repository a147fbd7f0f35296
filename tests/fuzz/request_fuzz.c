/* SPDX-License-Identifier: Apache-2.0 */
/* What a client puts into URL and headers: paths, queries, selectors, continue tokens, Accept. The first byte chooses. A selector that
 * parses must print to a text that parses to the same text. */
#include <stddef.h>
#include <stdint.h>

#include "apiserver/accept.h"
#include "apiserver/continue_token.h"
#include "apiserver/request_info.h"
#include "base/alloc.h"
#include "rules/selector.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fuzz_labels(struct arena *a, struct str text)
{
	struct err err CLEANUP_ERR = {0};
	struct selector s;
	struct selector again;
	struct str printed;

	if (label_selector_parse(a, text, &s, &err) < 0) {
		ASSERT(err.msg);
		return;
	}
	printed = selector_text(a, &s);
	ASSERT(label_selector_parse(a, printed, &again, &err) == 0);
	ASSERT(str_eq(selector_text(a, &again), printed));
}

static void fuzz_fields(struct arena *a, struct str text)
{
	struct err err CLEANUP_ERR = {0};
	struct selector s;

	if (field_selector_parse(a, text, &s, &err) < 0) {
		ASSERT(err.msg);
		return;
	}
	for (size_t i = 0; i < s.n; i++) {
		ASSERT(s.terms[i].values.n == 1);
	}
}

static void fuzz_request(struct arena *a, struct str text)
{
	struct request_info info;
	struct str path;
	struct str value;

	str_cut(&text, '?', &path);
	request_info_parse(STR("GET"), path, text.p ? text : STR(""), &info);
	ASSERT(info.verb);
	if (query_find(text, STR("labelSelector"), &value)) {
		ASSERT(query_unescape(a, value).n <= value.n);
	}
}

static void fuzz_token(struct arena *a, struct str text)
{
	struct continue_token token;
	struct continue_token again;

	if (continue_token_parse(a, text, &token) == 0) {
		struct str made = continue_token_make(a, token.revision, token.start);

		ASSERT(continue_token_parse(a, made, &again) == 0);
		ASSERT(again.revision == token.revision);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena a CLEANUP_ARENA = {0};
	struct str text = str_make(data + 1, size ? size - 1 : 0);
	struct accepted accepted;

	if (!size) {
		return 0;
	}
	switch (data[0] % 5) {
	case 0:
		fuzz_labels(&a, text);
		break;
	case 1:
		fuzz_fields(&a, text);
		break;
	case 2:
		fuzz_request(&a, text);
		break;
	case 3:
		fuzz_token(&a, text);
		break;
	default:
		(void)accept_choose(text, true, &accepted);
	}
	return 0;
}
