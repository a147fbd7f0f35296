/* SPDX-License-Identifier: Apache-2.0 */
/* ingress/nginx_log.h: nginx logs to a unix datagram socket of ours (as syslog), so that its lines come out in our log's form, never block it,
 * and go on after we were restarted. What arrives while we are away is lost. Loop thread only. */
#pragma once
#include "base/err.h"
#include "loop/loop.h"

struct nginx_log;

struct nginx_log *nginx_log_new(struct loop *loop, const struct log *log, const char *path,
				struct err *err);
void nginx_log_free(struct nginx_log *nginx_log);

/* One datagram "<PRI>Nov 21 05:38:11 nginx: text": level and text (borrowed). False: not one. */
bool nginx_log_parse(struct str datagram, enum log_level *ret_level, struct str *ret_text);
