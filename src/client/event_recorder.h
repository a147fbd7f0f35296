/* SPDX-License-Identifier: Apache-2.0 */
/* client/event_recorder.h: sends core/v1 Events as upstream's record package does. An event that was sent before is counted in the object
 * that is already there; more than 10 events within 10 minutes that differ only in their message become one "(combined from similar
 * events)"; one object gets at most 25 events at once and one more every 5 minutes. Nobody waits for an event: one that cannot be
 * stored is dropped. Loop thread only. */
#pragma once
#include "client/client.h"

struct event_recorder;

/* component: the event's source ("deployment-controller"); host: the node, or unset. The client must outlive the recorder. */
struct event_recorder *event_recorder_new(struct client *client, struct str component,
					  struct str host);
/* Events under way are still sent; the client may go once event_recorder_is_idle() said so, or with its env. */
void event_recorder_free(struct event_recorder *r);
bool event_recorder_is_idle(const struct event_recorder *r);
/* type: Normal or Warning. All arguments are copied. */
void event_recorder_record(struct event_recorder *r, const struct core_object_reference *about,
			   const char *type, const char *reason, struct str message);
