/* SPDX-License-Identifier: Apache-2.0 */
/* sim/faulty_client.h: a client whose network is bad, by seed: calls that never arrive, answers that are lost, watch events that come late
 * or twice, watches that break. Wraps any client. */
#pragma once
#include "client/client.h"

/* Chances are out of 1000. */
struct faults {
	int lose_call;	 /* answered by a time-out, never applied */
	int lose_answer; /* applied, answered by a time-out */
	int refuse;	 /* answered by 503 */
	int64_t max_call_delay_ns;
	int64_t max_event_delay_ns;
	int repeat_event; /* told again later */
	int break_watch;  /* per event */
};

/* Takes over `inner`. *faults is borrowed and may change; a NULL in *faults means none. random: the state of a sim_random.
 * A call that is still on its way when *epoch changes never arrives: who sent it has died (or lost its lease, which the API server
 * would compare). */
struct client *faulty_client_new(struct client *inner, const struct faults *const *faults,
				 uint64_t *random, const int *epoch);
