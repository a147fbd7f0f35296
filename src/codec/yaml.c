/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/yaml.h"

#include <math.h>
#include <stdlib.h>
#include <yaml.h>

#include "base/alloc.h"
#include "base/map.h"
#include "base/vec.h"
#include "codec/yaml_scalar.h"

struct anchor {
	struct json_value value;
	bool open; /* its end has not been seen yet */
};

struct yaml_stream {
	yaml_parser_t parser;
	struct arena *arena;
	struct err *err;
	struct map anchors; /* name -> struct anchor, of this document */
	size_t values;
	size_t aliased;
	size_t line;
	unsigned depth;
	bool strict;
	bool ended;
};

static int parse_node(struct yaml_stream *s, yaml_event_t *event, struct json_value *ret);

struct yaml_stream *yaml_stream_new(struct arena *arena, struct str text, bool strict,
				    struct err *err)
{
	struct yaml_stream *s;

	if (text.n > YAML_BYTES_MAX) {
		err_set(err, ERR_LIMIT,
			"yaml: document of %zu bytes is longer than the limit of %d", text.n,
			YAML_BYTES_MAX);
		return NULL;
	}
	s = NEW(struct yaml_stream);
	s->arena = arena;
	s->strict = strict;
	map_init(&s->anchors, 0);
	ASSERT(yaml_parser_initialize(&s->parser));
	yaml_parser_set_input_string(&s->parser, (const unsigned char *)(text.p ? text.p : ""),
				     text.n);
	return s;
}

void yaml_stream_free(struct yaml_stream *s)
{
	if (s) {
		yaml_parser_delete(&s->parser);
		map_fini(&s->anchors);
		mem_free(s);
	}
}

size_t yaml_stream_line(const struct yaml_stream *s)
{
	return s->line;
}

/* The line that go-yaml would name. */
static int parser_error(struct yaml_stream *s)
{
	const yaml_parser_t *p = &s->parser;
	const char *problem = p->problem ? p->problem : "unknown problem parsing YAML content";
	size_t line = p->problem_mark.line ? p->problem_mark.line + (p->error == YAML_SCANNER_ERROR)
					   : p->context_mark.line;

	return line ? err_set(s->err, ERR_INVALID, "yaml: line %zu: %s", line, problem)
		    : err_set(s->err, ERR_INVALID, "yaml: %s", problem);
}

static int next_event(struct yaml_stream *s, yaml_event_t *event)
{
	return yaml_parser_parse(&s->parser, event) ? 0 : parser_error(s);
}

/* Strings leave libyaml's memory for the arena. */
static struct str event_text(struct yaml_stream *s, const yaml_event_t *event)
{
	return arena_str(s->arena, str_make(event->data.scalar.value, event->data.scalar.length));
}

static struct anchor *open_anchor(struct yaml_stream *s, const unsigned char *name)
{
	struct anchor *a;

	if (!name) {
		return NULL;
	}
	a = ARENA_NEW(s->arena, struct anchor);
	a->open = true;
	map_put(&s->anchors, str_of((const char *)name), a);
	return a;
}

static int close_anchor(struct anchor *a, const struct json_value *value)
{
	if (a) {
		a->value = *value;
		a->open = false;
	}
	return 0;
}

static int parse_scalar(struct yaml_stream *s, const yaml_event_t *event, struct json_value *ret)
{
	const char *tag = (const char *)event->data.scalar.tag;
	struct str text = event_text(s, event);
	int code = 0;

	if (!tag && !event->data.scalar.plain_implicit) {
		*ret = json_make_string(text);
	} else {
		code = yaml_resolve(s->arena, tag, text, ret, s->err);
	}
	if (code < 0) {
		return err_wrap(s->err, "yaml: line %zu", event->start_mark.line + 1);
	}
	return close_anchor(open_anchor(s, event->data.scalar.anchor), ret);
}

static int parse_alias(struct yaml_stream *s, const yaml_event_t *event, struct json_value *ret)
{
	const char *name = (const char *)event->data.alias.anchor;
	struct anchor *a = map_find(&s->anchors, str_of(name));
	size_t n;

	if (!a) {
		return err_set(s->err, ERR_INVALID, "yaml: unknown anchor '%s' referenced", name);
	}
	if (a->open) {
		return err_set(s->err, ERR_INVALID, "yaml: anchor '%s' value contains itself",
			       name);
	}
	n = json_count(&a->value);
	if (n > YAML_ALIASED_MAX - s->aliased) {
		return err_set(s->err, ERR_LIMIT, "yaml: document contains excessive aliasing");
	}
	s->aliased += n;
	*ret = json_dup(s->arena, &a->value);
	return 0;
}

static int enter(struct yaml_stream *s, const yaml_event_t *event)
{
	if (s->depth == JSON_DEPTH_MAX) {
		return err_set(s->err, ERR_LIMIT, "yaml: line %zu: exceeded max depth of %d",
			       event->start_mark.line + 1, JSON_DEPTH_MAX);
	}
	s->depth++;
	return 0;
}

static int parse_sequence(struct yaml_stream *s, const yaml_event_t *start, struct json_value *ret)
{
	struct anchor *anchor = open_anchor(s, start->data.sequence_start.anchor);
	struct json_value array = json_make(JSON_ARRAY);

	if (enter(s, start) < 0) {
		return ERR_LIMIT;
	}
	for (;;) {
		struct json_value item;
		yaml_event_t event;
		int code = next_event(s, &event);

		if (code < 0) {
			return code;
		}
		if (event.type == YAML_SEQUENCE_END_EVENT) {
			yaml_event_delete(&event);
			break;
		}
		code = parse_node(s, &event, &item);
		yaml_event_delete(&event);
		if (code < 0) {
			return code;
		}
		json_insert(s->arena, &array, array.n, item);
	}
	s->depth--;
	*ret = array;
	return close_anchor(anchor, ret);
}

/* As Go prints a float32 with 'g': the fewest digits, with an exponent below 1e-4 and from 1e6
 * on. */
static struct str print_float_key(struct arena *arena, double d)
{
	float f = (float)d;
	struct str text = STR_NULL;
	int precision = 0;
	int exponent;

	if (isnan(f) || isinf(f)) {
		return isnan(f) ? STR(".nan") : f > 0 ? STR(".inf") : STR("-.inf");
	}
	do {
		text = arena_printf(arena, "%.*e", precision, (double)f);
	} while (strtof(text.p, NULL) != f && ++precision < 9);
	exponent = (int)strtol(strchr(text.p, 'e') + 1, NULL, 10);
	if (exponent < -4 || exponent >= 6) {
		return text;
	}
	return arena_printf(arena, "%.*f", MAX(precision - exponent, 0), (double)f);
}

static int key_of(struct yaml_stream *s, const struct json_value *key, size_t line, struct str *ret)
{
	switch ((enum json_kind)key->kind) {
	case JSON_STRING:
		*ret = json_str(key);
		return 0;
	case JSON_INT:
		*ret = arena_printf(s->arena, "%lld", (long long)key->num);
		return 0;
	case JSON_DOUBLE:
		*ret = print_float_key(s->arena, key->dbl);
		return 0;
	case JSON_BOOL:
		*ret = key->boolean ? STR("true") : STR("false");
		return 0;
	default:
		return err_set(s->err, ERR_INVALID, "yaml: line %zu: invalid map key: %s", line,
			       json_kind_name(key));
	}
}

static int put_member(struct yaml_stream *s, struct json_value *object, struct str key,
		      struct json_value value, size_t line)
{
	if (s->strict && json_get(object, key)) {
		return err_set(
			s->err, ERR_INVALID,
			"yaml: unmarshal errors:\n  line %zu: key \"%.*s\" already set in map",
			line, STR_ARG(key));
	}
	json_set(s->arena, object, key, value);
	return 0;
}

/* `<<: *a` or `<<: [*a, *b]`: of several the first has precedence, so it comes last. */
static int merge(struct yaml_stream *s, struct json_value *object, const struct json_value *from,
		 size_t line)
{
	int code = 0;

	if (from->kind == JSON_ARRAY) {
		for (size_t i = from->n; i-- > 0 && code == 0;) {
			code = from->items[i].kind == JSON_OBJECT
				       ? merge(s, object, &from->items[i], line)
				       : ERR_INVALID;
		}
	} else if (from->kind == JSON_OBJECT) {
		for (size_t i = 0; i < from->n && code == 0; i++) {
			code = put_member(s, object, from->members[i].key, from->members[i].value,
					  line);
		}
	} else {
		code = ERR_INVALID;
	}
	if (code < 0 && s->err && !s->err->code) {
		err_set(s->err, code,
			"yaml: line %zu: map merge requires map or sequence of maps as the value",
			line);
	}
	return code;
}

static bool is_merge_key(const yaml_event_t *event)
{
	const char *tag;

	if (event->type != YAML_SCALAR_EVENT ||
	    !str_is(str_make(event->data.scalar.value, event->data.scalar.length), "<<")) {
		return false;
	}
	tag = (const char *)event->data.scalar.tag;
	return tag ? str_is(str_of(tag), "tag:yaml.org,2002:merge")
		   : event->data.scalar.plain_implicit;
}

/* One key, whose first event has been read, and its value. */
static int parse_member(struct yaml_stream *s, yaml_event_t *key_event, struct json_value *object)
{
	bool is_merge = is_merge_key(key_event);
	struct json_value key, value;
	yaml_event_t event;
	struct str name = STR_NULL;
	size_t line;
	int code;

	code = parse_node(s, key_event, &key);
	if (code == 0 && !is_merge) {
		code = key_of(s, &key, key_event->start_mark.line + 1, &name);
	}
	if (code == 0) {
		code = next_event(s, &event);
	}
	if (code < 0) {
		return code;
	}
	line = event.start_mark.line + 1;
	code = parse_node(s, &event, &value);
	yaml_event_delete(&event);
	if (code < 0) {
		return code;
	}
	return is_merge ? merge(s, object, &value, line) : put_member(s, object, name, value, line);
}

static int parse_mapping(struct yaml_stream *s, const yaml_event_t *start, struct json_value *ret)
{
	struct anchor *anchor = open_anchor(s, start->data.mapping_start.anchor);
	struct json_value object = json_make(JSON_OBJECT);

	if (enter(s, start) < 0) {
		return ERR_LIMIT;
	}
	for (;;) {
		yaml_event_t event;
		int code = next_event(s, &event);

		if (code < 0) {
			return code;
		}
		if (event.type == YAML_MAPPING_END_EVENT) {
			yaml_event_delete(&event);
			break;
		}
		code = parse_member(s, &event, &object);
		yaml_event_delete(&event);
		if (code < 0) {
			return code;
		}
	}
	s->depth--;
	*ret = object;
	return close_anchor(anchor, ret);
}

static int parse_node(struct yaml_stream *s, yaml_event_t *event, struct json_value *ret)
{
	if (++s->values > JSON_VALUES_MAX) {
		return err_set(s->err, ERR_LIMIT, "yaml: too many values in one document");
	}
	switch (event->type) {
	case YAML_SCALAR_EVENT:
		return parse_scalar(s, event, ret);
	case YAML_ALIAS_EVENT:
		return parse_alias(s, event, ret);
	case YAML_SEQUENCE_START_EVENT:
		return parse_sequence(s, event, ret);
	case YAML_MAPPING_START_EVENT:
		return parse_mapping(s, event, ret);
	default:
		return err_set(s->err, ERR_INVALID, "yaml: line %zu: unexpected end of a value",
			       event->start_mark.line + 1);
	}
}

/* JSON has neither; found late because they are fine as keys. */
static int check_finite(struct yaml_stream *s, const struct json_value *v)
{
	int code = 0;

	if (v->kind == JSON_DOUBLE && !isfinite(v->dbl)) {
		return err_set(s->err, ERR_INVALID, "json: unsupported value: %s",
			       isnan(v->dbl) ? "NaN"
			       : v->dbl > 0  ? "+Inf"
					     : "-Inf");
	}
	for (uint32_t i = 0; v->kind == JSON_ARRAY && i < v->n && code == 0; i++) {
		code = check_finite(s, &v->items[i]);
	}
	for (uint32_t i = 0; v->kind == JSON_OBJECT && i < v->n && code == 0; i++) {
		code = check_finite(s, &v->members[i].value);
	}
	return code;
}

static int parse_document(struct yaml_stream *s, struct json_value *ret)
{
	struct json_value v;
	yaml_event_t event;
	int code = next_event(s, &event);

	if (code < 0) {
		return code;
	}
	code = parse_node(s, &event, &v);
	yaml_event_delete(&event);
	if (code == 0) {
		code = next_event(s, &event);
	}
	if (code < 0) {
		return code;
	}
	yaml_event_delete(&event); /* the document's end */
	code = check_finite(s, &v);
	if (code < 0) {
		return code;
	}
	*ret = v;
	return 1;
}

int yaml_stream_next(struct yaml_stream *s, struct json_value *ret, struct err *err)
{
	struct err own CLEANUP_ERR = {0};
	int code = 0;

	s->err = err ? err : &own;
	map_fini(&s->anchors);
	map_init(&s->anchors, 0);
	s->depth = 0;
	while (!s->ended) {
		yaml_event_t event;
		yaml_event_type_t type;

		code = next_event(s, &event);
		if (code < 0) {
			break;
		}
		type = event.type;
		s->line = event.start_mark.line + 1;
		yaml_event_delete(&event);
		if (type == YAML_DOCUMENT_START_EVENT) {
			code = parse_document(s, ret);
			break;
		}
		s->ended = type == YAML_STREAM_END_EVENT;
	}
	if (code < 0) {
		s->ended = true; /* there is no way on after an error */
	}
	s->err = NULL;
	return code;
}

int yaml_parse(struct arena *arena, struct str text, bool strict, struct json_value *ret,
	       struct err *err)
{
	struct yaml_stream *s = yaml_stream_new(arena, text, strict, err);
	int code;

	if (!s) {
		return ERR_LIMIT;
	}
	code = yaml_stream_next(s, ret, err);
	yaml_stream_free(s);
	if (code == 0) {
		*ret = json_make(JSON_NULL);
	}
	return code < 0 ? code : 0;
}
