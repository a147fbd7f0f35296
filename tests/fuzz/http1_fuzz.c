/* SPDX-License-Identifier: Apache-2.0 */
/* The byte stream of an HTTP/1 client against the server. */
#include "http_handler.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static struct rig rig;
	int fds[2];

	if (!rig.loop) {
		rig_init(&rig, on_request);
	}
	if (n < 2 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) < 0) {
		return 0;
	}
	http_server_adopt(rig.srv, fds[0]);
	rig_feed(&rig, fds[1], p + 1, n - 1, rig_piece(p[0]));
	rig_settle(&rig, fds[1]);
	return 0;
}
