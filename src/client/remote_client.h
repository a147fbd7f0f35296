/* SPDX-License-Identifier: Apache-2.0 */
/* client/remote_client.h: the transport over the wire: HTTP/2 (or 1.1) with a client certificate or a bearer token. One connection carries
 * all calls and watches. */
#pragma once
#include "client/client.h"
#include "http/client.h"

struct remote_client_opts {
	struct net *net;
	struct net_addr addr;	 /* of the API server */
	struct tls_ctx *tls;	 /* referenced */
	struct str server_name;	 /* what its certificate must name */
	const char *user_agent;	 /* constant */
	struct str bearer_token; /* or unset */
};

struct client *remote_client_new(const struct remote_client_opts *opts);
