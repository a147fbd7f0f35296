/* SPDX-License-Identifier: Apache-2.0 */
/* apiserver/service_ips.h: which ClusterIPs and node ports are taken. Rebuilt from the Services at start, reserved when a Service is
 * written, released when it is deleted or its write fails. Loop thread. */
#pragma once
#include <stdint.h>

#include "base/err.h"
#include "env/env.h"
#include "store/store.h"

struct service_ips;

/* cidr: IPv4, at most /12 .. /28. */
MUST_USE int service_ips_new(struct env *env, struct store *store, struct str cidr, int port_min,
			     int port_max, struct service_ips **ret, struct err *err);
void service_ips_free(struct service_ips *ips);

/* A free address as text into ret (at least 16 bytes) for the service `owner` ("ns/name"); ERR_LIMIT: none left. Random, from the upper
 * part of the range, so that the lower one stays for addresses that people choose (KEP-3070). */
MUST_USE int service_ips_take_any(struct service_ips *ips, struct str owner, char ret[16]);
/* This one: ERR_RANGE, ERR_EXISTS (someone else's). Taking it again is fine. */
MUST_USE int service_ips_take(struct service_ips *ips, struct str ip, struct str owner);
MUST_USE int service_ips_take_any_port(struct service_ips *ips, struct str owner,
				       struct str protocol, int32_t *ret);
MUST_USE int service_ips_take_port(struct service_ips *ips, int32_t port, struct str protocol,
				   struct str owner);
/* Drops everything that the owner has beyond what its durable version says (a write that failed). */
void service_ips_restore(struct service_ips *ips, struct str owner);
