/* SPDX-License-Identifier: Apache-2.0 */
/* http/message.h: what requests and responses have in common: header fields, status codes, dates. */
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/str.h"

struct http_header {
	struct str name; /* lower case in everything received; as you like in what you send */
	struct str value;
};

#define HTTP_HEADER(name_lit, value_str) ((struct http_header){STR(name_lit), (value_str)})

enum http_version { HTTP_1_0, HTTP_1_1, HTTP_2 };

/* The first field of that name (any case); unset if there is none. */
struct str http_header_find(const struct http_header *headers, size_t n, struct str name);
/* True if a comma-separated field ("Connection: keep-alive, Upgrade") holds the token, in any of its lines, in any case. */
bool http_header_has_token(const struct http_header *headers, size_t n, struct str name,
			   struct str token);
/* "Not Found"; "Unknown" for codes without a name. */
struct str http_reason(int status);
/* Appends "Sun, 06 Nov 1994 08:49:37 GMT" (29 bytes). */
void http_date(struct buf *out, int64_t wall_s);
/* A response to this never has a body, whatever its headers say. */
bool http_status_has_body(int status);
