/* SPDX-License-Identifier: Apache-2.0 */
/* codec/yaml_scalar.h: which JSON value a YAML scalar stands for. For codec/yaml.c only. */
#pragma once
#include "codec/json.h"

/* tag: NULL for a plain scalar without one. The string of a result is borrowed from `text` (or made
 * in the arena: !!binary). 0 or ERR_INVALID. */
MUST_USE int yaml_resolve(struct arena *arena, const char *tag, struct str text,
			  struct json_value *ret, struct err *err);
