/* SPDX-License-Identifier: Apache-2.0 */
/* apiserver/bootstrap/bootstrap.h: what must exist before anyone asks: system namespaces, upstream's default roles and bindings
 * (rbac_defaults.jsonl: one object a line), priority classes, the kubernetes Service. Made through the ordinary write path; what is there
 * already is left as it is. */
#pragma once
#include "client/client.h"

struct apiserver;
struct bootstrap;

/* done is called once; code 0, or the first failure with its message. */
struct bootstrap *bootstrap_start(struct apiserver *api,
				  void (*done)(void *ctx, int code, struct str message), void *ctx);
void bootstrap_free(struct bootstrap *b);
