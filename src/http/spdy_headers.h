/* SPDX-License-Identifier: Apache-2.0 */
/* http/spdy_headers.h: SPDY's compressed header blocks (draft 3.1 §2.6.10). Both directions of a connection are one zlib stream each, so every
 * block that comes must be read, also that of a refused stream. */
#pragma once
#include <zlib.h>

#include "base/arena.h"
#include "http/message.h"

struct spdy_headers {
	z_stream in, out;
	bool in_ready, out_ready;
};

enum {
	SPDY_HEADER_BYTES_MAX = 65536, /* decompressed */
	SPDY_HEADERS_MAX = 256,
};

void spdy_headers_init(struct spdy_headers *h);
void spdy_headers_fini(struct spdy_headers *h);
/* Appends the block. */
void spdy_headers_write(struct spdy_headers *h, const struct http_header *headers, size_t n,
			struct buf *out);
/* Reads a block; texts live in `a`. ERR_PROTOCOL, ERR_LIMIT: the connection cannot go on. */
MUST_USE int spdy_headers_read(struct spdy_headers *h, struct str block, struct arena *a,
			       struct http_header **ret, size_t *ret_n);
/* The dictionary that both sides prime zlib with: 1,423 bytes. */
void spdy_dictionary(struct buf *out);
