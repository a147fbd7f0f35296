/* SPDX-License-Identifier: Apache-2.0 */
#include "rules/webhook_client.h"

#include <string.h>

#include "base/str.h"
#include "rules/check.h"
#include "rules/names.h"

#define URL_FORM "; desired format: https://host[/path]"

enum { PORT_MAX = 65535 };

static void check_path(struct field_errors *errs, const struct path *at, struct str path)
{
	struct str rest;
	struct str step;

	if (!path.n || str_is(path, "/")) {
		return;
	}
	if (str_is(path, "//")) {
		field_invalid(errs, at, field_str(path), "segment[0] may not be empty");
		return;
	}
	if (path.p[0] != '/') {
		field_invalid(errs, at, field_str(path), "must start with a '/'");
	}
	rest = str_from(path, 1);
	rest.n -= rest.n && rest.p[rest.n - 1] == '/';
	for (int i = 0; rest.p; i++) {
		struct name_faults faults = {0};
		ptrdiff_t slash = str_find_char(rest, '/');

		step = (struct str){rest.p, slash < 0 ? rest.n : (size_t)slash};
		rest = slash < 0 ? (struct str){0} : str_from(rest, (size_t)slash + 1);
		if (!step.n) {
			field_invalid(errs, at, field_str(path), "segment[%d] may not be empty", i);
			continue;
		}
		dns_subdomain_faults(step, &faults);
		for (size_t k = 0; k < faults.n; k++) {
			field_invalid(errs, at, field_str(path), "segment[%d]: %s", i, faults.p[k]);
		}
	}
}

void validate_webhook_service(struct field_errors *errs, const struct path *at,
			      struct str namespace, struct str name, const struct str *path,
			      const int32_t *port)
{
	if (!name.n) {
		field_required(errs, AT(at, "name"), "service name is required");
	}
	if (!namespace.n) {
		field_required(errs, AT(at, "namespace"), "service namespace is required");
	}
	if (port && (*port < 1 || *port > PORT_MAX)) {
		field_invalid(errs, AT(at, "port"), field_int(*port),
			      "port is not valid: must be between 1 and 65535, inclusive");
	}
	if (path) {
		check_path(errs, AT(at, "path"), *path);
	}
}

void validate_webhook_url(struct field_errors *errs, const struct path *at, struct str url)
{
	ptrdiff_t colon = str_find(url, STR("://"));
	struct str scheme = {url.p, colon < 0 ? 0 : (size_t)colon};
	struct str host = colon < 0 ? url : str_from(url, (size_t)colon + 3);
	ptrdiff_t user;

	if (!str_is(scheme, "https")) {
		field_invalid(errs, at, field_str(scheme),
			      "'https' is the only allowed URL scheme" URL_FORM);
	}
	host.n = 0;
	while (colon >= 0 && host.p + host.n < url.p + url.n && !strchr("/?#", host.p[host.n])) {
		host.n++;
	}
	user = str_find_char(host, '@');
	if (!host.n || (size_t)(user + 1) == host.n) {
		field_invalid(errs, at, field_str(STR("")), "host must be specified" URL_FORM);
	}
	if (user >= 0) {
		field_invalid(errs, at, field_str((struct str){host.p, (size_t)user}),
			      "user information is not permitted in the URL");
	}
	if (str_find_char(url, '#') >= 0) {
		field_invalid(errs, at,
			      field_str(str_from(url, (size_t)str_find_char(url, '#') + 1)),
			      "fragments are not permitted in the URL");
	}
	if (str_find_char(url, '?') >= 0) {
		field_invalid(errs, at,
			      field_str(str_from(url, (size_t)str_find_char(url, '?') + 1)),
			      "query parameters are not permitted in the URL");
	}
}
