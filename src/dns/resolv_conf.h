/* SPDX-License-Identifier: Apache-2.0 */
/* dns/resolv_conf.h: the /etc/resolv.conf of a pod, from its dnsPolicy, its dnsConfig and the node's own file (what the kubelet writes), and the
 * reading of such files. Pure. */
#pragma once
#include "base/arena.h"
#include "base/err.h"
#include "types/core_v1.h"

/* What glibc and upstream's validation allow. */
enum {
	RESOLV_NAMESERVERS_MAX = 3,
	RESOLV_SEARCHES_MAX = 32,
	RESOLV_SEARCH_CHARS_MAX = 2048,
	RESOLV_FILE_MAX = 65536,
};

struct resolv_conf {
	struct str_list nameservers, searches, options;
};

/* Reads the file's text: nameserver, search (the last one counts, "domain" as well), options. Unknown lines are passed over, as the resolver does.
 * ERR_LIMIT above RESOLV_FILE_MAX. Strings point into text or the arena. */
MUST_USE int resolv_conf_parse(struct arena *a, struct str text, struct resolv_conf *ret);

struct resolv_conf_pod {
	struct str dns_policy; /* of the pod spec; unset: ClusterFirst */
	bool host_network;
	struct str ns;
	const struct core_pod_dns_config *config; /* or NULL */
	struct str cluster_dns;	   /* 10.96.0.10; unset: ClusterFirst acts as Default */
	struct str cluster_domain; /* cluster.local */
	const struct resolv_conf *host;
};

/* The file's text, in the arena. What exceeds the limits is left out as upstream does, and *ret_warning says so (unset otherwise): the message of
 * a DNSConfigForming event. ERR_INVALID for an unknown policy. */
MUST_USE int resolv_conf_render(struct arena *a, const struct resolv_conf_pod *pod,
				struct str *ret_text, struct str *ret_warning, struct err *err);
