/* SPDX-License-Identifier: Apache-2.0 */
/* apiserver/render.h: answers as bytes. Stored versions are passed on without a copy; every other form is made here. */
#pragma once
#include "apiserver/accept.h"
#include "apiserver/request.h"
#include "base/vec.h"
#include "net/slice.h"

typedef VEC(struct slice) slice_vec;

/* Appends the body of r->answer in the wanted form. Slices own references; release or hand them over. */
void render_answer(struct request *r, const struct accepted *accepted, slice_vec *out);

struct watcher_event;
/* One line of a watch stream: {"type":"ADDED","object":...}\n. first: of this stream (a Table tells its columns once). */
void render_event(struct apiserver *api, const struct resource_desc *resource,
		  const struct watcher_event *event, enum answer_form form, bool first,
		  slice_vec *out);
/* The line that ends a watch with a failure. */
void render_event_status(const struct meta_status *status, slice_vec *out);
