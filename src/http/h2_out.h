/* SPDX-License-Identifier: Apache-2.0 */
/* http/h2_out.h: the sending half of an nghttp2 session, for server and client: frames go straight into the record that the stream offers,
 * payload from slices without a copy between. */
#pragma once
#include <nghttp2/nghttp2.h>

#include "base/list.h"
#include "net/slice.h"
#include "net/stream.h"

struct h2_out {
	char *room; /* valid during h2_out_fill */
	size_t cap, used;
	struct list drained; /* bodies whose queue ran empty in this fill */
};

/* What one stream has to send. */
struct h2_body {
	struct slice_queue queue;
	struct h2_out *out;
	struct list link; /* out->drained */
	bool eof;	  /* nothing will be added */
	bool deferred;	  /* nghttp2 waits for nghttp2_session_resume_data */
};

void h2_out_init(struct h2_out *out);
/* What a session's user_data points to. */
struct h2_session_user {
	struct h2_out *out;
};

/* Sets the callbacks that this file implements. */
void h2_out_set_callbacks(nghttp2_session_callbacks *callbacks);

void h2_body_init(struct h2_body *body, struct h2_out *out, struct slice_pool *pool);
void h2_body_fini(struct h2_body *body);
nghttp2_data_provider h2_body_provider(struct h2_body *body);
/* Fills room with frames; 0: nothing to send now. `code` gets nghttp2's error, 0 if none. */
size_t h2_out_fill(struct h2_out *out, nghttp2_session *session, char *room, size_t cap, int *code);
/* A body that was added to since nghttp2 last asked. */
void h2_body_wake(struct h2_body *body, nghttp2_session *session, int32_t stream_id);
