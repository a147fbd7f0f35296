/* SPDX-License-Identifier: Apache-2.0 */
#include "apiserver/accept.h"

struct clause {
	struct str type, as, group, version;
	int quality; /* 0..1000 */
	bool pretty;
};

/* q=0.75 as thousandths; what is no number counts as 1. */
static int quality_of(struct str v)
{
	int q = 0;
	int scale = 100;

	if (v.n == 0 || (v.p[0] != '0' && v.p[0] != '1')) {
		return 1000;
	}
	if (v.p[0] == '1') {
		return 1000;
	}
	for (size_t i = 2; i < v.n && i < 5 && v.p[i] >= '0' && v.p[i] <= '9'; i++) {
		q += (v.p[i] - '0') * scale;
		scale /= 10;
	}
	return q;
}

static struct clause parse_clause(struct str text)
{
	struct clause c = {.quality = 1000};
	struct str part;

	str_cut(&text, ';', &part);
	c.type = str_trim(part);
	while (str_cut(&text, ';', &part)) {
		struct str name;

		str_cut(&part, '=', &name);
		name = str_trim(name);
		part = str_trim(part);
		if (str_is(name, "q")) {
			c.quality = quality_of(part);
		} else if (str_is(name, "as")) {
			c.as = part;
		} else if (str_is(name, "g")) {
			c.group = part;
		} else if (str_is(name, "v")) {
			c.version = part;
		} else if (str_is(name, "pretty")) {
			c.pretty = !str_is(part, "0") && !str_is(part, "false");
		}
	}
	return c;
}

static bool form_of(const struct clause *c, bool forms, enum answer_form *ret)
{
	static const struct {
		const char *as;
		enum answer_form form;
	} known[] = {{"Table", ANSWER_TABLE},
		     {"PartialObjectMetadata", ANSWER_METADATA},
		     {"PartialObjectMetadataList", ANSWER_METADATA_LIST}};

	if (!c->as.n) {
		*ret = ANSWER_PLAIN;
		return true;
	}
	if (!forms || !str_is(c->group, "meta.k8s.io") || !str_is(c->version, "v1")) {
		return false;
	}
	for (size_t i = 0; i < ARRAY_LEN(known); i++) {
		if (str_eq(c->as, str_of(known[i].as))) {
			*ret = known[i].form;
			return true;
		}
	}
	return false;
}

static bool type_fits(struct str type)
{
	return str_is(type, "application/json") || str_is(type, "*/*") ||
	       str_is(type, "application/*") || type.n == 0;
}

bool accept_choose(struct str header, bool forms, struct accepted *ret)
{
	struct str text;
	int best = 0;

	if (!str_trim(header).n) {
		*ret = (struct accepted){ANSWER_PLAIN, false};
		return true;
	}
	while (str_cut(&header, ',', &text)) {
		struct clause c = parse_clause(text);
		enum answer_form form;

		/* The first of equal quality wins. */
		if (c.quality > best && type_fits(c.type) && form_of(&c, forms, &form)) {
			best = c.quality;
			*ret = (struct accepted){form, c.pretty};
		}
	}
	return best > 0;
}
