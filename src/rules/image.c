/* SPDX-License-Identifier: Apache-2.0 */
#include "rules/image.h"

enum { IMAGE_TAG_MAX = 128, IMAGE_REPOSITORY_MAX = 255 };

static bool is_alnum(char c, bool upper)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || (upper && c >= 'A' && c <= 'Z');
}

/* Lower case letters and digits, separated by one dot, one or two underscores, or any number of dashes. */
static bool is_path_part(struct str s)
{
	size_t i = 0;

	while (i < s.n) {
		size_t start = i;

		while (i < s.n && is_alnum(s.p[i], false)) {
			i++;
		}
		if (i == start) {
			return false;
		}
		if (i == s.n) {
			return true;
		}
		start = i;
		while (i < s.n && s.p[i] == s.p[start] && !is_alnum(s.p[i], false)) {
			i++;
		}
		if (!(s.p[start] == '-' || (s.p[start] == '.' && i - start == 1) ||
		      (s.p[start] == '_' && i - start <= 2))) {
			return false;
		}
	}
	return false;
}

static bool is_host(struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		if (!is_alnum(s.p[i], true) && !strchr(".-:[]", s.p[i])) {
			return false;
		}
	}
	return s.n > 0;
}

/* The first part is a host if it could be no directory: with a dot or port, localhost, or capitals. */
static bool looks_like_host(struct str s)
{
	if (str_find_char(s, '.') >= 0 || str_find_char(s, ':') >= 0 || str_is(s, "localhost")) {
		return true;
	}
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] >= 'A' && s.p[i] <= 'Z') {
			return true;
		}
	}
	return false;
}

static bool is_repository(struct str s)
{
	struct str rest = s;
	struct str part;
	ptrdiff_t slash = str_find_char(s, '/');

	if (s.n > IMAGE_REPOSITORY_MAX) {
		return false;
	}
	if (slash > 0 && looks_like_host(str_sub(s, 0, (size_t)slash))) {
		if (!is_host(str_sub(s, 0, (size_t)slash))) {
			return false;
		}
		rest = str_from(s, (size_t)slash + 1);
	}
	if (!rest.n) {
		return false;
	}
	while (str_cut(&rest, '/', &part)) {
		if (!is_path_part(part)) {
			return false;
		}
	}
	return true;
}

static bool is_tag(struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (!is_alnum(c, true) && c != '_' && (i == 0 || (c != '.' && c != '-'))) {
			return false;
		}
	}
	return s.n > 0 && s.n <= IMAGE_TAG_MAX;
}

static bool is_digest(struct str s)
{
	ptrdiff_t colon = str_find_char(s, ':');
	struct str hex = str_from(s, (size_t)(colon + 1));

	for (size_t i = 0; i < hex.n; i++) {
		char c = hex.p[i];

		if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'))) {
			return false;
		}
	}
	return colon > 0 && hex.n >= 32;
}

bool image_name_parse(struct str text, struct image_name *ret)
{
	struct image_name name = {.repository = text, .tag = STR(""), .digest = STR("")};
	ptrdiff_t at = str_find_char(text, '@');
	ptrdiff_t colon;

	if (at >= 0) {
		name.digest = str_from(text, (size_t)at + 1);
		name.repository = str_sub(text, 0, (size_t)at);
		if (!is_digest(name.digest)) {
			return false;
		}
	}
	colon = str_rfind_char(name.repository, ':');
	if (colon > str_rfind_char(name.repository, '/')) {
		name.tag = str_from(name.repository, (size_t)colon + 1);
		name.repository = str_sub(name.repository, 0, (size_t)colon);
		if (!is_tag(name.tag)) {
			return false;
		}
	}
	if (!is_repository(name.repository)) {
		return false;
	}
	*ret = name;
	return true;
}

struct str image_default_pull_policy(struct str image)
{
	struct image_name name;

	if (!image_name_parse(image, &name)) {
		return STR("IfNotPresent");
	}
	return str_is(name.tag, "latest") || (!name.tag.n && !name.digest.n) ? STR("Always")
									     : STR("IfNotPresent");
}
