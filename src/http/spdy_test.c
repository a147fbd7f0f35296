/* SPDX-License-Identifier: Apache-2.0 */
#include "http/spdy.h"

#include "base/alloc.h"
#include "base/test.h"
#include "http/spdy_headers.h"

struct side {
	struct spdy *spdy;
	struct side *peer;
	struct buf out; /* written, not yet fed to the peer */
	struct buf log;
	struct spdy_stream *last;
	bool free_on_data;
};

static void on_write(struct spdy *spdy, struct str bytes)
{
	struct side *side = spdy_ctx(spdy);

	buf_add_str(&side->out, bytes);
}

static void on_open(struct spdy *spdy, struct spdy_stream *s, const struct http_header *headers,
		    size_t n)
{
	struct side *side = spdy_ctx(spdy);

	side->last = s;
	buf_printf(&side->log, "open%u:%.*s ", spdy_stream_id(s),
		   STR_ARG(http_header_find(headers, n, STR("streamType"))));
	if (str_is(http_header_find(headers, n, STR("streamtype")), "refuse")) {
		spdy_reset(s, SPDY_REFUSED_STREAM);
	} else {
		spdy_reply(s, NULL, 0);
	}
}

static void on_reply(struct spdy_stream *s, const struct http_header *headers UNUSED, size_t n)
{
	struct side *side = spdy_ctx(spdy_stream_conn(s));

	buf_printf(&side->log, "reply%u:%zu ", spdy_stream_id(s), n);
}

static void on_data(struct spdy_stream *s, struct str data)
{
	struct side *side = spdy_ctx(spdy_stream_conn(s));

	if (data.n > 100) {
		buf_printf(&side->log, "data%u:%zu ", spdy_stream_id(s), data.n);
	} else {
		buf_printf(&side->log, "data%u:%.*s ", spdy_stream_id(s), STR_ARG(data));
	}
	if (side->free_on_data) {
		spdy_free(side->spdy);
		side->spdy = NULL;
	}
}

static void on_fin(struct spdy_stream *s)
{
	struct side *side = spdy_ctx(spdy_stream_conn(s));

	buf_printf(&side->log, "fin%u ", spdy_stream_id(s));
}

static void on_close(struct spdy_stream *s, enum spdy_status status)
{
	struct side *side = spdy_ctx(spdy_stream_conn(s));

	buf_printf(&side->log, "close%u:%d ", spdy_stream_id(s), (int)status);
}

static void on_goaway(struct spdy *spdy)
{
	struct side *side = spdy_ctx(spdy);

	buf_puts(&side->log, "goaway ");
}

static const struct spdy_ops ops = {.write = on_write,
				    .on_open = on_open,
				    .on_reply = on_reply,
				    .on_data = on_data,
				    .on_fin = on_fin,
				    .on_close = on_close,
				    .on_goaway = on_goaway};

static void begin(struct side *client, struct side *server)
{
	*client = (struct side){.peer = server};
	*server = (struct side){.peer = client};
	client->spdy = spdy_new(false, &ops, client);
	server->spdy = spdy_new(true, &ops, server);
}

static int feed(struct side *to, size_t piece)
{
	struct buf bytes = to->peer->out;
	int rc = 0;

	to->peer->out = (struct buf){0};
	for (size_t i = 0; i < bytes.n && rc == 0 && to->spdy; i += piece) {
		rc = spdy_feed(to->spdy, str_sub(buf_str(&bytes), i, piece), NULL);
	}
	buf_fini(&bytes);
	return rc;
}

static void exchange(struct side *a, struct side *b, size_t piece)
{
	while (a->out.n || b->out.n) {
		assert_int_equal(feed(b, piece), 0);
		assert_int_equal(feed(a, piece), 0);
	}
}

static void end(struct side *side)
{
	spdy_free(side->spdy);
	buf_fini(&side->out);
	buf_fini(&side->log);
}

TEST(the_dictionary_is_the_one_of_the_draft)
{
	struct buf d CLEANUP_BUF = {0};

	spdy_dictionary(&d);
	assert_int_equal(d.n, 1423);
	/* zlib's dictionary id in the header of every SPDY connection */
	assert_int_equal(adler32(adler32(0, NULL, 0), (const Bytef *)d.p, (uInt)d.n), 0xe3c6a7c2);
}

TEST(streams_carry_data_both_ways_in_pieces_of_any_size)
{
	static const size_t pieces[] = {1, 7, 100000};

	for (size_t i = 0; i < ARRAY_LEN(pieces); i++) {
		struct side client, server;
		const struct http_header header = HTTP_HEADER("streamType", STR("stdin"));
		struct spdy_stream *s;

		begin(&client, &server);
		s = spdy_open(client.spdy, &header, 1, NULL);
		spdy_send(s, STR("hello"));
		exchange(&client, &server, pieces[i]);
		spdy_send(server.last, STR("world"));
		spdy_fin(server.last);
		exchange(&client, &server, pieces[i]);
		spdy_send(s, STR("more"));
		spdy_fin(s);
		exchange(&client, &server, pieces[i]);
		if (pieces[i] > 10) {
			EXPECT_STR(buf_str(&server.log),
				   "open1:stdin data1:hello data1:more fin1 close1:0 ");
			EXPECT_STR(buf_str(&client.log), "reply1:0 data1:world fin1 close1:0 ");
		}
		assert_true(str_has_suffix(buf_str(&server.log), STR("close1:0 ")));
		end(&client);
		end(&server);
	}
}

TEST(many_streams_share_the_compression_state)
{
	struct side client, server;

	begin(&client, &server);
	for (int i = 0; i < 50; i++) {
		char text[16];
		struct http_header headers[] = {HTTP_HEADER("streamtype", STR("data")),
						HTTP_HEADER("requestID", str_of(text))};

		snprintf(text, sizeof(text), "%d", i);
		assert_non_null(spdy_open(client.spdy, headers, 2, NULL));
		exchange(&client, &server, 1000);
	}
	assert_true(str_contains(buf_str(&server.log), STR("open99:data ")));
	end(&client);
	end(&server);
}

TEST(refusal_resets_and_goaway_are_told)
{
	struct side client, server;
	const struct http_header header = HTTP_HEADER("streamType", STR("refuse"));

	begin(&client, &server);
	spdy_open(client.spdy, &header, 1, NULL);
	exchange(&client, &server, 1000);
	EXPECT_STR(buf_str(&client.log), "close1:3 ");
	spdy_ping(client.spdy);
	spdy_goaway(server.spdy);
	exchange(&client, &server, 1000);
	EXPECT_STR(buf_str(&client.log), "close1:3 goaway ");
	assert_null(spdy_open(client.spdy, &header, 1, NULL));
	end(&client);
	end(&server);
}

TEST(freeing_inside_a_callback_is_fine)
{
	struct side client, server;
	const struct http_header header = HTTP_HEADER("streamType", STR("x"));
	struct spdy_stream *s;

	begin(&client, &server);
	server.free_on_data = true;
	s = spdy_open(client.spdy, &header, 1, NULL);
	spdy_send(s, STR("a"));
	spdy_send(s, STR("b"));
	assert_int_equal(feed(&server, 100000), 0);
	EXPECT_STR(buf_str(&server.log), "open1:x data1:a ");
	end(&client);
	end(&server);
}

struct bad_case {
	const char *bytes;
	size_t n;
	int code;
};

#define BAD(lit, code)                                                                             \
	{                                                                                          \
		lit, sizeof(lit) - 1, code                                                         \
	}

static const struct bad_case bad_cases[] = {
	BAD("\x80\x02\x00\x01\x00\x00\x00\x00", ERR_PROTOCOL), /* version 2 */
	BAD("\x80\x03\x00\x01\x00\xff\xff\xff", ERR_LIMIT),    /* 16 MB of control */
	BAD("\x80\x03\x00\x01\x00\x00\x00\x04\x00\x00\x00\x01",
	    ERR_PROTOCOL), /* short SYN_STREAM */
	BAD("\x80\x03\x00\x03\x00\x00\x00\x04\x00\x00\x00\x01",
	    ERR_PROTOCOL),				       /* short RST_STREAM */
	BAD("\x80\x03\x00\x06\x00\x00\x00\x00", ERR_PROTOCOL), /* short PING */
	BAD("\x80\x03\x00\x01\x00\x00\x00\x0e\x00\x00\x00\x01\0\0\0\0\0\0zlib",
	    ERR_PROTOCOL), /* no zlib */
	BAD("\x80\x03\x00\x63\x00\x00\x00\x02"
	    "ab",
	    0), /* unknown type */
	BAD("\x00\x00\x00\x63\x00\x00\x00\x02"
	    "ab",
	    0),					    /* data of an unknown stream */
	BAD("\x80\x03\x00\x07\x00\x00\x00\x00", 0), /* short GOAWAY */
};

TEST(malformed_frames_end_the_connection)
{
	for (size_t i = 0; i < ARRAY_LEN(bad_cases); i++) {
		struct side client, server;

		begin(&client, &server);
		buf_add(&client.out, bad_cases[i].bytes, bad_cases[i].n);
		assert_int_equal(feed(&server, 3), bad_cases[i].code);
		assert_int_equal(str_has_prefix(buf_str(&server.out), STR("\x80\x03\x00\x07")),
				 bad_cases[i].code != 0);
		end(&client);
		end(&server);
	}
}

TEST(a_header_bomb_is_refused)
{
	struct side client, server;
	struct http_header header = HTTP_HEADER("x", STR_NULL);
	char *zeros = mem_new(200000);

	begin(&client, &server);
	header.value = str_make(zeros, 200000);
	assert_non_null(spdy_open(client.spdy, &header, 1, NULL));
	assert_true(client.out.n < 1000);
	assert_int_equal(feed(&server, 100000), ERR_LIMIT);
	end(&client);
	end(&server);
	mem_free(zeros);
}

TEST(stream_ids_only_grow)
{
	struct side client, server;
	const struct http_header header = HTTP_HEADER("streamType", STR("x"));

	begin(&client, &server);
	spdy_open(client.spdy, &header, 1, NULL);
	client.out.p[11] = 5; /* the first SYN_STREAM's id */
	spdy_open(client.spdy, &header, 1, NULL);
	assert_int_equal(feed(&server, 100000), ERR_PROTOCOL);
	EXPECT_STR(buf_str(&server.log), "open5:x ");
	end(&client);
	end(&server);
}

TEST_MAIN(stream_ids_only_grow, the_dictionary_is_the_one_of_the_draft,
	  streams_carry_data_both_ways_in_pieces_of_any_size,
	  many_streams_share_the_compression_state, refusal_resets_and_goaway_are_told,
	  freeing_inside_a_callback_is_fine, malformed_frames_end_the_connection,
	  a_header_bomb_is_refused)
