/* SPDX-License-Identifier: Apache-2.0 */
/* apiserver/discovery.h: what is served, as clients ask for it: legacy documents and the aggregated form (apidiscovery.k8s.io/v2). Made
 * from the resource table alone. */
#pragma once
#include "base/buf.h"

void discovery_write_api_versions(struct buf *out); /* /api */
void discovery_write_groups(struct buf *out);	    /* /apis */
/* False if there is no such group / group-version. */
bool discovery_write_group(struct buf *out, struct str group); /* /apis/GROUP */
bool discovery_write_resources(struct buf *out, struct str group,
			       struct str version);	     /* /api/v1, /apis/GROUP/VERSION */
void discovery_write_aggregated(struct buf *out, bool core); /* /api or /apis */
