/* SPDX-License-Identifier: Apache-2.0 */
/* apiserver/metrics.h: /metrics in Prometheus' text format, under upstream's names. */
#pragma once
#include "base/buf.h"

struct apiserver;
struct request;

void metrics_write(struct apiserver *api, struct buf *out);
/* Counts an answered request. */
void metrics_request(struct apiserver *api, const struct request *r);
