/* SPDX-License-Identifier: Apache-2.0 */
#include "client/client.h"

void client_call(struct client *client, const struct client_request *request, client_done_fn done,
		 void *ctx)
{
	client->ops->call(client, request, done, ctx);
}

struct client_watch *client_watch_start(struct client *client, const struct client_watch_opts *opts)
{
	return client->ops->watch_start(client, opts);
}

void client_free(struct client *client)
{
	if (client) {
		client->ops->free(client);
	}
}

void client_watch_stop(struct client_watch *watch)
{
	if (watch) {
		watch->client->ops->watch_stop(watch);
	}
}

int client_code_of_http(int http_status, struct str reason)
{
	switch (http_status) {
	case 404:
		return ERR_NOT_FOUND;
	case 409:
		return str_is(reason, "AlreadyExists") ? ERR_EXISTS : ERR_CONFLICT;
	case 403:
		return ERR_DENIED;
	case 401:
		return ERR_UNAUTHORIZED;
	case 410:
		return ERR_COMPACTED;
	case 429:
	case 503:
		return ERR_AGAIN;
	case 504:
		return ERR_TIMEOUT;
	case 500:
		return ERR_IO;
	default:
		return ERR_INVALID;
	}
}
