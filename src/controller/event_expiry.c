/* SPDX-License-Identifier: Apache-2.0 */
/* Events are forgotten some time after they last happened (upstream leaves this to etcd's leases). One sweep a minute. */
#include "controller/controller.h"

#define SECOND 1000000000LL
#define PERIOD_NS (60 * SECOND)

enum { BATCH = 500 }; /* deletions of one pass */

static int64_t last_seen_s(const struct core_event *e)
{
	int64_t s = MAX(e->metadata.creation_timestamp.sec,
			e->last_timestamp.set ? e->last_timestamp.sec : 0);

	s = MAX(s, e->event_time.set ? e->event_time.sec : 0);
	return e->series ? MAX(s, e->series->last_observed_time.sec) : s;
}

struct sweep {
	const struct snapshot *snapshot;
	struct actions *actions;
	size_t n;
};

static bool expire(void *ctx, struct frozen *object)
{
	struct sweep *s = ctx;
	const struct core_event *e = FROZEN_AS(object, core_events, struct core_event);
	struct delete_opts opts = {.uid = e->metadata.uid,
				   .resource_version = e->metadata.resource_version};

	if (s->snapshot->now_ns - last_seen_s(e) * SECOND >= s->snapshot->options->event_ttl_ns) {
		actions_delete(s->actions, &resource_core_events, e->metadata.namespace,
			       e->metadata.name, &opts);
		s->n++;
	}
	return s->n < BATCH;
}

static void reconcile(const struct snapshot *snapshot, struct str key UNUSED,
		      struct actions *actions)
{
	struct sweep s = {snapshot, actions, 0};

	informer_each(snapshot_informer(snapshot, &resource_core_events), STR_NULL, expire, &s);
	actions_requeue_after(actions, s.n == BATCH ? 0 : PERIOD_NS);
}

static void start(struct informers *informers UNUSED, enqueue_fn enqueue, void *ctx)
{
	enqueue(ctx, STR("sweep"));
}

static const struct controller_watch watches[] = {
	{.resource = &resource_core_events, .keys = controller_keys_none},
};

const struct controller_desc event_expiry_controller = {
	.name = "event-expiry-controller",
	/* May delete anything; upstream has no account for this. */
	.service_account = "generic-garbage-collector",
	.workers = 1,
	.watches = watches,
	.nwatches = ARRAY_LEN(watches),
	.reconcile = reconcile,
	.start = start,
};
