/* SPDX-License-Identifier: Apache-2.0 */
/* rules/cron.h: the schedule of a CronJob: five fields (minute, hour, day of month, month, day of week) or a name (@hourly). The
 * grammar and the texts are those of the library upstream uses (robfig/cron v3, ParseStandard). Pure. */
#pragma once
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"

struct cron_schedule {
	/* Bit n: the field may be n. Sunday is 0. */
	uint64_t minutes, hours, days, months, weekdays;
	/* The field was * (or ?): of the two day fields only the other counts then, else either may match. */
	bool any_day, any_weekday;
	/* @every 90s: so many seconds apart, the fields are unset. */
	int64_t every_s;
};

/* 0 or ERR_INVALID. A time zone in front (TZ=..., CRON_TZ=...) is passed over. */
MUST_USE int cron_parse(struct str text, struct cron_schedule *ret, struct err *err);
