/* SPDX-License-Identifier: Apache-2.0 */
/* sim/fake_api.h: a small API over a store, for tests of what talks to the API. It keeps the promises that controllers build on and nothing
 * else: resourceVersion and uid checks, uid, generation, creationTimestamp, the table's defaults, the status and binding
 * subresources, the three patches, graceful deletion of pods, finalizers and propagation policies, namespaces that wait for finalize, list and
 * watch with selectors. There is no user, no validation and no admission: that is the API server's. One loop thread. */
#pragma once
#include "client/client.h"
#include "store/store.h"

struct fake_api;

/* The store must outlive it. */
struct fake_api *fake_api_new(struct env *env, struct store *store);
/* After all its clients. */
void fake_api_free(struct fake_api *api);
struct client *fake_api_client(struct fake_api *api, const char *user_agent);
/* The durable object, decoded anew; NULL: none. The caller's reference. For what a test wants to know behind everyone's back. */
struct frozen *fake_api_get(struct fake_api *api, const struct resource_desc *resource,
			    struct str ns, struct str name);
/* Each durable object of the resource (ns unset: in all namespaces), in order of key. */
void fake_api_each(struct fake_api *api, const struct resource_desc *resource, struct str ns,
		   void (*each)(void *ctx, struct frozen *object), void *ctx);
