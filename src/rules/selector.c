/* SPDX-License-Identifier: Apache-2.0 */
#include "rules/selector.h"

#include <stdlib.h>

#include "base/buf.h"
#include "rules/names.h"

const struct str *str_map_find(const struct str_map *map, struct str key)
{
	size_t lo = 0;
	size_t hi = map->n;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;
		int c = str_cmp(map->p[mid].key, key);

		if (c == 0) {
			return &map->p[mid].value;
		}
		if (c < 0) {
			lo = mid + 1;
		} else {
			hi = mid;
		}
	}
	return NULL;
}

static bool list_has(const struct str_list *values, struct str want)
{
	for (size_t i = 0; i < values->n; i++) {
		if (str_eq(values->p[i], want)) {
			return true;
		}
	}
	return false;
}

/* Gt and Lt compare integers; a label that is none never matches. */
static bool compares(const struct selector_term *t, struct str label)
{
	int64_t have;
	int64_t want;

	if (str_to_int64(label, &have) < 0 || t->values.n != 1 ||
	    str_to_int64(t->values.p[0], &want) < 0) {
		return false;
	}
	return t->op == SELECTOR_GREATER ? have > want : have < want;
}

static bool term_matches(const struct selector_term *t, const struct str_map *labels)
{
	const struct str *have = str_map_find(labels, t->key);

	switch (t->op) {
	case SELECTOR_IN:
		return have && list_has(&t->values, *have);
	case SELECTOR_NOT_IN:
		return !have || !list_has(&t->values, *have);
	case SELECTOR_EXISTS:
		return have != NULL;
	case SELECTOR_NOT_EXISTS:
		return !have;
	default:
		return have && compares(t, *have);
	}
}

bool selector_matches(const struct selector *s, const struct str_map *labels)
{
	if (s->nothing) {
		return false;
	}
	for (size_t i = 0; i < s->n; i++) {
		if (!term_matches(&s->terms[i], labels)) {
			return false;
		}
	}
	return true;
}

static bool expression_matches(const struct meta_label_selector_requirement *r,
			       const struct str_map *labels)
{
	const struct str *have = str_map_find(labels, r->key);

	if (str_is(r->operator, "In")) {
		return have && list_has(&r->values, *have);
	}
	if (str_is(r->operator, "NotIn")) {
		return !have || !list_has(&r->values, *have);
	}
	if (str_is(r->operator, "Exists")) {
		return have != NULL;
	}
	return str_is(r->operator, "DoesNotExist") && !have;
}

bool label_selector_matches(const struct meta_label_selector *ls, const struct str_map *labels)
{
	if (!ls) {
		return false;
	}
	for (size_t i = 0; i < ls->match_labels.n; i++) {
		const struct str *have = str_map_find(labels, ls->match_labels.p[i].key);

		if (!have || !str_eq(*have, ls->match_labels.p[i].value)) {
			return false;
		}
	}
	for (size_t i = 0; i < ls->match_expressions.n; i++) {
		if (!expression_matches(&ls->match_expressions.p[i], labels)) {
			return false;
		}
	}
	return true;
}

static int cmp_str(const void *a, const void *b)
{
	return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

static int cmp_term(const void *a, const void *b)
{
	return str_cmp(((const struct selector_term *)a)->key,
		       ((const struct selector_term *)b)->key);
}

static struct str_list one_value(struct arena *a, struct str v)
{
	struct str_list list = {ARENA_NEW(a, struct str), 1};

	list.p[0] = v;
	return list;
}

void label_selector_of_map(struct arena *a, const struct str_map *map, struct selector *ret)
{
	*ret = (struct selector){.terms = ARENA_ARRAY(a, map->n, struct selector_term),
				 .n = map->n};
	for (size_t i = 0; i < map->n; i++) {
		ret->terms[i] = (struct selector_term){map->p[i].key, SELECTOR_IN,
						       one_value(a, map->p[i].value)};
	}
}

static int op_of_expression(const struct meta_label_selector_requirement *r, enum selector_op *ret,
			    struct err *err)
{
	static const struct {
		const char *name;
		enum selector_op op;
		bool values;
	} ops[] = {{"In", SELECTOR_IN, true},
		   {"NotIn", SELECTOR_NOT_IN, true},
		   {"Exists", SELECTOR_EXISTS, false},
		   {"DoesNotExist", SELECTOR_NOT_EXISTS, false}};

	for (size_t i = 0; i < ARRAY_LEN(ops); i++) {
		if (!str_eq(r->operator, str_of(ops[i].name))) {
			continue;
		}
		if (ops[i].values && r->values.n == 0) {
			return err_set(err, ERR_INVALID,
				       "for 'in', 'notin' operators, values set can't be empty");
		}
		if (!ops[i].values && r->values.n != 0) {
			return err_set(err, ERR_INVALID,
				       "values set must be empty for exists and does not exist");
		}
		*ret = ops[i].op;
		return 0;
	}
	return err_set(err, ERR_INVALID, "\"%.*s\" is not a valid label selector operator",
		       STR_ARG(r->operator));
}

int label_selector_of(struct arena *a, const struct meta_label_selector *ls, struct selector *ret,
		      struct err *err)
{
	struct selector s = {0};

	if (!ls) {
		*ret = (struct selector){.nothing = true};
		return 0;
	}
	s.terms =
		ARENA_ARRAY(a, ls->match_labels.n + ls->match_expressions.n, struct selector_term);
	for (size_t i = 0; i < ls->match_labels.n; i++) {
		s.terms[s.n++] = (struct selector_term){ls->match_labels.p[i].key, SELECTOR_IN,
							one_value(a, ls->match_labels.p[i].value)};
	}
	for (size_t i = 0; i < ls->match_expressions.n; i++) {
		const struct meta_label_selector_requirement *r = &ls->match_expressions.p[i];
		struct selector_term *t = &s.terms[s.n++];
		int code = op_of_expression(r, &t->op, err);

		if (code < 0) {
			return code;
		}
		t->key = r->key;
		t->values = (struct str_list){ARENA_ARRAY(a, r->values.n, struct str), r->values.n};
		for (size_t j = 0; j < r->values.n; j++) {
			t->values.p[j] = r->values.p[j];
		}
		qsort(t->values.p, t->values.n, sizeof(struct str), cmp_str);
	}
	qsort(s.terms, s.n, sizeof(*s.terms), cmp_term);
	*ret = s;
	return 0;
}

/* The lexer of label selectors: identifiers and the symbols ( ) , = == != ! > <. */
enum token_kind {
	TOK_END,
	TOK_IDENT,
	TOK_OPEN,
	TOK_CLOSE,
	TOK_COMMA,
	TOK_EQ,
	TOK_NE,
	TOK_NOT,
	TOK_GT,
	TOK_LT
};

struct lexer {
	struct str rest;
	enum token_kind kind;
	struct str text;
};

static bool is_symbol(char c)
{
	return c == '(' || c == ')' || c == ',' || c == '=' || c == '!' || c == '>' || c == '<';
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static size_t lex_symbol(struct lexer *lx)
{
	char next = lx->rest.n > 1 ? lx->rest.p[1] : '\0';

	switch (lx->rest.p[0]) {
	case '(':
		lx->kind = TOK_OPEN;
		return 1;
	case ')':
		lx->kind = TOK_CLOSE;
		return 1;
	case ',':
		lx->kind = TOK_COMMA;
		return 1;
	case '>':
		lx->kind = TOK_GT;
		return 1;
	case '<':
		lx->kind = TOK_LT;
		return 1;
	case '=':
		lx->kind = TOK_EQ;
		return next == '=' ? 2 : 1;
	default:
		lx->kind = next == '=' ? TOK_NE : TOK_NOT;
		return next == '=' ? 2 : 1;
	}
}

static void lex(struct lexer *lx)
{
	size_t n = 0;

	lx->rest = str_trim(lx->rest);
	if (!lx->rest.n) {
		lx->kind = TOK_END;
		lx->text = STR("");
		return;
	}
	if (is_symbol(lx->rest.p[0])) {
		n = lex_symbol(lx);
	} else {
		lx->kind = TOK_IDENT;
		while (n < lx->rest.n && !is_symbol(lx->rest.p[n]) && !is_blank(lx->rest.p[n])) {
			n++;
		}
	}
	lx->text = str_make(lx->rest.p, n);
	lx->rest = str_from(lx->rest, n);
}

static int unexpected(struct lexer *lx, const char *wanted, struct err *err)
{
	return err_set(err, ERR_INVALID, "found '%.*s', expected: %s", STR_ARG(lx->text), wanted);
}

/* ( a, b ) after in / notin. */
static int parse_values(struct arena *a, struct lexer *lx, struct str_list *ret, struct err *err)
{
	size_t cap = 4;
	struct str *p = ARENA_ARRAY(a, cap, struct str);
	size_t n = 0;

	lex(lx);
	if (lx->kind != TOK_OPEN) {
		return unexpected(lx, "'('", err);
	}
	do {
		lex(lx);
		if (n == cap) {
			struct str *more = ARENA_ARRAY(a, cap * 2, struct str);

			memcpy(more, p, n * sizeof(*p));
			p = more;
			cap *= 2;
		}
		if (n >= SELECTOR_VALUES_MAX) {
			return err_set(err, ERR_LIMIT, "more than %d values in one selector term",
				       SELECTOR_VALUES_MAX);
		}
		if (lx->kind == TOK_IDENT) {
			p[n++] = lx->text;
			lex(lx);
		} else if (lx->kind == TOK_COMMA || lx->kind == TOK_CLOSE) {
			p[n++] = STR("");
		}
	} while (lx->kind == TOK_COMMA);
	if (lx->kind != TOK_CLOSE) {
		return unexpected(lx, "',' or ')'", err);
	}
	qsort(p, n, sizeof(*p), cmp_str);
	*ret = (struct str_list){p, n};
	lex(lx);
	return 0;
}

/* The value after = == != > <; may be missing (the empty value). */
static void parse_value(struct arena *a, struct lexer *lx, struct str_list *ret)
{
	lex(lx);
	if (lx->kind == TOK_IDENT) {
		*ret = one_value(a, lx->text);
		lex(lx);
	} else {
		*ret = one_value(a, STR(""));
	}
}

static int parse_operator(struct arena *a, struct lexer *lx, struct selector_term *t,
			  struct err *err)
{
	switch (lx->kind) {
	case TOK_END:
	case TOK_COMMA:
		t->op = SELECTOR_EXISTS;
		return 0;
	case TOK_EQ:
		t->op = SELECTOR_IN;
		break;
	case TOK_NE:
		t->op = SELECTOR_NOT_IN;
		break;
	case TOK_GT:
		t->op = SELECTOR_GREATER;
		break;
	case TOK_LT:
		t->op = SELECTOR_LESS;
		break;
	case TOK_IDENT:
		if (str_is(lx->text, "in") || str_is(lx->text, "notin")) {
			t->op = str_is(lx->text, "in") ? SELECTOR_IN : SELECTOR_NOT_IN;
			return parse_values(a, lx, &t->values, err);
		}
		/* fallthrough */
	default:
		return unexpected(lx, "in, notin, =, ==, !=, gt, lt", err);
	}
	parse_value(a, lx, &t->values);
	if (t->op == SELECTOR_GREATER || t->op == SELECTOR_LESS) {
		int64_t ignored;

		if (str_to_int64(t->values.p[0], &ignored) < 0) {
			return err_set(err, ERR_INVALID,
				       "for 'Gt', 'Lt' operators, the value must be an integer");
		}
	}
	return 0;
}

/* 0, or ERR_INVALID with upstream's text. `where` stands before it. */
static int check_text(struct str s, name_faults_fn rule, const char *where, struct err *err)
{
	struct name_faults faults = {0};
	struct buf b CLEANUP_BUF = {0};

	rule(s, &faults);
	for (size_t i = 0; i < faults.n; i++) {
		buf_printf(&b, "%s%s", i ? "; " : "", faults.p[i]);
	}
	return faults.n ? err_set(err, ERR_INVALID, "%s: Invalid value: \"%.*s\": %s", where,
				  STR_ARG(s), buf_cstr(&b))
			: 0;
}

static int check_values(const struct selector_term *t, struct err *err)
{
	for (size_t i = 0; i < t->values.n; i++) {
		struct buf where CLEANUP_BUF = {0};
		int code;

		buf_printf(&where, "values[%zu][%.*s]", i, STR_ARG(t->key));
		code = check_text(t->values.p[i], label_value_faults, buf_cstr(&where), err);
		if (code < 0) {
			return code;
		}
	}
	return 0;
}

static int parse_term(struct arena *a, struct lexer *lx, struct selector_term *t, struct err *err)
{
	bool negated = lx->kind == TOK_NOT;
	int code;

	if (negated) {
		lex(lx);
	}
	if (lx->kind != TOK_IDENT) {
		return unexpected(lx, "!, identifier, or 'end of string'", err);
	}
	code = check_text(lx->text, qualified_name_faults, "key", err);
	if (code < 0) {
		return code;
	}
	t->key = lx->text;
	lex(lx);
	if (negated) {
		t->op = SELECTOR_NOT_EXISTS;
		return lx->kind == TOK_END || lx->kind == TOK_COMMA
			       ? 0
			       : unexpected(lx, "',' or 'end of string'", err);
	}
	code = parse_operator(a, lx, t, err);
	return code < 0 ? code : check_values(t, err);
}

static size_t count_terms(struct str text)
{
	size_t n = 1;

	for (size_t i = 0; i < text.n; i++) {
		n += text.p[i] == ',';
	}
	return n;
}

int label_selector_parse(struct arena *a, struct str text, struct selector *ret, struct err *err)
{
	struct lexer lx = {.rest = text};
	struct selector s = {.terms = ARENA_ARRAY(a, count_terms(text), struct selector_term)};

	lex(&lx);
	while (lx.kind != TOK_END) {
		int code;

		if (s.n >= SELECTOR_TERMS_MAX) {
			return err_set(err, ERR_LIMIT, "more than %d terms in the selector",
				       SELECTOR_TERMS_MAX);
		}
		code = parse_term(a, &lx, &s.terms[s.n], err);
		if (code < 0) {
			return err_wrap(err, "unable to parse requirement");
		}
		s.n++;
		if (lx.kind == TOK_COMMA) {
			lex(&lx);
			if (lx.kind != TOK_IDENT && lx.kind != TOK_NOT) {
				return unexpected(&lx, "identifier after ','", err);
			}
		} else if (lx.kind != TOK_END) {
			return unexpected(&lx, "',' or 'end of string'", err);
		}
	}
	qsort(s.terms, s.n, sizeof(*s.terms), cmp_term);
	*ret = s;
	return 0;
}

int field_selector_parse(struct arena *a, struct str text, struct selector *ret, struct err *err)
{
	struct selector s = {.terms = ARENA_ARRAY(a, count_terms(text), struct selector_term)};
	struct str part;

	if (!text.p) {
		text = STR("");
	}
	if (count_terms(text) > SELECTOR_TERMS_MAX) {
		return err_set(err, ERR_LIMIT, "more than %d terms in the selector",
			       SELECTOR_TERMS_MAX);
	}
	while (str_cut(&text, ',', &part)) {
		ptrdiff_t eq = str_find_char(part, '=');
		struct selector_term *t = &s.terms[s.n];

		if (!part.n) {
			continue;
		}
		if (eq < 0) {
			return err_set(err, ERR_INVALID,
				       "invalid field selector: \"%.*s\"; can't understand '%.*s'",
				       STR_ARG(part), STR_ARG(part));
		}
		t->op = eq > 0 && part.p[eq - 1] == '!' ? SELECTOR_NOT_IN : SELECTOR_IN;
		t->key = str_make(part.p, (size_t)eq - (t->op == SELECTOR_NOT_IN));
		part = str_from(part, (size_t)eq + 1);
		if (t->op == SELECTOR_IN && str_has_prefix(part, STR("="))) {
			part = str_from(part, 1);
		}
		t->values = one_value(a, part);
		s.n++;
	}
	*ret = s;
	return 0;
}

static void add_values(struct buf *b, const struct str_list *values)
{
	buf_add_char(b, '(');
	for (size_t i = 0; i < values->n; i++) {
		buf_add_str(b, i ? STR(",") : STR(""));
		buf_add_str(b, values->p[i]);
	}
	buf_add_char(b, ')');
}

static void add_term(struct buf *b, const struct selector_term *t)
{
	if (t->op == SELECTOR_NOT_EXISTS) {
		buf_add_char(b, '!');
	}
	buf_add_str(b, t->key);
	switch (t->op) {
	case SELECTOR_IN:
	case SELECTOR_NOT_IN:
		if (t->values.n == 1) {
			buf_add_str(b, t->op == SELECTOR_IN ? STR("=") : STR("!="));
			buf_add_str(b, t->values.p[0]);
		} else {
			buf_add_str(b, t->op == SELECTOR_IN ? STR(" in ") : STR(" notin "));
			add_values(b, &t->values);
		}
		break;
	case SELECTOR_GREATER:
	case SELECTOR_LESS:
		buf_add_str(b, t->op == SELECTOR_GREATER ? STR(">") : STR("<"));
		buf_add_str(b, t->values.p[0]);
		break;
	default:
		break;
	}
}

struct str selector_text(struct arena *a, const struct selector *s)
{
	struct buf b CLEANUP_BUF = {0};

	for (size_t i = 0; i < s->n; i++) {
		buf_add_str(&b, i ? STR(",") : STR(""));
		add_term(&b, &s->terms[i]);
	}
	return arena_str(a, buf_str(&b));
}
