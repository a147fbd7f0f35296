/* SPDX-License-Identifier: Apache-2.0 */
/* ingress/render.h: model -> text of nginx.conf. Pure and deterministic: the same model gives the same bytes, and equal bytes are not
 * reloaded. Endpoints and certificates do not stand in it. */
#pragma once
#include "base/buf.h"
#include "ingress/model.h"

#define RENDER_GENERATION_LEN 16

struct render_opts {
	const char *runtime_dir;     /* absolute, without quotes, blanks or control characters */
	struct str script_name;	     /* Lua module: file name in runtime_dir without .lua */
	struct str_list http, https; /* listen addresses: "0.0.0.0:80", "[::]:443" */
	int public_http_port; /* what clients connect to, for X-Forwarded-Port and redirects */
	int public_https_port;
	unsigned workers;
	unsigned connections; /* per worker */
	unsigned files_max;   /* RLIMIT_NOFILE of a worker */
	bool access_log;
};

/* Appends the whole file to `out`. ret_generation is its fingerprint, which the running nginx answers with: RENDER_GENERATION_LEN hex
 * digits and NUL. */
void render(const struct model *model, const struct render_opts *opts, struct buf *out,
	    char *ret_generation);

/* Who wrote line `line` (from 1) of a rendered text: sets namespace and name, borrowed from text. False: nobody, it is constant. */
bool render_find_owner(struct str text, int64_t line, struct str *ret_ns, struct str *ret_name);
