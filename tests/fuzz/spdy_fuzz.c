/* SPDX-License-Identifier: Apache-2.0 */
/* The bytes of a SPDY/3.1 peer, against either side. The first byte: side and size of the pieces. */
#include "base/alloc.h"
#include "http/spdy.h"

static void on_write(struct spdy *spdy UNUSED, struct str bytes UNUSED)
{
}

static void on_open(struct spdy *spdy UNUSED, struct spdy_stream *s,
		    const struct http_header *headers, size_t n)
{
	if (n && headers[0].value.n % 3 == 1) {
		spdy_reset(s, SPDY_REFUSED_STREAM);
	} else {
		spdy_reply(s, headers, n);
	}
}

static void on_data(struct spdy_stream *s, struct str data)
{
	switch (data.p[0]) {
	case 'r':
		spdy_reset(s, SPDY_CANCEL);
		break;
	case 'f':
		spdy_fin(s);
		break;
	case 'x':
		*(bool *)spdy_ctx(spdy_stream_conn(s)) = true;
		spdy_free(spdy_stream_conn(s));
		break;
	case 'g':
		spdy_goaway(spdy_stream_conn(s));
		break;
	default:
		spdy_send(s, data);
	}
}

static void on_fin(struct spdy_stream *s)
{
	if (spdy_stream_id(s) % 4 == 1) {
		spdy_fin(s);
	}
}

static void on_close(struct spdy_stream *s, enum spdy_status status)
{
	if (status == SPDY_CANCEL && !*(bool *)spdy_ctx(spdy_stream_conn(s))) {
		spdy_ping(spdy_stream_conn(s));
	}
}

static const struct spdy_ops ops = {.write = on_write,
				    .on_open = on_open,
				    .on_data = on_data,
				    .on_fin = on_fin,
				    .on_close = on_close};

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct http_header header = HTTP_HEADER("streamType", STR("stdin"));
	struct spdy *spdy;
	bool freed = false; /* by a callback */
	size_t piece;
	int rc = 0;

	if (n < 2) {
		return 0;
	}
	spdy = spdy_new(p[0] & 1, &ops, &freed);
	piece = (size_t)(p[0] >> 1) + 1;
	spdy_open(spdy, &header, 1, NULL);
	for (size_t at = 1; at < n && rc == 0 && !freed; at += piece) {
		rc = spdy_feed(spdy, str_make(p + at, MIN(piece, n - at)), NULL);
	}
	if (!freed) {
		spdy_free(spdy);
	}
	return 0;
}
