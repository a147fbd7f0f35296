/* SPDX-License-Identifier: Apache-2.0 */
/* ingress/sync.h: what nginx's dictionary should hold, what it was told, and the updates between. Pure.
 *
 *     cox-ingress 1 full|BASE SEQ          BASE: the update that nginx must hold, else it answers 409 and gets a full one
 *     e NAMESPACE/SERVICE/PORT [ADDRESS:PORT]...
 *     c HOST [BASE64(chain) BASE64(key)]   HOST "_": for every other name; without a certificate: forget it
 *     end
 *
 * One line is exchanged as a whole; a full update also removes what it doesn't name. Endpoints of Services that no
 * route names any more are kept current until the next full update: old workers may still use them. */
#pragma once
#include "base/buf.h"
#include "base/map.h"

struct sync {
	struct map items; /* "e KEY" or "c HOST" -> struct sync_item */
	char instance[17];
	uint64_t counter;
	char seq[48]; /* what nginx holds, if all went well */
	bool needs_full;
	size_t dirty; /* items that nginx doesn't know */
};

/* instance: 8 random bytes, so that updates of an earlier process are told apart. */
void sync_init(struct sync *sync, const unsigned char instance[8]);
void sync_fini(struct sync *sync);
/* kind 'e' or 'c'; text as it stands behind the key. */
void sync_set(struct sync *sync, char kind, struct str key, struct str text);
bool sync_has(const struct sync *sync, char kind, struct str key);
/* Every 'c' item that sync_set was not called for since the last sync_sweep becomes empty. */
void sync_sweep(struct sync *sync);
/* Is there something to tell? */
bool sync_is_pending(const struct sync *sync);
/* Appends an update (full: everything, whatever nginx holds) and takes its contents as told; after a failure call sync_lost. */
void sync_build(struct sync *sync, bool full, struct buf *out);
/* Nobody knows what nginx holds: the next update is a full one. */
void sync_lost(struct sync *sync);
