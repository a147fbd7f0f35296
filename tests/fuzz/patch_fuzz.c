/* SPDX-License-Identifier: Apache-2.0 */
/* A letter for form and type, the document, a newline, the patch: the result is a document that
 * prints and parses. */
#include "base/alloc.h"
#include "object/patch.h"
#include "types/types.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int apply(struct arena *a, char form, struct json_value *doc, struct json_value *patch,
		 struct err *e)
{
	switch (form) {
	case 'j':
		return patch_apply_json(a, doc, patch, e);
	case 'm':
		return patch_apply_merge(a, doc, patch, e);
	case 'd':
		return patch_apply_strategic(a, &type_apps_deployment, doc, patch, e);
	case 's':
		return patch_apply_strategic(a, &type_core_service, doc, patch, e);
	default:
		return patch_apply_strategic(a, &type_core_pod, doc, patch, e);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena a CLEANUP_ARENA = {0};
	struct buf b CLEANUP_BUF = {0};
	struct err e CLEANUP_ERR = {0};
	struct str rest = str_make(data, size);
	struct json_value doc, patch, again;
	struct str text;
	char form;

	if (size < 2) {
		return 0;
	}
	form = rest.p[0];
	rest = str_from(rest, 1);
	str_cut(&rest, '\n', &text);
	if (!rest.p || json_parse(&a, text, NULL, &doc, NULL) < 0 ||
	    json_parse(&a, rest, NULL, &patch, NULL) < 0 || doc.kind != JSON_OBJECT) {
		return 0;
	}
	if (apply(&a, form, &doc, &patch, &e) < 0) {
		ASSERT(e.msg);
		return 0;
	}
	json_write_value(&b, &doc, true);
	/* Moving and copying can nest deeper than a parser takes. */
	if (json_parse(&a, buf_str(&b), NULL, &again, &e) < 0) {
		ASSERT(e.code == ERR_LIMIT);
		return 0;
	}
	ASSERT(json_equal(&doc, &again));
	return 0;
}
