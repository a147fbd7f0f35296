/* SPDX-License-Identifier: Apache-2.0 */
/* rules/webhook_client.h: where an API server calls out to: webhooks of admission and of conversion. Each group has its own, equal,
 * type; hence the loose arguments. */
#pragma once
#include "object/field_error.h"

/* A service, path and port NULL if unset. */
void validate_webhook_service(struct field_errors *errs, const struct path *at,
			      struct str namespace, struct str name, const struct str *path,
			      const int32_t *port);
/* https://host[/path] */
void validate_webhook_url(struct field_errors *errs, const struct path *at, struct str url);
