/* SPDX-License-Identifier: Apache-2.0 */
#include "kubelet/kubelet_internal.h"

static bool is_forgotten(const struct backoff *b, int64_t at)
{
	return at - b->updated_ns > BACKOFF_RESET_S * NS_PER_SEC;
}

int64_t backoff_left(const struct backoff *b, int64_t since, int64_t now)
{
	if (!b->delay_ns || is_forgotten(b, since)) {
		return 0;
	}
	return MAX(since + b->delay_ns - now, (int64_t)0);
}

void backoff_next(struct backoff *b, int64_t now)
{
	if (!b->delay_ns || is_forgotten(b, now)) {
		b->delay_ns = BACKOFF_FIRST_S * NS_PER_SEC;
	} else {
		b->delay_ns = MIN(b->delay_ns * 2, BACKOFF_MAX_S * NS_PER_SEC);
	}
	b->updated_ns = now;
}
