/* SPDX-License-Identifier: Apache-2.0 */
/* podnet/ipam.h: which sandbox has which address of this node's pod CIDR. The truth is a directory with one file per sandbox, written before
 * the address is used and removed after it is free, so that a crash at any point loses nothing; this table is read from it at start.
 * The directory belongs on a tmpfs: after a reboot no pod has an address. Addresses are handed out in a round, so that one is reused as late as
 * possible: peers may still believe in its former owner. The first address is the bridge's, the lowest and the highest of the prefix are nobody's:
 * a /24 serves 253 pods. Single thread. */
#pragma once
#include "base/err.h"
#include "base/ip.h"

struct ipam;

enum { IPAM_PORTS_MAX = 64 };

struct ipam_port {
	uint8_t protocol; /* IPPROTO_TCP, IPPROTO_UDP, IPPROTO_SCTP */
	uint16_t host_port;
	uint16_t container_port;
	struct ip_addr host_ip; /* unset: all addresses of the node */
};

struct ipam_lease {
	const char *sandbox;
	struct ip_addr ip;
	const struct ipam_port *ports;
	size_t nports;
};

/* Creates the directory; refuses one that another process holds (ERR_BUSY). A file that cannot be read as a lease is an error that names
 * it. IPv4 prefixes from /8 to /30. */
MUST_USE int ipam_open(const char *dir, struct ip_cidr pod_cidr, struct ipam **ret,
		       struct err *err);
void ipam_close(struct ipam *ipam);

/* The bridge's address. */
struct ip_addr ipam_gateway(const struct ipam *ipam);

/* The sandbox's lease; the one it has (with its ports as they were given first) or a new one. ERR_LIMIT when all addresses are taken,
 * ERR_EXISTS when another sandbox has one of the host ports, ERR_INVALID for a sandbox name that is no file name. *ret is borrowed until the next
 * change. */
MUST_USE int ipam_take(struct ipam *ipam, const char *sandbox, const struct ipam_port *ports,
		       size_t nports, struct ipam_lease *ret, struct err *err);
/* Idempotent. */
MUST_USE int ipam_release(struct ipam *ipam, const char *sandbox, struct err *err);
/* ERR_NOT_FOUND without a message if it has none. */
MUST_USE int ipam_find(const struct ipam *ipam, const char *sandbox, struct ipam_lease *ret);
/* for (size_t i = 0; ipam_next(ipam, &i, &lease);)   releasing the one just seen is allowed. */
bool ipam_next(const struct ipam *ipam, size_t *i, struct ipam_lease *ret);
size_t ipam_count(const struct ipam *ipam);
