/* SPDX-License-Identifier: Apache-2.0 */
#include "kubelet/images/reference.h"

enum { TAG_MAX = 128, NAME_MAX_BYTES = 255, SHA256_HEX = 64 };

static bool is_lower_alnum(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static bool is_alnum(char c)
{
	return is_lower_alnum(c) || (c >= 'A' && c <= 'Z');
}

bool reference_is_digest(struct str s)
{
	if (!str_has_prefix(s, STR("sha256:")) || s.n != strlen("sha256:") + SHA256_HEX) {
		return false;
	}
	for (size_t i = strlen("sha256:"); i < s.n; i++) {
		if (!(s.p[i] >= '0' && s.p[i] <= '9') && !(s.p[i] >= 'a' && s.p[i] <= 'f')) {
			return false;
		}
	}
	return true;
}

static bool is_tag(struct str s)
{
	if (s.n == 0 || s.n > TAG_MAX || s.p[0] == '.' || s.p[0] == '-') {
		return false;
	}
	for (size_t i = 0; i < s.n; i++) {
		if (!is_alnum(s.p[i]) && s.p[i] != '_' && s.p[i] != '.' && s.p[i] != '-') {
			return false;
		}
	}
	return true;
}

/* How many bytes at i separate two words: '.', '_', '__' or any number of '-'; 0 if none of these. */
static size_t separator_len(struct str s, size_t i)
{
	size_t n = 0;

	if (s.p[i] == '.') {
		return 1;
	}
	if (s.p[i] == '_') {
		return i + 1 < s.n && s.p[i + 1] == '_' ? 2 : 1;
	}
	while (i + n < s.n && s.p[i + n] == '-') {
		n++;
	}
	return n;
}

static bool is_path_component(struct str s)
{
	size_t i = 0;

	if (s.n == 0 || !is_lower_alnum(s.p[0])) {
		return false;
	}
	while (i < s.n) {
		size_t sep;

		if (is_lower_alnum(s.p[i])) {
			i++;
			continue;
		}
		sep = separator_len(s, i);
		if (sep == 0 || i + sep >= s.n || !is_lower_alnum(s.p[i + sep])) {
			return false;
		}
		i += sep;
	}
	return true;
}

static bool is_path(struct str s)
{
	struct str part;

	while (str_cut(&s, '/', &part)) {
		if (!is_path_component(part)) {
			return false;
		}
	}
	return true;
}

/* Host or [v6 address], optional port. */
static bool is_domain(struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		if (!is_alnum(s.p[i]) && (s.p[i] == '\0' || !strchr(".-:[]", s.p[i]))) {
			return false;
		}
	}
	return s.n > 0 && s.p[0] != '-' && s.p[0] != '.' && s.p[0] != ':';
}

/* The first part is a host if it could not be a user name there. */
static bool looks_like_domain(struct str s)
{
	if (str_is(s, "localhost") || str_find_char(s, '.') >= 0 || str_find_char(s, ':') >= 0) {
		return true;
	}
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] >= 'A' && s.p[i] <= 'Z') {
			return true;
		}
	}
	return false;
}

static void split_domain(struct arena *arena, struct str rest, struct reference *ref)
{
	ptrdiff_t slash = str_find_char(rest, '/');

	ref->domain = STR("docker.io");
	ref->path = rest;
	if (slash > 0 && looks_like_domain(str_sub(rest, 0, (size_t)slash))) {
		ref->domain = str_sub(rest, 0, (size_t)slash);
		ref->path = str_from(rest, (size_t)slash + 1);
	}
	if (str_is(ref->domain, "index.docker.io")) {
		ref->domain = STR("docker.io");
	}
	if (str_is(ref->domain, "docker.io") && str_find_char(ref->path, '/') < 0) {
		ref->path = arena_printf(arena, "library/%.*s", STR_ARG(ref->path));
	}
}

int reference_parse(struct arena *arena, struct str text, struct reference *ret, struct err *err)
{
	struct reference ref = {0};
	struct str rest = arena_str(arena, text);
	ptrdiff_t at;

	if (text.n == 0 || text.n > REFERENCE_MAX) {
		return err_set(err, ERR_INVALID,
			       "an image name has 1 to %d bytes, this one has %zu", REFERENCE_MAX,
			       text.n);
	}
	at = str_find_char(rest, '@');
	if (at >= 0) {
		ref.digest = str_from(rest, (size_t)at + 1);
		rest = str_sub(rest, 0, (size_t)at);
		if (!reference_is_digest(ref.digest)) {
			return err_set(
				err, ERR_INVALID,
				"image name %.*s: the digest must be sha256: and 64 hex digits",
				STR_ARG(text));
		}
	}
	at = str_rfind_char(rest, ':');
	if (at >= 0 && str_find_char(str_from(rest, (size_t)at), '/') < 0) {
		ref.tag = str_from(rest, (size_t)at + 1);
		rest = str_sub(rest, 0, (size_t)at);
		if (!is_tag(ref.tag)) {
			return err_set(err, ERR_INVALID, "image name %.*s: \"%.*s\" is not a tag",
				       STR_ARG(text), STR_ARG(ref.tag));
		}
	}
	split_domain(arena, rest, &ref);
	if (!is_domain(ref.domain) || !is_path(ref.path) ||
	    ref.domain.n + ref.path.n + 1 > NAME_MAX_BYTES) {
		return err_set(err, ERR_INVALID,
			       "invalid image name %.*s: it has the form "
			       "[host[:port]/]path[:tag][@digest], path in lower case",
			       STR_ARG(text));
	}
	if (!ref.tag.p && !ref.digest.p) {
		ref.tag = STR("latest");
	}
	ref.name = arena_printf(arena, "%.*s/%.*s%s%.*s%s%.*s", STR_ARG(ref.domain),
				STR_ARG(ref.path), ref.tag.p ? ":" : "", STR_ARG(ref.tag),
				ref.digest.p ? "@" : "", STR_ARG(ref.digest));
	*ret = ref;
	return 0;
}
