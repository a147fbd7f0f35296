/* SPDX-License-Identifier: Apache-2.0 */
/* apiserver/http_front.h: requests from the wire: HTTP request -> struct request -> answer in the form the client accepts. */
#pragma once
#include "apiserver/apiserver.h"
#include "http/server.h"

/* on_request of an http_server; ctx is the struct apiserver. */
void http_front_request(void *ctx, struct http_request *http);
