/* SPDX-License-Identifier: Apache-2.0 */
/* ingress/endpoints.h: what we remember of Services and EndpointSlices, and the addresses behind one port of a Service. No I/O.
 * Objects are copied; loop thread only. */
#pragma once
#include "base/buf.h"
#include "base/map.h"
#include "ingress/claim.h"
#include "types/core_v1.h"
#include "types/discovery_v1.h"

struct endpoints {
	struct map services; /* "ns/name" -> struct service */
	struct map slices;   /* "ns/name" -> struct slice */
	int64_t revision;    /* the newest EndpointSlice change that was seen */
	struct buf last;     /* name of a Service that is gone, for the caller */
};

void endpoints_init(struct endpoints *endpoints);
void endpoints_fini(struct endpoints *endpoints);

/* Each returns the Service concerned as "ns/name", borrowed until the next call; unset: nobody can care. */
struct str endpoints_set_service(struct endpoints *endpoints, const struct core_service *service);
struct str endpoints_remove_service(struct endpoints *endpoints, struct str ns, struct str name);
/* revision: of the event. A slice that changes its Service concerns both; the former one is in *ret_former (else unset). */
struct str endpoints_set_slice(struct endpoints *endpoints,
			       const struct discovery_endpoint_slice *slice, int64_t revision,
			       struct str *ret_former);
struct str endpoints_remove_slice(struct endpoints *endpoints, struct str ns, struct str name,
				  int64_t revision);

enum resolution { RESOLVED, NO_SERVICE, NO_PORT, IS_EXTERNAL_NAME };

/* Appends "10.0.0.1:80 [fd00::1]:80 ...", sorted, each once, to out (may be NULL: only the verdict is wanted): ready endpoints; if there is
 * none, those that terminate but still serve. Nothing is appended unless RESOLVED. */
enum resolution endpoints_resolve(const struct endpoints *endpoints, struct str ns,
				  const struct backend_ref *ref, struct buf *out);
