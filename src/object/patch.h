/* SPDX-License-Identifier: Apache-2.0 */
/* object/patch.h: the three patches that upstream applies to JSON: RFC 6902 (JSON patch), RFC 7396
 * (merge patch) and the strategic merge patch, guided by descriptors. All work on a document in
 * place and may use parts of the patch in it, so both belong to the caller's arena and the patch
 * must not be used again. After a failure the document is unspecified. Error texts are upstream's;
 * ERR_INVALID means a malformed patch (400), ERR_CONFLICT one that does not apply to this document,
 * a failed `test` included (422), ERR_LIMIT one that asks for too much (413). */
#pragma once
#include "base/arena.h"
#include "base/attr.h"
#include "base/err.h"
#include "codec/json.h"
#include "object/desc.h"

enum {
	PATCH_OPERATIONS_MAX = 10000,	     /* of a JSON patch, as upstream */
	PATCH_COPIED_MAX = 200 * 1000,	     /* values that `copy` may make in one patch */
	PATCH_MOVED_MAX = 100 * 1000 * 1000, /* list items and members that operations may shift */
};

/* patch: the array of operations. Negative indexes count from the end of a list, - is behind it. */
MUST_USE int patch_apply_json(struct arena *arena, struct json_value *doc,
			      const struct json_value *patch, struct err *err);

/* Both must be objects. As upstream, null members are dropped from what is put in, also inside
 * lists, unless it replaces an object. */
MUST_USE int patch_apply_merge(struct arena *arena, struct json_value *doc,
			       struct json_value *patch, struct err *err);

/* doc and patch are objects of `type`. Understands $patch (replace, delete, merge), $retainKeys,
 * $setElementOrder/FIELD, $deleteFromPrimitiveList/FIELD. Lists merge by their patch_merge_key or,
 * of scalars, as sets; others are replaced. */
MUST_USE int patch_apply_strategic(struct arena *arena, const struct type_desc *type,
				   struct json_value *doc, struct json_value *patch,
				   struct err *err);
