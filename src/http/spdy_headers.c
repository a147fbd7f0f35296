/* SPDX-License-Identifier: Apache-2.0 */
#include "http/spdy_headers.h"

#include "base/alloc.h"
#include "base/err.h"

enum {
	/* The dictionary is shorter than 2 KB: a small window keeps a connection small. */
	OUT_WINDOW_BITS = 11,
	OUT_MEM_LEVEL = 4,
	IN_WINDOW_BITS = 15, /* the peer's choice, at most this */
};

/* The dictionary is these words, each behind its length in four bytes, and the text below them. */
static const char *const words[] = {
	"options",
	"head",
	"post",
	"put",
	"delete",
	"trace",
	"accept",
	"accept-charset",
	"accept-encoding",
	"accept-language",
	"accept-ranges",
	"age",
	"allow",
	"authorization",
	"cache-control",
	"connection",
	"content-base",
	"content-encoding",
	"content-language",
	"content-length",
	"content-location",
	"content-md5",
	"content-range",
	"content-type",
	"date",
	"etag",
	"expect",
	"expires",
	"from",
	"host",
	"if-match",
	"if-modified-since",
	"if-none-match",
	"if-range",
	"if-unmodified-since",
	"last-modified",
	"location",
	"max-forwards",
	"pragma",
	"proxy-authenticate",
	"proxy-authorization",
	"range",
	"referer",
	"retry-after",
	"server",
	"te",
	"trailer",
	"transfer-encoding",
	"upgrade",
	"user-agent",
	"vary",
	"via",
	"warning",
	"www-authenticate",
	"method",
	"get",
	"status",
	"200 OK",
	"version",
	"HTTP/1.1",
	"url",
	"public",
	"set-cookie",
	"keep-alive",
	"origin",
};

static const char text[] =
	"100101201202205206300302303304305306307402405406407408409410411412413414415416417502504505"
	"203 Non-Authoritative Information204 No Content301 Moved Permanently400 Bad Request401 "
	"Unauthorized403 Forbidden"
	"404 Not Found500 Internal Server Error501 Not Implemented503 Service Unavailable"
	"Jan Feb Mar Apr May Jun Jul Aug Sept Oct Nov Dec 00:00:00 Mon, Tue, Wed, Thu, Fri, Sat, "
	"Sun, GMT"
	"chunked,text/html,image/png,image/jpg,image/gif,application/xml,application/"
	"xhtml+xml,text/plain,text/javascript,"
	"publicprivatemax-age=gzip,deflate,sdchcharset=utf-8charset=iso-8859-1,utf-,*,enq=0.";

static void add_u32(struct buf *out, uint32_t v)
{
	const unsigned char bytes[] = {(unsigned char)(v >> 24), (unsigned char)(v >> 16),
				       (unsigned char)(v >> 8), (unsigned char)v};

	buf_add(out, bytes, sizeof(bytes));
}

static void add_text(struct buf *out, struct str s)
{
	add_u32(out, (uint32_t)s.n);
	buf_add_str(out, s);
}

void spdy_dictionary(struct buf *out)
{
	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		add_text(out, str_of(words[i]));
	}
	buf_add(out, text, sizeof(text) - 1);
}

void spdy_headers_init(struct spdy_headers *h)
{
	*h = (struct spdy_headers){0};
}

void spdy_headers_fini(struct spdy_headers *h)
{
	if (h->in_ready) {
		inflateEnd(&h->in);
	}
	if (h->out_ready) {
		deflateEnd(&h->out);
	}
	*h = (struct spdy_headers){0};
}

static void prepare_out(struct spdy_headers *h)
{
	struct buf dictionary CLEANUP_BUF = {0};

	if (h->out_ready) {
		return;
	}
	spdy_dictionary(&dictionary);
	ASSERT(deflateInit2(&h->out, Z_DEFAULT_COMPRESSION, Z_DEFLATED, OUT_WINDOW_BITS,
			    OUT_MEM_LEVEL, Z_DEFAULT_STRATEGY) == Z_OK);
	ASSERT(deflateSetDictionary(&h->out, (const Bytef *)dictionary.p, (uInt)dictionary.n) ==
	       Z_OK);
	h->out_ready = true;
}

static void deflate_block(struct spdy_headers *h, struct buf *plain, struct buf *out)
{
	h->out.next_in = (Bytef *)plain->p;
	h->out.avail_in = (uInt)plain->n;
	do {
		char *room = buf_reserve(out, 1024);

		h->out.next_out = (Bytef *)room;
		h->out.avail_out = 1024;
		ASSERT(deflate(&h->out, Z_SYNC_FLUSH) != Z_STREAM_ERROR);
		out->n += 1024 - h->out.avail_out;
	} while (h->out.avail_out == 0);
}

void spdy_headers_write(struct spdy_headers *h, const struct http_header *headers, size_t n,
			struct buf *out)
{
	struct buf plain CLEANUP_BUF = {0};

	prepare_out(h);
	add_u32(&plain, (uint32_t)n);
	for (size_t i = 0; i < n; i++) {
		size_t at = plain.n + 4;

		add_text(&plain, headers[i].name);
		for (; at < plain.n; at++) {
			char c = plain.p[at];

			plain.p[at] = (char)(c >= 'A' && c <= 'Z' ? c + 32 : c);
		}
		add_text(&plain, headers[i].value);
	}
	deflate_block(h, &plain, out);
}

static int prime_in(struct spdy_headers *h)
{
	struct buf dictionary CLEANUP_BUF = {0};

	spdy_dictionary(&dictionary);
	return inflateSetDictionary(&h->in, (const Bytef *)dictionary.p, (uInt)dictionary.n) == Z_OK
		       ? Z_OK
		       : Z_DATA_ERROR;
}

static int inflate_block(struct spdy_headers *h, struct str block, struct buf *plain)
{
	if (!h->in_ready) {
		ASSERT(inflateInit2(&h->in, IN_WINDOW_BITS) == Z_OK);
		h->in_ready = true;
	}
	h->in.next_in = (Bytef *)(uintptr_t)block.p;
	h->in.avail_in = (uInt)block.n;
	for (;;) {
		char *room = buf_reserve(plain, 4096);
		int rc;

		h->in.next_out = (Bytef *)room;
		h->in.avail_out = 4096;
		rc = inflate(&h->in, Z_SYNC_FLUSH);
		if (rc == Z_NEED_DICT) {
			rc = prime_in(h);
		}
		plain->n += 4096 - h->in.avail_out;
		if (plain->n > SPDY_HEADER_BYTES_MAX) {
			return ERR_LIMIT;
		}
		if (rc == Z_BUF_ERROR ||
		    (rc == Z_OK && h->in.avail_in == 0 && h->in.avail_out > 0)) {
			return 0;
		}
		if (rc != Z_OK) {
			return ERR_PROTOCOL; /* an end of the zlib stream, too: the connection's never ends */
		}
	}
}

static bool take_u32(struct str *in, uint32_t *ret)
{
	const unsigned char *p = (const unsigned char *)in->p;

	if (in->n < 4) {
		return false;
	}
	*ret = (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
	*in = str_from(*in, 4);
	return true;
}

static bool take_text(struct str *in, struct arena *a, struct str *ret)
{
	uint32_t n;

	if (!take_u32(in, &n) || n > in->n) {
		return false;
	}
	*ret = arena_str(a, str_make(in->p, n));
	*in = str_from(*in, n);
	return true;
}

int spdy_headers_read(struct spdy_headers *h, struct str block, struct arena *a,
		      struct http_header **ret, size_t *ret_n)
{
	struct buf plain CLEANUP_BUF = {0};
	struct http_header *headers;
	struct str in;
	uint32_t n;
	int rc = inflate_block(h, block, &plain);

	if (rc < 0) {
		return rc;
	}
	in = buf_str(&plain);
	if (!take_u32(&in, &n)) {
		return ERR_PROTOCOL;
	}
	if (n > SPDY_HEADERS_MAX) {
		return ERR_LIMIT;
	}
	headers = ARENA_ARRAY(a, n, struct http_header);
	for (uint32_t i = 0; i < n; i++) {
		if (!take_text(&in, a, &headers[i].name) || !take_text(&in, a, &headers[i].value) ||
		    headers[i].name.n == 0) {
			return ERR_PROTOCOL;
		}
	}
	if (in.n) {
		return ERR_PROTOCOL;
	}
	*ret = headers;
	*ret_n = n;
	return 0;
}
