/* SPDX-License-Identifier: Apache-2.0 */
/* apiserver/accept.h: which form of an answer the client wants (RFC 9110 §12.5.1, with upstream's parameters as, g and v). Pure. */
#pragma once
#include <stdbool.h>

#include "base/str.h"

enum answer_form { ANSWER_PLAIN, ANSWER_TABLE, ANSWER_METADATA, ANSWER_METADATA_LIST };

struct accepted {
	enum answer_form form;
	bool pretty; /* application/json;pretty=1 */
};

/* The best clause that we can serve; false: none (406). An empty header accepts everything. Forms other than the plain one are only
 * looked at if forms is true (they make sense for stored objects and lists). */
bool accept_choose(struct str header, bool forms, struct accepted *ret);
