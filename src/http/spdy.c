/* SPDX-License-Identifier: Apache-2.0 */
#include "http/spdy.h"

#include "base/alloc.h"
#include "base/list.h"
#include "http/spdy_headers.h"

enum {
	FRAME_HEADER_BYTES = 8,
	CONTROL_MAX = 65536,  /* payload of a control frame */
	DATA_MAX = 32 * 1024, /* payload that we put into one data frame */
	STREAMS_MAX = 1000,
	VERSION = 3,
	FLAG_FIN = 1,
};

enum frame_type {
	SYN_STREAM = 1,
	SYN_REPLY = 2,
	RST_STREAM = 3,
	SETTINGS = 4,
	PING = 6,
	GOAWAY = 7,
	HEADERS = 8,
	WINDOW_UPDATE = 9,
};

struct spdy_stream {
	struct spdy *spdy;
	struct list link;
	uint32_t id;
	bool ours;
	bool in_fin;  /* the peer has finished */
	bool out_fin; /* we have */
	bool gone;    /* ended; freed when no callback is under way */
	void *ctx;
};

struct spdy {
	const struct spdy_ops *ops;
	void *ctx;
	bool is_server;
	struct spdy_headers codec;
	struct list streams;
	size_t n_streams;
	uint32_t next_id;      /* of ours */
	uint32_t last_peer_id; /* the highest that the peer has opened */
	uint32_t ping_id;
	struct buf frame;     /* control frame under way, header included */
	uint64_t data_left;   /* of a data frame under way */
	uint32_t data_stream; /* its stream */
	bool data_fin;
	struct buf scratch;
	unsigned running; /* callbacks under way */
	bool freed;
	bool said_goaway, got_goaway;
};

void *spdy_ctx(const struct spdy *spdy)
{
	return spdy->ctx;
}

struct spdy *spdy_stream_conn(const struct spdy_stream *stream)
{
	return stream->spdy;
}

uint32_t spdy_stream_id(const struct spdy_stream *stream)
{
	return stream->id;
}

void spdy_stream_set_ctx(struct spdy_stream *stream, void *ctx)
{
	stream->ctx = ctx;
}

void *spdy_stream_ctx(const struct spdy_stream *stream)
{
	return stream->ctx;
}

/* --- life --- */

struct spdy *spdy_new(bool is_server, const struct spdy_ops *ops, void *ctx)
{
	struct spdy *spdy = NEW(struct spdy);

	ASSERT(ops->write && ops->on_data && (!is_server || ops->on_open));
	spdy->ops = ops;
	spdy->ctx = ctx;
	spdy->is_server = is_server;
	spdy->next_id = is_server ? 2 : 1;
	spdy->ping_id = is_server ? 2 : 1;
	list_init(&spdy->streams);
	spdy_headers_init(&spdy->codec);
	return spdy;
}

static void stream_free(struct spdy_stream *s)
{
	list_remove(&s->link);
	s->spdy->n_streams--;
	mem_free(s);
}

static void enter(struct spdy *spdy)
{
	spdy->running++;
}

/* Behind a callback: frees what ended in it. */
static void leave(struct spdy *spdy)
{
	if (--spdy->running) {
		return;
	}
	LIST_FOR_EACH_SAFE(l, &spdy->streams)
	{
		struct spdy_stream *s = CONTAINER_OF(l, struct spdy_stream, link);

		if (s->gone) {
			stream_free(s);
		}
	}
}

static void spdy_destroy(struct spdy *spdy)
{
	struct spdy_stream *s;

	while ((s = LIST_FIRST(&spdy->streams, struct spdy_stream, link))) {
		stream_free(s);
	}
	spdy_headers_fini(&spdy->codec);
	buf_fini(&spdy->frame);
	buf_fini(&spdy->scratch);
	mem_free(spdy);
}

void spdy_free(struct spdy *spdy)
{
	if (!spdy) {
		return;
	}
	spdy->freed = true;
	if (!spdy->running) {
		spdy_destroy(spdy);
	}
}

static struct spdy_stream *stream_new(struct spdy *spdy, uint32_t id, bool ours)
{
	struct spdy_stream *s = NEW(struct spdy_stream);

	s->spdy = spdy;
	s->id = id;
	s->ours = ours;
	list_add_tail(&spdy->streams, &s->link);
	spdy->n_streams++;
	return s;
}

static struct spdy_stream *find_stream(struct spdy *spdy, uint32_t id)
{
	LIST_FOR_EACH(l, &spdy->streams)
	{
		struct spdy_stream *s = CONTAINER_OF(l, struct spdy_stream, link);

		if (s->id == id && !s->gone) {
			return s;
		}
	}
	return NULL;
}

/* Ends it with a word to the owner. */
static void stream_end(struct spdy_stream *s, enum spdy_status status)
{
	struct spdy *spdy = s->spdy;

	if (s->gone) {
		return;
	}
	s->gone = true;
	enter(spdy);
	if (spdy->ops->on_close && !spdy->freed) {
		spdy->ops->on_close(s, status);
	}
	leave(spdy);
}

/* --- writing --- */

static void add_u32(struct buf *out, uint32_t v)
{
	const unsigned char bytes[] = {(unsigned char)(v >> 24), (unsigned char)(v >> 16),
				       (unsigned char)(v >> 8), (unsigned char)v};

	buf_add(out, bytes, sizeof(bytes));
}

static void begin_control(struct spdy *spdy, enum frame_type type)
{
	buf_clear(&spdy->scratch);
	add_u32(&spdy->scratch, 0x80000000U | VERSION << 16 | type);
	add_u32(&spdy->scratch, 0);
}

static void put_frame(struct spdy *spdy, unsigned flags)
{
	size_t n = spdy->scratch.n - FRAME_HEADER_BYTES;
	unsigned char *p = (unsigned char *)spdy->scratch.p + 4;

	p[0] = (unsigned char)flags;
	p[1] = (unsigned char)(n >> 16);
	p[2] = (unsigned char)(n >> 8);
	p[3] = (unsigned char)n;
	if (!spdy->freed) {
		spdy->ops->write(spdy, buf_str(&spdy->scratch));
	}
}

static void put_two(struct spdy *spdy, enum frame_type type, uint32_t a, uint32_t b)
{
	begin_control(spdy, type);
	add_u32(&spdy->scratch, a);
	add_u32(&spdy->scratch, b);
	put_frame(spdy, 0);
}

struct spdy_stream *spdy_open(struct spdy *spdy, const struct http_header *headers, size_t n,
			      void *ctx)
{
	struct spdy_stream *s;

	if (spdy->got_goaway || spdy->said_goaway || spdy->n_streams >= STREAMS_MAX ||
	    spdy->next_id > INT32_MAX - 2) {
		return NULL;
	}
	s = stream_new(spdy, spdy->next_id, true);
	s->ctx = ctx;
	spdy->next_id += 2;
	begin_control(spdy, SYN_STREAM);
	add_u32(&spdy->scratch, s->id);
	add_u32(&spdy->scratch, 0);
	buf_add(&spdy->scratch, "\0",
		2); /* priority and slot: the literal's own NUL is the second */
	spdy_headers_write(&spdy->codec, headers, n, &spdy->scratch);
	put_frame(spdy, 0);
	return s;
}

void spdy_reply(struct spdy_stream *s, const struct http_header *headers, size_t n)
{
	struct spdy *spdy = s->spdy;

	begin_control(spdy, SYN_REPLY);
	add_u32(&spdy->scratch, s->id);
	spdy_headers_write(&spdy->codec, headers, n, &spdy->scratch);
	put_frame(spdy, 0);
}

static void put_data(struct spdy_stream *s, struct str data, unsigned flags)
{
	struct spdy *spdy = s->spdy;

	buf_clear(&spdy->scratch);
	add_u32(&spdy->scratch, s->id);
	add_u32(&spdy->scratch, 0);
	buf_add_str(&spdy->scratch, data);
	put_frame(spdy, flags);
}

void spdy_send(struct spdy_stream *s, struct str data)
{
	while (data.n && !s->out_fin && !s->gone) {
		struct str part = str_sub(data, 0, DATA_MAX);

		put_data(s, part, 0);
		data = str_from(data, part.n);
	}
}

void spdy_fin(struct spdy_stream *s)
{
	if (s->out_fin || s->gone) {
		return;
	}
	s->out_fin = true;
	put_data(s, STR(""), FLAG_FIN);
	if (s->in_fin) {
		stream_end(s, SPDY_OK);
	}
}

void spdy_reset(struct spdy_stream *s, enum spdy_status status)
{
	struct spdy *spdy = s->spdy;

	if (s->gone) {
		return;
	}
	put_two(spdy, RST_STREAM, s->id, status);
	s->gone = true;
	enter(spdy);
	leave(spdy);
}

void spdy_ping(struct spdy *spdy)
{
	begin_control(spdy, PING);
	add_u32(&spdy->scratch, spdy->ping_id);
	spdy->ping_id += 2;
	put_frame(spdy, 0);
}

static void put_goaway(struct spdy *spdy, uint32_t status)
{
	if (!spdy->said_goaway) {
		spdy->said_goaway = true;
		put_two(spdy, GOAWAY, spdy->last_peer_id, status);
	}
}

void spdy_goaway(struct spdy *spdy)
{
	put_goaway(spdy, 0);
}

/* --- reading --- */

static uint32_t u32_at(struct str s, size_t at)
{
	const unsigned char *p = (const unsigned char *)s.p + at;

	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void peer_finished(struct spdy_stream *s)
{
	struct spdy *spdy = s->spdy;

	if (s->in_fin || s->gone) {
		return;
	}
	s->in_fin = true;
	enter(spdy);
	if (spdy->ops->on_fin && !spdy->freed) {
		spdy->ops->on_fin(s);
	}
	if (s->out_fin) {
		stream_end(s, SPDY_OK);
	}
	leave(spdy);
}

static int take_syn_stream(struct spdy *spdy, struct str payload, unsigned flags)
{
	struct arena a CLEANUP_ARENA = {0};
	struct http_header *headers;
	struct spdy_stream *s;
	uint32_t id;
	size_t n;
	int rc;

	if (payload.n < 10) {
		return ERR_PROTOCOL;
	}
	id = u32_at(payload, 0) & INT32_MAX;
	rc = spdy_headers_read(&spdy->codec, str_from(payload, 10), &a, &headers, &n);
	if (rc < 0) {
		return rc;
	}
	/* Ids of the peer have its parity and only grow. */
	if (id == 0 || (id & 1) != (spdy->is_server ? 1U : 0U) || id <= spdy->last_peer_id) {
		return ERR_PROTOCOL;
	}
	spdy->last_peer_id = id;
	if (!spdy->ops->on_open || spdy->said_goaway || spdy->n_streams >= STREAMS_MAX) {
		put_two(spdy, RST_STREAM, id, SPDY_REFUSED_STREAM);
		return 0;
	}
	s = stream_new(spdy, id, false);
	enter(spdy);
	spdy->ops->on_open(spdy, s, headers, n);
	if (!s->gone && (flags & FLAG_FIN)) {
		peer_finished(s);
	}
	leave(spdy);
	return 0;
}

static int take_headers(struct spdy *spdy, enum frame_type type, struct str payload, unsigned flags)
{
	struct arena a CLEANUP_ARENA = {0};
	struct http_header *headers;
	struct spdy_stream *s;
	size_t n;
	int rc;

	if (payload.n < 4) {
		return ERR_PROTOCOL;
	}
	rc = spdy_headers_read(&spdy->codec, str_from(payload, 4), &a, &headers, &n);
	s = find_stream(spdy, u32_at(payload, 0) & INT32_MAX);
	if (rc < 0 || !s) {
		return rc; /* of a stream that we have reset */
	}
	enter(spdy);
	if (type == SYN_REPLY && s->ours && spdy->ops->on_reply) {
		spdy->ops->on_reply(s, headers, n);
	}
	if (!s->gone && (flags & FLAG_FIN)) {
		peer_finished(s);
	}
	leave(spdy);
	return 0;
}

static int take_reset(struct spdy *spdy, struct str payload)
{
	struct spdy_stream *s;

	if (payload.n != 8) {
		return ERR_PROTOCOL;
	}
	s = find_stream(spdy, u32_at(payload, 0) & INT32_MAX);
	if (s) {
		uint32_t status = u32_at(payload, 4);

		stream_end(s, status && status <= SPDY_INTERNAL_ERROR ? (enum spdy_status)status
								      : SPDY_PROTOCOL_ERROR);
	}
	return 0;
}

static int take_ping(struct spdy *spdy, struct str payload)
{
	if (payload.n != 4) {
		return ERR_PROTOCOL;
	}
	if ((u32_at(payload, 0) & 1) == (spdy->is_server ? 1U : 0U)) {
		begin_control(spdy, PING);
		add_u32(&spdy->scratch, u32_at(payload, 0));
		put_frame(spdy, 0);
	}
	return 0;
}

static int take_goaway(struct spdy *spdy)
{
	spdy->got_goaway = true;
	enter(spdy);
	if (spdy->ops->on_goaway) {
		spdy->ops->on_goaway(spdy);
	}
	leave(spdy);
	return 0;
}

static int take_control(struct spdy *spdy, struct str frame)
{
	struct str payload = str_from(frame, FRAME_HEADER_BYTES);
	unsigned flags = (unsigned char)frame.p[4];
	enum frame_type type = u32_at(frame, 0) & 0xffff;

	switch (type) {
	case SYN_STREAM:
		return take_syn_stream(spdy, payload, flags);
	case SYN_REPLY:
	case HEADERS:
		return take_headers(spdy, type, payload, flags);
	case RST_STREAM:
		return take_reset(spdy, payload);
	case PING:
		return take_ping(spdy, payload);
	case GOAWAY:
		return take_goaway(spdy);
	case SETTINGS:
	case WINDOW_UPDATE:
	default:
		return 0; /* unknown ones are ignored: draft §2.2.1 */
	}
}

/* A piece of a data frame's payload; n may be 0 at its end. */
static void take_data(struct spdy *spdy, struct str piece)
{
	struct spdy_stream *s = find_stream(spdy, spdy->data_stream);

	spdy->data_left -= piece.n;
	if (piece.n && s && !s->in_fin) {
		enter(spdy);
		spdy->ops->on_data(s, piece);
		if (!spdy->freed) {
			put_two(spdy, WINDOW_UPDATE, spdy->data_stream, (uint32_t)piece.n);
		}
		leave(spdy);
	}
	if (piece.n && !spdy->freed) {
		put_two(spdy, WINDOW_UPDATE, 0, (uint32_t)piece.n);
	}
	if (spdy->data_left == 0 && spdy->data_fin && !spdy->freed) {
		spdy->data_fin = false;
		s = find_stream(spdy, spdy->data_stream);
		if (s) {
			peer_finished(s);
		}
	}
}

static int begin_frame(struct spdy *spdy, struct str header)
{
	uint32_t word = u32_at(header, 0);
	uint32_t n = u32_at(header, 4) & 0xffffff;

	if (word & 0x80000000U) {
		return (word >> 16 & 0x7fff) != VERSION ? ERR_PROTOCOL
		       : n > CONTROL_MAX		? ERR_LIMIT
							: 0;
	}
	spdy->data_stream = word;
	spdy->data_left = n;
	spdy->data_fin = ((unsigned char)header.p[4] & FLAG_FIN) != 0;
	buf_clear(&spdy->frame);
	if (n == 0) {
		take_data(spdy, STR_NULL);
	}
	return 0;
}

/* Moves up to `want` bytes in total into the frame buffer; true when they are there. */
static bool collect(struct spdy *spdy, struct str *in, size_t want)
{
	struct str part = str_sub(*in, 0, want - spdy->frame.n);

	buf_add_str(&spdy->frame, part);
	*in = str_from(*in, part.n);
	return spdy->frame.n == want;
}

static int step(struct spdy *spdy, struct str *in)
{
	size_t n;
	int rc;

	if (spdy->data_left) {
		struct str piece = str_sub(*in, 0, spdy->data_left);

		*in = str_from(*in, piece.n);
		take_data(spdy, piece);
		return 0;
	}
	if (spdy->frame.n < FRAME_HEADER_BYTES) {
		return collect(spdy, in, FRAME_HEADER_BYTES)
			       ? begin_frame(spdy, buf_str(&spdy->frame))
			       : 0;
	}
	n = u32_at(buf_str(&spdy->frame), 4) & 0xffffff;
	if (!collect(spdy, in, FRAME_HEADER_BYTES + n)) {
		return 0;
	}
	rc = take_control(spdy, buf_str(&spdy->frame));
	buf_clear(&spdy->frame);
	return rc;
}

/* True if a whole control frame without payload waits: it needs no more input. */
static bool has_whole_frame(const struct spdy *spdy)
{
	return spdy->frame.n == FRAME_HEADER_BYTES &&
	       (u32_at(buf_str(&spdy->frame), 4) & 0xffffff) == 0;
}

int spdy_feed(struct spdy *spdy, struct str bytes, struct err *err)
{
	int rc = 0;

	enter(spdy);
	while (rc == 0 && !spdy->freed && (bytes.n || has_whole_frame(spdy))) {
		rc = step(spdy, &bytes);
	}
	if (rc < 0 && !spdy->freed) {
		put_goaway(spdy, 1);
		err_set(err, rc,
			rc == ERR_LIMIT ? "a SPDY frame is larger than allowed"
					: "malformed SPDY frame");
	}
	leave(spdy);
	if (spdy->freed) {
		spdy_destroy(spdy);
		return 0;
	}
	return rc;
}
