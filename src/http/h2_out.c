/* SPDX-License-Identifier: Apache-2.0 */
#include "http/h2_out.h"

enum {
	FRAME_HEADER_BYTES = 9,
	/* A frame and its header fill one TLS record. */
	PAYLOAD_MAX = NET_RECORD_BYTES - FRAME_HEADER_BYTES,
	WORTHWHILE = 1024, /* payload for the rest of a record; below it the next record is begun */
};

void h2_out_init(struct h2_out *out)
{
	*out = (struct h2_out){0};
	list_init(&out->drained);
}

static ssize_t send_bytes(nghttp2_session *session UNUSED, const uint8_t *p, size_t n,
			  int flags UNUSED, void *user)
{
	struct h2_out *out = ((struct h2_session_user *)user)->out;
	size_t part = MIN(n, out->cap - out->used);

	if (part == 0) {
		return NGHTTP2_ERR_WOULDBLOCK;
	}
	memcpy(out->room + out->used, p, part);
	out->used += part;
	return (ssize_t)part;
}

/* Says how much there is; send_payload moves it. */
static ssize_t read_length(nghttp2_session *session UNUSED, int32_t stream_id UNUSED,
			   uint8_t *p UNUSED, size_t length, uint32_t *flags,
			   nghttp2_data_source *source, void *user UNUSED)
{
	struct h2_body *body = source->ptr;
	size_t left = body->out->cap - body->out->used;
	size_t max = MIN(length, (size_t)PAYLOAD_MAX);
	size_t n = MIN(body->queue.bytes, max);

	if (body->queue.bytes == 0 && !body->eof) {
		body->deferred = true;
		return NGHTTP2_ERR_DEFERRED;
	}
	if (left >= WORTHWHILE + FRAME_HEADER_BYTES) {
		n = MIN(n, left - FRAME_HEADER_BYTES);
	}
	*flags |= NGHTTP2_DATA_FLAG_NO_COPY;
	if (n == body->queue.bytes && body->eof) {
		*flags |= NGHTTP2_DATA_FLAG_EOF;
	}
	return (ssize_t)n;
}

static int send_payload(nghttp2_session *session UNUSED, nghttp2_frame *frame UNUSED,
			const uint8_t *header, size_t length, nghttp2_data_source *source,
			void *user UNUSED)
{
	struct h2_body *body = source->ptr;
	struct h2_out *out = body->out;

	if (out->cap - out->used < FRAME_HEADER_BYTES + length) {
		return NGHTTP2_ERR_WOULDBLOCK;
	}
	memcpy(out->room + out->used, header, FRAME_HEADER_BYTES);
	out->used += FRAME_HEADER_BYTES;
	out->used += slice_queue_take(&body->queue, out->room + out->used, length);
	if (body->queue.bytes == 0 && !list_is_linked(&body->link)) {
		list_add_tail(&out->drained, &body->link);
	}
	return 0;
}

void h2_out_set_callbacks(nghttp2_session_callbacks *callbacks)
{
	nghttp2_session_callbacks_set_send_callback(callbacks, send_bytes);
	nghttp2_session_callbacks_set_send_data_callback(callbacks, send_payload);
}

void h2_body_init(struct h2_body *body, struct h2_out *out, struct slice_pool *pool)
{
	*body = (struct h2_body){.out = out};
	slice_queue_init(&body->queue, pool);
}

void h2_body_fini(struct h2_body *body)
{
	list_remove(&body->link);
	if (body->out) {
		slice_queue_clear(&body->queue);
	}
	body->out = NULL;
}

nghttp2_data_provider h2_body_provider(struct h2_body *body)
{
	return (nghttp2_data_provider){.source.ptr = body, .read_callback = read_length};
}

size_t h2_out_fill(struct h2_out *out, nghttp2_session *session, char *room, size_t cap, int *code)
{
	out->room = room;
	out->cap = cap;
	out->used = 0;
	*code = nghttp2_session_send(session);
	out->room = NULL;
	out->cap = 0;
	return out->used;
}

void h2_body_wake(struct h2_body *body, nghttp2_session *session, int32_t stream_id)
{
	if (body->deferred) {
		body->deferred = false;
		/* Fails only for a stream that has ended meanwhile. */
		(void)nghttp2_session_resume_data(session, stream_id);
	}
}
