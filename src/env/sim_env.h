/* SPDX-License-Identifier: Apache-2.0 */
/* env/sim_env.h: the simulated env: virtual time that moves only when it is told to, random bytes
 * from a seed, one thread. The same seed and the same calls give the same run. Work's run() is
 * called on the loop like everything else.
 *     struct sim_env *sim = sim_env_new(7);
 *     env_timer_start_in(sim_env_env(sim), &timer, 3600 * NS_PER_SEC);
 *     sim_env_advance(sim, 3600 * NS_PER_SEC);      fires it at once */
#pragma once
#include "env/env.h"

struct sim_env;

struct sim_env *sim_env_new(uint64_t seed);
/* Posted tasks that never ran are dropped. NULL is fine. */
void sim_env_free(struct sim_env *sim);
struct env *sim_env_env(struct sim_env *sim);

/* One turn: fires timers that are due, runs what was posted and the work that was queued before
 * this call, in that order. False: there was nothing to do. */
bool sim_env_turn(struct sim_env *sim);
/* Turns until nothing is left but timers of the future. */
void sim_env_run_until_idle(struct sim_env *sim);
/* Runs until idle, then moves the clock to the first timer and fires it (and others of that
 * moment). False: there is no timer. */
bool sim_env_advance_to_next_timer(struct sim_env *sim);
/* Everything that happens in the next delta_ns, in order; the clock ends exactly there. */
void sim_env_advance(struct sim_env *sim, int64_t delta_ns);
/* Moment of the first armed timer, or 0. */
int64_t sim_env_next_timer_mono_ns(const struct sim_env *sim);

/* For code under test that has threads of its own: blocks until somebody has posted a task. */
void sim_env_wait_posted(struct sim_env *sim);

/* The generator behind env_random, for the test's own choices (SplitMix64: Steele, Lea, Flood
 * 2014). */
uint64_t sim_random(uint64_t *state);
