/* SPDX-License-Identifier: Apache-2.0 */
/* Cases of apimachinery's util/validation. */
#include "rules/names.h"

#include "base/test.h"
#include "rules/check.h"

#define A63 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

/* What the rule says of each, joined by "; "; NULL: nothing. */
struct name_case {
	const char *name, *faults;
};

static void expect_faults(name_faults_fn rule, const struct name_case *cases, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct name_faults faults = {0};
		struct buf b CLEANUP_BUF = {0};

		rule(str_of(cases[i].name), &faults);
		for (size_t k = 0; k < faults.n; k++) {
			buf_printf(&b, "%s%s", k ? "; " : "", faults.p[k]);
		}
		/* The regular expressions that upstream quotes would only repeat names.c. */
		if (!cases[i].faults
			    ? b.n != 0
			    : !b.n || !str_has_prefix(buf_str(&b), str_of(cases[i].faults))) {
			print_error("'%s': %s\n", cases[i].name, buf_cstr(&b));
			fail();
		}
		assert_int_equal(name_is(str_of(cases[i].name), rule), !cases[i].faults);
	}
}

#define EXPECT_FAULTS(rule, ...)                                                                   \
	do {                                                                                       \
		static const struct name_case cases_[] = {__VA_ARGS__};                            \
		expect_faults(rule, cases_, ARRAY_LEN(cases_));                                    \
	} while (0)

TEST(labels)
{
	EXPECT_FAULTS(dns_label_faults, {"a", NULL}, {"0-9", NULL}, {A63, NULL}, {"a--b", NULL},
		      {"", "a lowercase RFC 1123 label must consist of"},
		      {"A", "a lowercase RFC 1123 label"}, {"-a", "a lowercase"},
		      {"a-", "a lowercase"}, {"a_b", "a lowercase"}, {"a b", "a lowercase"},
		      {"a.b", "must not contain dots"}, {"\xc3\xa4", "a lowercase"},
		      {A63 "a", "must be no more than 63 characters"});
	EXPECT_FAULTS(dns1035_label_faults, {"a", NULL}, {"a1-b", NULL},
		      {"1a", "a DNS-1035 label must consist of"}, {"a.b", "a DNS-1035 label"},
		      {"", "a DNS-1035 label"}, {A63 "a", "must be no more than 63 characters"});
}

TEST(subdomains)
{
	EXPECT_FAULTS(dns_subdomain_faults, {"a.b.c", NULL}, {"0.1", NULL}, {"a", NULL},
		      {"", "a lowercase RFC 1123 subdomain must consist of"},
		      {"a..b", "a lowercase"}, {".a", "a lowercase"}, {"a.", "a lowercase"},
		      {"a.-b", "a lowercase"}, {"A.b", "a lowercase"},
		      {A63 "." A63 "." A63 "." A63, "must be no more than 253 characters"});
	EXPECT_FAULTS(wildcard_dns_faults, {"*.a", NULL}, {"*.a.b", NULL},
		      {"a.b", "a wildcard DNS-1123"}, {"*", "a wildcard"}, {"*.", "a wildcard"},
		      {"*.*.a", "a wildcard"});
	EXPECT_FAULTS(dns_search_faults, {"a_b.c", NULL}, {"_tcp.a", NULL}, {"a b", "a lowercase"});
}

TEST(qualified_names)
{
	EXPECT_FAULTS(qualified_name_faults, {"simple", NULL}, {"now-with-dashes", NULL},
		      {"1-starts-with-num", NULL}, {"1234", NULL}, {"simple/simple", NULL},
		      {"now.with.dots/simple", NULL}, {"Upper_Case.x", NULL},
		      {"1.2.3.4/5678", NULL}, {"", "name part must be non-empty"},
		      {"a/b/c", "a valid label key"}, {"/x", "prefix part must be non-empty"},
		      {"x/", "name part must be non-empty"},
		      {"Nope/x", "prefix part a lowercase RFC 1123 subdomain"},
		      {"nospecial%", "name part must consist"}, {"a b", "name part must consist"},
		      {A63 "a", "name part must be no more than 63 bytes"});
	EXPECT_FAULTS(label_value_faults, {"", NULL}, {"simple", NULL}, {"A_b.c-1", NULL},
		      {A63, NULL}, {"-a", "a valid label must be an empty string or"},
		      {"a b", "a valid label"}, {"a/b", "a valid label"},
		      {A63 "a", "must be no more than 63 bytes"});
}

TEST(other_names)
{
	EXPECT_FAULTS(port_name_faults, {"a", NULL}, {"1a", NULL}, {"web-1", NULL},
		      {"toolongtoolongtoo", "must be no more than 15 characters"},
		      {"12", "must contain at least one letter (a-z)"},
		      {"a--b", "must not contain consecutive hyphens"},
		      {"-a", "must not begin or end with a hyphen"},
		      {"a_b", "must contain only alpha-numeric"}, {"", "must contain only"});
	EXPECT_FAULTS(
		env_name_faults, {"A", NULL}, {"a.b-c", NULL}, {"1", NULL}, {"a b", NULL},
		{"a=b", "a valid environment variable name must consist only of printable ASCII"},
		{"", "environment variable name must be non-empty"},
		{"a\n", "a valid environment"});
	EXPECT_FAULTS(config_map_key_faults, {"a", NULL}, {".a", NULL}, {"A_b-1.c", NULL},
		      {"", "a valid config key"}, {".", "must not be '.'"},
		      {"..", "must not be '..'"}, {"..a", "must not start with '..'"},
		      {"a/b", "a valid config key must consist of"});
	EXPECT_FAULTS(path_segment_faults, {"system:x", NULL}, {"A b", NULL},
		      {".", "may not be '.'"}, {"..", "may not be '..'"},
		      {"a/b", "may not contain '/'"}, {"a%b", "may not contain '%'"},
		      {"a/%", "may not contain '/'; may not contain '%'"});
	EXPECT_FAULTS(http_header_name_faults, {"X-Y", NULL},
		      {"a b", "a valid HTTP header must consist of"});
	EXPECT_FAULTS(percent_faults, {"25%", NULL}, {"0%", NULL}, {"25", "a valid percent string"},
		      {"-1%", "a valid percent"}, {"%", "a valid percent"});
}

TEST(paths_with_domains)
{
	static const char *const cases[][2] = {
		{"acme.io/foo", ""},
		{"acme.io/foo/bar", ""},
		{"", "spec.x: Required value"},
		{"acme.io", "must be a domain-prefixed path (such as \"acme.io/foo\")"},
		{"acme.io/", "must be a domain-prefixed path"},
		{"/foo", "must be a domain-prefixed path"},
		{"Acme/foo", "a lowercase RFC 1123 subdomain"},
		{"acme.io/foo bar", "Invalid path (regex used for validation is"},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct arena a CLEANUP_ARENA = {0};
		struct buf b CLEANUP_BUF = {0};
		struct field_errors errs = {.arena = &a};

		check_domain_prefixed_path(&errs, AT(AT(NULL, "spec"), "x"), str_of(cases[i][0]));
		field_errors_write(&b, &errs);
		if (cases[i][1][0] ? !str_contains(buf_str(&b), str_of(cases[i][1])) : b.n != 0) {
			print_error("%s: %s\n", cases[i][0], buf_cstr(&b));
			fail();
		}
	}
}

TEST(names_of_objects)
{
	static const struct {
		const char *name;
		enum name_rule rule;
		bool prefix, good;
	} cases[] = {
		{"a.b", NAME_DNS_SUBDOMAIN, false, true}, {"a.b", NAME_DNS_LABEL, false, false},
		{"a-", NAME_DNS_SUBDOMAIN, true, true},	  {"a-", NAME_DNS_SUBDOMAIN, false, false},
		{"a-", NAME_DNS_LABEL, true, true},	  {"a_", NAME_DNS_LABEL, true, false},
		{"1a", NAME_DNS1035_LABEL, false, false}, {"a1", NAME_DNS1035_LABEL, false, true},
		{"a:b", NAME_PATH_SEGMENT, false, true},  {"..", NAME_PATH_SEGMENT, false, false},
		{"10.0.0.1", NAME_IP, false, true},	  {"fd00::1", NAME_IP, false, true},
		{"fd00:0::1", NAME_IP, false, false},	  {"10.0.0.01", NAME_IP, false, false},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct arena a CLEANUP_ARENA = {0};
		struct field_errors errs = {.arena = &a};

		check_object_name(&errs, NULL, str_of(cases[i].name), cases[i].rule,
				  cases[i].prefix);
		if ((errs.n == 0) != cases[i].good) {
			print_error("%s: %zu errors\n", cases[i].name, errs.n);
			fail();
		}
	}
}

TEST_MAIN(labels, subdomains, qualified_names, other_names, paths_with_domains, names_of_objects)
