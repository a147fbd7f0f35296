/* SPDX-License-Identifier: Apache-2.0 */
/* apiserver/openapi.h: the schema as OpenAPI, made from the descriptors: what kubectl explain and client-side validation read. */
#pragma once
#include "apiserver/request.h"

enum stage_result openapi_v2(struct request *r, struct str rest); /* /openapi/v2 */
enum stage_result openapi_v3_index(struct request *r,
				   struct str rest); /* /openapi/v3: paths with hashed URLs */
/* /openapi/v3/api/v1, /openapi/v3/apis/GROUP/VERSION?hash=... with an ETag */
enum stage_result openapi_v3_document(struct request *r, struct str rest);
