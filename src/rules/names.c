/* SPDX-License-Identifier: Apache-2.0 */
#include "rules/names.h"

#include "rules/check.h"
#include "rules/cidr.h"

/* Regular expressions as upstream shows them in its messages. The code below does not interpret them. */
#define RE_LABEL "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
#define RE_SUBDOMAIN RE_LABEL "(\\." RE_LABEL ")*"
#define RE_SEARCH_LABEL "_?[a-z0-9]([-_a-z0-9]*[a-z0-9])?"
#define RE_SEARCH RE_SEARCH_LABEL "(\\." RE_SEARCH_LABEL ")*"
#define RE_1035 "[a-z]([-a-z0-9]*[a-z0-9])?"
#define RE_QUALIFIED "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
#define USED(re) "regex used for validation is '" re "')"

#define TEXT_LABEL                                                                                 \
	"a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', "   \
	"and must start and "                                                                      \
	"end with an alphanumeric character (e.g. 'my-name',  or '123-abc', " USED(RE_LABEL)
#define TEXT_SUBDOMAIN                                                                             \
	"a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' "  \
	"or '.', and must "                                                                        \
	"start and end with an alphanumeric character (e.g. 'example.com', " USED(RE_SUBDOMAIN)
#define TEXT_QUALIFIED                                                                             \
	"must consist of alphanumeric characters, '-', '_' or '.', and must start and end with "   \
	"an alphanumeric "                                                                         \
	"character (e.g. 'MyName',  or 'my.name',  or '123-abc', " USED(RE_QUALIFIED)

enum { LABEL_MAX = 63, SUBDOMAIN_MAX = 253, PORT_NAME_MAX = 15 };

static void fault(struct name_faults *f, const char *text)
{
	if (f->n < ARRAY_LEN(f->p)) {
		f->p[f->n++] = text;
	}
}

static bool is_lower(char c)
{
	return c >= 'a' && c <= 'z';
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_alnum(char c)
{
	return is_lower(c) || is_digit(c) || (c >= 'A' && c <= 'Z');
}

/* Lower case letters and digits at both ends, and what `inner` names between them too. */
static bool is_label(struct str s, const char *inner)
{
	for (size_t i = 0; i < s.n; i++) {
		bool edge = i == 0 || i == s.n - 1;

		if (!is_lower(s.p[i]) && !is_digit(s.p[i]) &&
		    (edge || !s.p[i] || !strchr(inner, s.p[i]))) {
			return false;
		}
	}
	return s.n > 0;
}

static bool is_subdomain(struct str s)
{
	struct str label;

	if (!s.n) {
		return false;
	}
	while (str_cut(&s, '.', &label)) {
		if (!is_label(label, "-")) {
			return false;
		}
	}
	return true;
}

void dns_label_faults(struct str s, struct name_faults *ret)
{
	if (s.n > LABEL_MAX) {
		fault(ret, "must be no more than 63 characters");
	}
	if (!is_label(s, "-")) {
		fault(ret, is_subdomain(s) ? "must not contain dots" : TEXT_LABEL);
	}
}

void dns_subdomain_faults(struct str s, struct name_faults *ret)
{
	if (s.n > SUBDOMAIN_MAX) {
		fault(ret, "must be no more than 253 characters");
	}
	if (!is_subdomain(s)) {
		fault(ret, TEXT_SUBDOMAIN);
	}
}

static bool is_search_path(struct str s)
{
	struct str label;

	if (!s.n) {
		return false;
	}
	while (str_cut(&s, '.', &label)) {
		if (str_has_prefix(label, STR("_"))) {
			label = str_from(label, 1);
		}
		if (!is_label(label, "-_")) {
			return false;
		}
	}
	return true;
}

void dns_search_faults(struct str s, struct name_faults *ret)
{
	if (s.n > SUBDOMAIN_MAX) {
		fault(ret, "must be no more than 253 characters");
	}
	if (!is_search_path(s)) {
		fault(ret, "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric "
			   "characters, '_', "
			   "'-' or '.', and must start and end with an alphanumeric character "
			   "(e.g. 'example.com', " USED(RE_SEARCH));
	}
}

void dns1035_label_faults(struct str s, struct name_faults *ret)
{
	if (s.n > LABEL_MAX) {
		fault(ret, "must be no more than 63 characters");
	}
	if (!is_label(s, "-") || !is_lower(s.p[0])) {
		fault(ret, "a DNS-1035 label must consist of lower case alphanumeric characters or "
			   "'-', start with an "
			   "alphabetic character, and end with an alphanumeric character (e.g. "
			   "'my-name',  or "
			   "'abc-123', " USED(RE_1035));
	}
}

void wildcard_dns_faults(struct str s, struct name_faults *ret)
{
	if (s.n > SUBDOMAIN_MAX) {
		fault(ret, "must be no more than 253 characters");
	}
	if (!str_has_prefix(s, STR("*.")) || !is_subdomain(str_from(s, 2))) {
		fault(ret,
		      "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS "
		      "subdomain, "
		      "which must consist of lower case alphanumeric characters, '-' or '.' and "
		      "end with an "
		      "alphanumeric character (e.g. '*.example.com', " USED("\\*\\." RE_SUBDOMAIN));
	}
}

void path_segment_faults(struct str s, struct name_faults *ret)
{
	if (str_is(s, ".")) {
		fault(ret, "may not be '.'");
	} else if (str_is(s, "..")) {
		fault(ret, "may not be '..'");
	}
	if (str_find_char(s, '/') >= 0) {
		fault(ret, "may not contain '/'");
	}
	if (str_find_char(s, '%') >= 0) {
		fault(ret, "may not contain '%'");
	}
}

/* Letters and digits at both ends, - _ . between them too. */
static bool is_qualified_part(struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		bool edge = i == 0 || i == s.n - 1;
		char c = s.p[i];

		if (!is_alnum(c) && (edge || !(c == '-' || c == '_' || c == '.'))) {
			return false;
		}
	}
	return s.n > 0;
}

void qualified_name_faults(struct str s, struct name_faults *ret)
{
	struct str name = s;
	ptrdiff_t slash = str_find_char(s, '/');

	if (slash >= 0) {
		struct str prefix = str_make(s.p, (size_t)slash);

		name = str_from(s, (size_t)slash + 1);
		if (str_find_char(name, '/') >= 0) {
			fault(ret, "a valid label key " TEXT_QUALIFIED
				   " with an optional DNS subdomain prefix and '/' (e.g. "
				   "'example.com/MyName')");
			return;
		}
		if (!prefix.n) {
			fault(ret, "prefix part must be non-empty");
		} else if (prefix.n > SUBDOMAIN_MAX) {
			fault(ret, "prefix part must be no more than 253 bytes");
		}
		if (prefix.n && !is_subdomain(prefix)) {
			fault(ret, "prefix part " TEXT_SUBDOMAIN);
		}
	}
	if (!name.n) {
		fault(ret, "name part must be non-empty");
	} else if (name.n > LABEL_MAX) {
		fault(ret, "name part must be no more than 63 bytes");
	}
	if (!is_qualified_part(name)) {
		fault(ret, "name part " TEXT_QUALIFIED);
	}
}

void label_value_faults(struct str s, struct name_faults *ret)
{
	if (s.n > LABEL_MAX) {
		fault(ret, "must be no more than 63 bytes");
	}
	if (s.n && !is_qualified_part(s)) {
		fault(ret, "a valid label must be an empty string or consist of alphanumeric "
			   "characters, '-', '_' or "
			   "'.', and must start and end with an alphanumeric character (e.g. "
			   "'MyValue',  or "
			   "'my_value',  or '12345', " USED("(" RE_QUALIFIED ")?"));
	}
}

void port_name_faults(struct str s, struct name_faults *ret)
{
	bool letter = false;
	bool charset = s.n > 0;

	for (size_t i = 0; i < s.n; i++) {
		letter = letter || is_lower(s.p[i]);
		charset = charset && (is_lower(s.p[i]) || is_digit(s.p[i]) || s.p[i] == '-');
	}
	if (s.n > PORT_NAME_MAX) {
		fault(ret, "must be no more than 15 characters");
	}
	if (!charset) {
		fault(ret,
		      "must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)");
	}
	if (!letter) {
		fault(ret, "must contain at least one letter (a-z)");
	}
	if (str_contains(s, STR("--"))) {
		fault(ret, "must not contain consecutive hyphens");
	}
	if (str_has_prefix(s, STR("-")) || str_has_suffix(s, STR("-"))) {
		fault(ret, "must not begin or end with a hyphen");
	}
}

void env_name_faults(struct str s, struct name_faults *ret)
{
	if (!s.n) {
		fault(ret, "environment variable name must be non-empty");
	}
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] < ' ' || s.p[i] > '~' || s.p[i] == '=') {
			fault(ret, "a valid environment variable name must consist only of "
				   "printable ASCII characters "
				   "other than '='");
			return;
		}
	}
}

void config_map_key_faults(struct str s, struct name_faults *ret)
{
	bool charset = s.n > 0;

	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		charset = charset && (is_alnum(c) || c == '-' || c == '_' || c == '.');
	}
	if (s.n > SUBDOMAIN_MAX) {
		fault(ret, "must be no more than 253 characters");
	}
	if (!charset) {
		fault(ret, "a valid config key must consist of alphanumeric characters, '-', '_' "
			   "or '.' (e.g. "
			   "'key.name',  or 'KEY_NAME',  or 'key-name', " USED("[-._a-zA-Z0-9]+"));
	}
	if (str_is(s, ".")) {
		fault(ret, "must not be '.'");
	} else if (str_is(s, "..")) {
		fault(ret, "must not be '..'");
	} else if (str_has_prefix(s, STR(".."))) {
		fault(ret, "must not start with '..'");
	}
}

void http_header_name_faults(struct str s, struct name_faults *ret)
{
	bool charset = s.n > 0;

	for (size_t i = 0; i < s.n; i++) {
		charset = charset && (is_alnum(s.p[i]) || s.p[i] == '-');
	}
	if (!charset) {
		fault(ret,
		      "a valid HTTP header must consist of alphanumeric characters or '-' (e.g. "
		      "'X-Header-Name', " USED("[-A-Za-z0-9]+"));
	}
}

void percent_faults(struct str s, struct name_faults *ret)
{
	bool fine = s.n > 1 && s.p[s.n - 1] == '%';

	for (size_t i = 0; fine && i < s.n - 1; i++) {
		fine = is_digit(s.p[i]);
	}
	if (!fine) {
		fault(ret, "a valid percent string must be a numeric string followed by an ending "
			   "'%' (e.g. '1%',  or "
			   "'93%', " USED("[0-9]+%"));
	}
}

bool name_is(struct str s, name_faults_fn rule)
{
	struct name_faults f = {0};

	rule(s, &f);
	return f.n == 0;
}

void check_name(struct field_errors *errs, const struct path *at, struct str s, name_faults_fn rule)
{
	struct name_faults f = {0};

	rule(s, &f);
	for (size_t i = 0; i < f.n; i++) {
		field_invalid(errs, at, field_str(s), "%s", f.p[i]);
	}
}

/* RFC 3986: unreserved, percent-encoded, sub-delims, : and / */
static bool is_http_path(struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		if (!is_alnum(s.p[i]) && (!s.p[i] || !strchr("/-._~%!$&'()*+,;=:", s.p[i]))) {
			return false;
		}
	}
	return s.n > 0;
}

void check_domain_prefixed_path(struct field_errors *errs, const struct path *at, struct str s)
{
	struct str path = s;
	struct str host;

	if (!s.n) {
		field_required(errs, at, NULL);
		return;
	}
	str_cut(&path, '/', &host);
	if (!host.n || !path.n) {
		field_invalid(errs, at, field_str(s),
			      "must be a domain-prefixed path (such as \"acme.io/foo\")");
		return;
	}
	check_name(errs, at, host, dns_subdomain_faults);
	if (!is_http_path(path)) {
		field_invalid(errs, at, field_str(path), "Invalid path (%s",
			      USED("[A-Za-z0-9/\\-._~%!$&'()*+,;=:]+"));
	}
}

void check_full_domain(struct field_errors *errs, const struct path *at, struct str s)
{
	struct name_faults f = {0};
	struct str rest;
	struct str label;

	if (!s.n) {
		field_required(errs, at, NULL);
		return;
	}
	if (s.p[s.n - 1] == '.') {
		s.n--;
	}
	dns_subdomain_faults(s, &f);
	if (f.n) {
		check_name(errs, at, s, dns_subdomain_faults);
		return;
	}
	if (str_find_char(s, '.') < 0) {
		field_invalid(errs, at, field_str(s),
			      "should be a domain with at least two segments separated by dots");
		return;
	}
	for (rest = s; str_cut(&rest, '.', &label);) {
		check_name(errs, at, label, dns_label_faults);
	}
}

static void ip_name_faults(struct str s, struct name_faults *ret)
{
	struct addr ip;

	if (addr_parse(s, &ip) < 0) {
		fault(ret, "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)");
	} else if (!addr_is_canonical(s)) {
		fault(ret, "must be in canonical form");
	}
}

void check_object_name(struct field_errors *errs, const struct path *at, struct str name,
		       enum name_rule rule, bool prefix)
{
	static const name_faults_fn rules[] = {
		[NAME_DNS_SUBDOMAIN] = dns_subdomain_faults,
		[NAME_DNS_LABEL] = dns_label_faults,
		[NAME_DNS1035_LABEL] = dns1035_label_faults,
		[NAME_PATH_SEGMENT] = path_segment_faults,
		[NAME_IP] = ip_name_faults,
	};
	struct name_faults f = {0};
	struct str seen = name;

	/* What comes behind the dash is the generator's. */
	if (prefix && rule != NAME_PATH_SEGMENT && name.n > 1 && name.p[name.n - 1] == '-') {
		seen = str_sub(name, 0, name.n - 1);
	}
	rules[rule](seen, &f);
	for (size_t i = 0; i < f.n; i++) {
		field_invalid(errs, at, field_str(name), "%s", f.p[i]);
	}
}
