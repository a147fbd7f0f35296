/* SPDX-License-Identifier: Apache-2.0 */
/* codec/yaml.h: YAML to the JSON DOM, by the rules that Kubernetes' clients and servers share (YAML
 * 1.1 as go-yaml v2 reads it): plain yes/no/on/off/y/n are booleans, 0x 0o 0b 0 and _ are
 * understood in numbers, ~ and nothing are null, dates stay strings, << merges, keys become
 * strings. Tags other than the core ones are ignored. Reading is by libyaml. Limits:
 * YAML_BYTES_MAX, YAML_ALIASED_MAX values made by aliases in all, and those of codec/json.h. */
#pragma once
#include "base/arena.h"
#include "base/attr.h"
#include "base/err.h"
#include "base/str.h"
#include "codec/json.h"

enum {
	YAML_BYTES_MAX = 8 * 1024 * 1024,
	YAML_ALIASED_MAX = 100 * 1000,
};

/* A stream of documents separated by `---`. */
struct yaml_stream;

/* strict: a key that stands twice in a mapping is an error, otherwise the last counts. The text
 * must outlive the stream; values and all their strings live in the arena. Free with
 * yaml_stream_free. NULL and err (ERR_LIMIT) if the text is too long. */
struct yaml_stream *yaml_stream_new(struct arena *arena, struct str text, bool strict,
				    struct err *err);
void yaml_stream_free(struct yaml_stream *s);
/* 1 and the next document, 0 at the end, ERR_INVALID or ERR_LIMIT: "yaml: line 3: did not find
 * expected key". Documents without content are null. */
MUST_USE int yaml_stream_next(struct yaml_stream *s, struct json_value *ret, struct err *err);
/* The line on which the document last returned begins, from 1. */
size_t yaml_stream_line(const struct yaml_stream *s);

/* The first document; null if there is none. What follows it is ignored, as upstream does with a
 * request's body. */
MUST_USE int yaml_parse(struct arena *arena, struct str text, bool strict, struct json_value *ret,
			struct err *err);
