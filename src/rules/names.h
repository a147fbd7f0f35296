/* SPDX-License-Identifier: Apache-2.0 */
/* rules/names.h: what names, label keys and values, port and variable names may look like, with the texts that upstream gives
 * (apimachinery api/validate/content and util/validation). Pure; nothing allocates but check_name().
 *     check_name(errs, AT(at, "hostname"), spec->hostname, dns_label_faults);
 *     spec.hostname: Invalid value: "A": a lowercase RFC 1123 label must consist of ... */
#pragma once
#include <stdbool.h>

#include "base/str.h"
#include "object/field_error.h"

/* What is wrong with a name; n == 0 if nothing. Each text becomes an error of its own, as upstream has it. */
struct name_faults {
	const char *p[5];
	size_t n;
};

typedef void (*name_faults_fn)(struct str s, struct name_faults *ret);

void dns_label_faults(struct str s, struct name_faults *ret);	  /* RFC 1123 label, 63 */
void dns_subdomain_faults(struct str s, struct name_faults *ret); /* RFC 1123 subdomain, 253 */
/* The same, with _ allowed: DNS search paths. */
void dns_search_faults(struct str s, struct name_faults *ret);
void dns1035_label_faults(struct str s, struct name_faults *ret); /* starts with a letter, 63 */
void wildcard_dns_faults(struct str s, struct name_faults *ret);  /* *.example.com */
/* RBAC objects, requests: anything but /, %, . and .. */
void path_segment_faults(struct str s, struct name_faults *ret);
void qualified_name_faults(struct str s,
			   struct name_faults *ret); /* [prefix/]name: label keys, finalizers */
void label_value_faults(struct str s, struct name_faults *ret);
void port_name_faults(struct str s, struct name_faults *ret); /* IANA service name, 15 */
/* Any printable ASCII but =, as since v1.34. */
void env_name_faults(struct str s, struct name_faults *ret);
void config_map_key_faults(struct str s, struct name_faults *ret);
void http_header_name_faults(struct str s, struct name_faults *ret);
void percent_faults(struct str s, struct name_faults *ret); /* 25% */

/* True if the rule finds nothing. */
bool name_is(struct str s, name_faults_fn rule);

/* Appends an Invalid for each fault. */
void check_name(struct field_errors *errs, const struct path *at, struct str s,
		name_faults_fn rule);
/* acme.io/path (IngressClass controllers, managedBy): Required if empty. */
void check_domain_prefixed_path(struct field_errors *errs, const struct path *at, struct str s);
/* A domain of at least two labels, a dot behind the last allowed. */
void check_full_domain(struct field_errors *errs, const struct path *at, struct str s);

/* Kinds differ in what metadata.name may be (struct strategy, name). */
enum name_rule {
	NAME_DNS_SUBDOMAIN,
	NAME_DNS_LABEL,
	NAME_DNS1035_LABEL,
	NAME_PATH_SEGMENT,
	NAME_IP, /* a canonical address: IPAddress */
};

/* metadata.name, or generateName with prefix set: a dash at the end is fine then. Appends to errs. */
void check_object_name(struct field_errors *errs, const struct path *at, struct str name,
		       enum name_rule rule, bool prefix);
