/* SPDX-License-Identifier: Apache-2.0 */
#include "ingress/annotations.h"

#include <arpa/inet.h>
#include <ctype.h>

#include "base/buf.h"

/* Parses a trimmed, bounded value into the field at `to`; false: not a valid value. */
typedef bool (*parse_fn)(struct str value, int64_t min, int64_t max, struct arena *arena, void *to);

static bool parse_bool(struct str value, int64_t min UNUSED, int64_t max UNUSED,
		       struct arena *arena UNUSED, void *to)
{
	/* Go's strconv.ParseBool, which ingress-nginx uses. */
	static const char *const yes[] = {"1", "t", "T", "true", "TRUE", "True"};
	static const char *const no[] = {"0", "f", "F", "false", "FALSE", "False"};

	for (size_t i = 0; i < ARRAY_LEN(yes); i++) {
		if (str_eq(value, str_of(yes[i])) || str_eq(value, str_of(no[i]))) {
			*(bool *)to = str_eq(value, str_of(yes[i]));
			return true;
		}
	}
	return false;
}

static bool parse_int(struct str value, int64_t min, int64_t max, struct arena *arena UNUSED,
		      void *to)
{
	int64_t v;

	if (str_to_int64(value, &v) < 0 || v < min || v > max) {
		return false;
	}
	*(int64_t *)to = v;
	return true;
}

/* nginx's sizes: 8m, 512k, 1g, 1024, with an optional b. */
static bool parse_size(struct str value, int64_t min, int64_t max, struct arena *arena UNUSED,
		       void *to)
{
	static const char units[] = "bkmg";
	unsigned shift = 0;
	uint64_t v;

	if (value.n > 1 && !isdigit((unsigned char)value.p[value.n - 1])) {
		const char *unit = strchr(units, tolower((unsigned char)value.p[value.n - 1]));

		if (!unit) {
			return false;
		}
		shift = 10 * (unsigned)(unit - units);
		value.n--;
	}
	if (!value.n || !isdigit((unsigned char)value.p[0]) || str_to_uint64(value, &v) < 0 ||
	    v > (uint64_t)max >> shift) {
		return false;
	}
	*(int64_t *)to = (int64_t)(v << shift);
	return *(int64_t *)to >= min;
}

/* One item of a list: trimmed, not empty. */
static bool cut_item(struct str *rest, struct str *ret_item)
{
	if (!str_cut(rest, ',', ret_item)) {
		return false;
	}
	*ret_item = str_trim(*ret_item);
	return true;
}

static bool is_made_of(struct str s, bool (*is_ok)(unsigned char c))
{
	for (size_t i = 0; i < s.n; i++) {
		if (!is_ok((unsigned char)s.p[i])) {
			return false;
		}
	}
	return s.n > 0;
}

static bool is_letter(unsigned char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

static bool is_header_char(unsigned char c)
{
	return is_letter(c) || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '*';
}

static bool is_host_char(unsigned char c)
{
	return is_letter(c) || (c >= '0' && c <= '9') || c == '-' || c == '.';
}

/* Comma-separated words, joined again by `separator`. */
static bool parse_words(struct str value, bool (*is_ok)(unsigned char c), const char *separator,
			struct arena *arena, struct str *ret)
{
	struct buf out CLEANUP_BUF = {0};
	struct str item;
	size_t n = 0;

	while (cut_item(&value, &item)) {
		if (!is_made_of(item, is_ok) || ++n > ANNOTATION_ITEMS_MAX) {
			return false;
		}
		if (out.n) {
			buf_add_str(&out, str_of(separator));
		}
		buf_add_str(&out, item);
	}
	*ret = arena_str(arena, buf_str(&out));
	return n > 0;
}

static bool parse_methods(struct str value, int64_t min UNUSED, int64_t max UNUSED,
			  struct arena *arena, void *to)
{
	return parse_words(value, is_letter, ", ", arena, to);
}

static bool parse_headers(struct str value, int64_t min UNUSED, int64_t max UNUSED,
			  struct arena *arena, void *to)
{
	return parse_words(value, is_header_char, ",", arena, to);
}

/* scheme://[*.]host[:port] */
static bool is_origin(struct str origin)
{
	ptrdiff_t scheme_end = str_find(origin, STR("://"));
	struct str host, port = STR_NULL;
	ptrdiff_t colon;
	int64_t number;

	if (scheme_end <= 0 || !is_made_of(str_sub(origin, 0, (size_t)scheme_end), is_letter)) {
		return false;
	}
	host = str_from(origin, (size_t)scheme_end + 3);
	colon = str_find_char(host, ':');
	if (colon >= 0) {
		port = str_from(host, (size_t)colon + 1);
		host = str_sub(host, 0, (size_t)colon);
		if (!parse_int(port, 1, 65535, NULL, &number) ||
		    !isdigit((unsigned char)port.p[0])) {
			return false;
		}
	}
	if (str_has_prefix(host, STR("*."))) {
		host = str_from(host, 2);
	}
	return is_made_of(host, is_host_char);
}

static bool parse_origins(struct str value, int64_t min UNUSED, int64_t max UNUSED,
			  struct arena *arena, void *to)
{
	struct buf out CLEANUP_BUF = {0};
	bool any = false;
	struct str item;
	size_t n = 0;

	while (cut_item(&value, &item)) {
		if ((!str_is(item, "*") && !is_origin(item)) || ++n > ANNOTATION_ITEMS_MAX) {
			return false;
		}
		any = any || str_is(item, "*");
		if (out.n) {
			buf_add_char(&out, ' ');
		}
		for (size_t i = 0; i < item.n; i++) {
			buf_add_char(&out, (char)tolower((unsigned char)item.p[i]));
		}
	}
	*(struct str *)to = any ? STR("*") : arena_str(arena, buf_str(&out));
	return n > 0;
}

static bool parse_cidr(struct str text, struct cidr *ret)
{
	char addr[INET6_ADDRSTRLEN];
	struct str head, rest = text;
	int64_t prefix;
	unsigned bits;

	str_cut(&rest, '/', &head);
	if (head.n >= sizeof(addr)) {
		return false;
	}
	memcpy(addr, head.p, head.n);
	addr[head.n] = '\0';
	memset(ret, 0, sizeof(*ret));
	ret->family = memchr(addr, ':', head.n) ? AF_INET6 : AF_INET;
	if (memchr(addr, '\0', head.n) || inet_pton(ret->family, addr, ret->addr) != 1) {
		return false;
	}
	bits = ret->family == AF_INET ? 32 : 128;
	prefix = bits;
	if (rest.p && (!rest.n || !isdigit((unsigned char)rest.p[0]) ||
		       !parse_int(rest, 0, bits, NULL, &prefix))) {
		return false;
	}
	ret->prefix = (unsigned)prefix;
	for (unsigned bit = ret->prefix; bit < bits; bit++) {
		ret->addr[bit / 8] &= (unsigned char)~(0x80 >> bit % 8);
	}
	return true;
}

static bool parse_cidrs(struct str value, int64_t min UNUSED, int64_t max UNUSED,
			struct arena *arena, void *to)
{
	struct cidrs *cidrs = to;
	struct str item;

	*cidrs = (struct cidrs){.p = ARENA_ARRAY(arena, ANNOTATION_ITEMS_MAX, struct cidr)};
	while (cut_item(&value, &item)) {
		if (cidrs->n == ANNOTATION_ITEMS_MAX || !parse_cidr(item, &cidrs->p[cidrs->n])) {
			return false;
		}
		cidrs->n++;
	}
	return cidrs->n > 0;
}

static bool parse_protocol(struct str value, int64_t min UNUSED, int64_t max UNUSED,
			   struct arena *arena UNUSED, void *to)
{
	if (!str_eq_nocase(value, STR("HTTP")) && !str_eq_nocase(value, STR("HTTPS"))) {
		return false;
	}
	*(int64_t *)to = str_eq_nocase(value, STR("HTTPS")) ? BACKEND_HTTPS : BACKEND_HTTP;
	return true;
}

#define FIELD(member) offsetof(struct annotations, member)
#define BODY_BYTES_MAX (1LL << 50)
#define LIMIT_MAX 1000000
#define TIMEOUT_S_MAX (7 * 86400)

static const struct annotation {
	const char *name; /* behind ANNOTATION_PREFIX */
	parse_fn parse;
	size_t offset;
	int64_t min, max;
	const char *want; /* for people */
} known[] = {
	{"enable-cors", parse_bool, FIELD(enable_cors), 0, 0, "true or false"},
	{"cors-allow-origin", parse_origins, FIELD(cors_allow_origin), 0, 0,
	 "* or scheme://host[:port], separated by commas"},
	{"cors-allow-methods", parse_methods, FIELD(cors_allow_methods), 0, 0,
	 "methods separated by commas"},
	{"cors-allow-headers", parse_headers, FIELD(cors_allow_headers), 0, 0,
	 "header names separated by commas"},
	{"cors-expose-headers", parse_headers, FIELD(cors_expose_headers), 0, 0,
	 "header names separated by commas"},
	{"cors-allow-credentials", parse_bool, FIELD(cors_allow_credentials), 0, 0,
	 "true or false"},
	{"cors-max-age", parse_int, FIELD(cors_max_age_s), 0, INT32_MAX, "seconds"},
	{"limit-rps", parse_int, FIELD(limit_rps), 0, LIMIT_MAX,
	 "requests per second, 0 to 1000000"},
	{"limit-rpm", parse_int, FIELD(limit_rpm), 0, LIMIT_MAX,
	 "requests per minute, 0 to 1000000"},
	{"limit-connections", parse_int, FIELD(limit_connections), 0, 65535, "0 to 65535"},
	{"limit-burst-multiplier", parse_int, FIELD(limit_burst_multiplier), 1, 1000, "1 to 1000"},
	{"limit-rate", parse_int, FIELD(limit_rate_kib), 0, LIMIT_MAX,
	 "KiB per second, 0 to 1000000"},
	{"limit-rate-after", parse_int, FIELD(limit_rate_after_kib), 0, LIMIT_MAX,
	 "KiB, 0 to 1000000"},
	{"limit-whitelist", parse_cidrs, FIELD(limit_whitelist), 0, 0,
	 "addresses or CIDRs separated by commas"},
	{"limit-allowlist", parse_cidrs, FIELD(limit_whitelist), 0, 0,
	 "addresses or CIDRs separated by commas"},
	{"whitelist-source-range", parse_cidrs, FIELD(source_range), 0, 0,
	 "addresses or CIDRs separated by commas"},
	{"allowlist-source-range", parse_cidrs, FIELD(source_range), 0, 0,
	 "addresses or CIDRs separated by commas"},
	{"proxy-body-size", parse_size, FIELD(body_bytes_max), 0, BODY_BYTES_MAX,
	 "a size such as 8m, or 0 for no limit"},
	{"proxy-connect-timeout", parse_int, FIELD(connect_timeout_s), 1, 75,
	 "1 to 75 seconds, without a unit"},
	{"proxy-send-timeout", parse_int, FIELD(send_timeout_s), 1, TIMEOUT_S_MAX,
	 "1 to 604800 seconds, without a unit"},
	{"proxy-read-timeout", parse_int, FIELD(read_timeout_s), 1, TIMEOUT_S_MAX,
	 "1 to 604800 seconds, without a unit"},
	{"ssl-redirect", parse_bool, FIELD(ssl_redirect), 0, 0, "true or false"},
	{"force-ssl-redirect", parse_bool, FIELD(force_ssl_redirect), 0, 0, "true or false"},
	{"backend-protocol", parse_protocol, FIELD(backend_protocol), 0, 0, "HTTP or HTTPS"},
};

/* Annotations that guard something or split traffic, by how their name begins. Without them we don't serve. */
static const char *const guards[] = {
	"auth-",
	"enable-global-auth",
	"satisfy",
	"denylist-source-range",
	"blacklist-source-range",
	"enable-modsecurity",
	"modsecurity-",
	"enable-owasp",
	"proxy-ssl-",
	"secure-verify-",
	"configuration-snippet",
	"server-snippet",
	"global-rate-limit",
	"canary",
};

static const struct annotations defaults = {
	.cors_allow_credentials = true,
	.cors_allow_origin = STR_INIT("*"),
	.cors_allow_methods = STR_INIT("GET, PUT, POST, DELETE, PATCH, OPTIONS"),
	.cors_allow_headers =
		STR_INIT("DNT,Keep-Alive,User-Agent,X-Requested-With,If-Modified-Since,"
			 "Cache-Control,Content-Type,Range,Authorization"),
	.cors_max_age_s = 1728000,
	.limit_burst_multiplier = 5,
	.body_bytes_max = 1 << 20,
	.connect_timeout_s = 5,
	.send_timeout_s = 60,
	.read_timeout_s = 60,
	.ssl_redirect = true,
};

static const struct annotation *find_known(struct str name)
{
	for (size_t i = 0; i < ARRAY_LEN(known); i++) {
		if (str_eq(name, str_of(known[i].name))) {
			return &known[i];
		}
	}
	return NULL;
}

static bool is_guard(struct str name)
{
	for (size_t i = 0; i < ARRAY_LEN(guards); i++) {
		if (str_has_prefix(name, str_of(guards[i]))) {
			return true;
		}
	}
	return false;
}

static void parse_one(const struct annotation *a, struct str value, struct arena *arena,
		      struct annotations *ret, struct problems *problems)
{
	struct str trimmed = str_trim(value);

	if (value.n <= ANNOTATION_VALUE_MAX &&
	    a->parse(trimmed, a->min, a->max, arena, (char *)ret + a->offset)) {
		return;
	}
	ret->denied = true;
	/* The value may be anything: the event shows only that it is wrong. */
	problem_add(problems, "InvalidAnnotation",
		    "annotation " ANNOTATION_PREFIX
		    "%s has an invalid value, so the Ingress answers 503; wanted: %s",
		    a->name, a->want);
}

/* A key is a valid label name, but only if somebody validated it. */
static bool is_key_char(unsigned char c)
{
	return is_host_char(c) || c == '_';
}

void annotations_parse(const struct str_map *map, struct arena *arena, struct annotations *ret,
		       struct problems *problems)
{
	*ret = defaults;
	for (size_t i = 0; i < map->n; i++) {
		struct str name = map->p[i].key;
		const struct annotation *a;

		if (!str_has_prefix(name, STR(ANNOTATION_PREFIX))) {
			continue;
		}
		name = str_from(name, sizeof(ANNOTATION_PREFIX) - 1);
		a = find_known(name);
		if (a) {
			parse_one(a, map->p[i].value, arena, ret, problems);
		} else if (name.n > 63 || !is_made_of(name, is_key_char)) {
			ret->denied = true;
			problem_add(
				problems, "InvalidAnnotation",
				"an annotation's name is not valid, so the Ingress answers 503");
		} else if (is_guard(name)) {
			ret->denied = true;
			problem_add(
				problems, "UnsupportedAnnotation",
				"annotation " ANNOTATION_PREFIX
				"%.*s is not supported, and without it this Ingress should not be "
				"served: it answers 503 until the annotation is removed",
				STR_ARG(name));
		} else {
			problem_add(problems, "UnsupportedAnnotation",
				    "annotation " ANNOTATION_PREFIX
				    "%.*s is not supported and has no effect",
				    STR_ARG(name));
		}
	}
}
