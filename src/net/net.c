/* SPDX-License-Identifier: Apache-2.0 */
#include "net/net.h"

#include "base/alloc.h"
#include "net/listener.h"
#include "net/net_internal.h"
#include "net/stream.h"

static void handle_prepare(uv_prepare_t *prepare)
{
	net_run_dirty(prepare->data);
}

struct net *net_new(struct env *env, struct uv_loop_s *loop)
{
	struct net *net = NEW(struct net);

	net->env = env;
	net->loop = loop;
	list_init(&net->dirty);
	list_init(&net->streams);
	list_init(&net->listeners);
	net->raw = mem_resize(NULL, NET_READ_BYTES);
	net->plain = mem_resize(NULL, NET_RECORD_BYTES);
	net->record = mem_resize(NULL, NET_RECORD_BYTES);
	uv_prepare_init(loop, &net->prepare);
	net->prepare.data = net;
	uv_prepare_start(&net->prepare, handle_prepare);
	uv_unref((uv_handle_t *)&net->prepare);
	net->n_handles = 1;
	return net;
}

static void handle_prepare_closed(uv_handle_t *handle)
{
	struct net *net = handle->data;

	net->n_handles--;
}

void net_free(struct net *net)
{
	if (!net) {
		return;
	}
	ASSERT(list_is_empty(&net->listeners));
	net_abort_streams(net);
	uv_close((uv_handle_t *)&net->prepare, handle_prepare_closed);
	/* Closing callbacks come in the loop's next turns; nothing of ours waits for anything else. */
	while (net->n_handles) {
		uv_run(net->loop, UV_RUN_NOWAIT);
	}
	slice_pool_fini(&net->pool);
	buf_fini(&net->out);
	mem_free(net->raw);
	mem_free(net->plain);
	mem_free(net->record);
	mem_free(net);
}

struct env *net_env(struct net *net)
{
	return net->env;
}

struct uv_loop_s *net_loop(struct net *net)
{
	return net->loop;
}

struct slice_pool *net_slice_pool(struct net *net)
{
	return &net->pool;
}
