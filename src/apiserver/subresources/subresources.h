/* SPDX-License-Identifier: Apache-2.0 */
/* apiserver/subresources/subresources.h: what is not simply a stored object: subresources with bodies of their own, review kinds that
 * are only asked, and virtual resources. subresources.def is the table. */
#pragma once
#include "apiserver/request.h"

/* The function for this resource, subresource and verb, or NULL: the plain verb on the stored object. */
stage_fn special_verb(const struct request *r);

#define SPECIAL(group, resource, sub, verb, fn) enum stage_result fn(struct request *r);
#include "apiserver/subresources/subresources.def"
#undef SPECIAL

/* Everything outside /api/GROUP.../RESOURCE: discovery, OpenAPI, health, version, metrics. */
enum stage_result answer_plain_path(struct request *r);
