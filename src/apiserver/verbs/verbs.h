/* SPDX-License-Identifier: Apache-2.0 */
/* apiserver/verbs/verbs.h: what a request does once it may: one function per verb, one per subresource that is more than a view of
 * its object. Each answers, or waits for the store (STAGE_PENDING). */
#pragma once
#include "apiserver/request.h"

enum stage_result verb_get(struct request *r);
enum stage_result verb_list(struct request *r);
enum stage_result verb_watch(struct request *r);
enum stage_result verb_create(struct request *r);
enum stage_result verb_update(struct request *r);
enum stage_result verb_patch(struct request *r);
enum stage_result verb_delete(struct request *r);
enum stage_result verb_deletecollection(struct request *r);
