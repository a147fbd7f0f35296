/* SPDX-License-Identifier: Apache-2.0 */
/* certificates.k8s.io/v1: who asked (username, uid, groups, extra) comes from the API server, which fills it in behind
 * prepare_create. The request itself is checked where it is signed. */
#include <string.h>

#include "base/str.h"
#include "rules/check.h"
#include "rules/names.h"
#include "rules/strategy.h"
#include "types/types.h"

enum { EXPIRATION_SECONDS_MIN = 600 };

static void request_prepare_create(struct arena *a UNUSED, void *obj)
{
	struct certificates_certificate_signing_request_spec *spec =
		&((struct certificates_certificate_signing_request *)obj)->spec;

	spec->username = spec->uid = (struct str){0};
	memset(&spec->groups, 0, sizeof(spec->groups));
	memset(&spec->extra, 0, sizeof(spec->extra));
}

static void request_prepare_update(struct arena *a UNUSED, void *obj, const void *old)
{
	struct certificates_certificate_signing_request *r = obj;

	r->spec = ((const struct certificates_certificate_signing_request *)old)->spec;
}

static void check_signer(struct field_errors *errs, const struct path *at, struct str name)
{
	ptrdiff_t slash = str_find_char(name, '/');
	struct str domain = {name.p, slash < 0 ? 0 : (size_t)slash};

	if (slash <= 0 || (size_t)slash + 1 == name.n) {
		field_invalid(errs, at, field_str(name),
			      "must be a fully qualified domain and path of the form "
			      "'<domain>/<signer-name>'");
	} else if (str_find_char(domain, '.') < 0) {
		field_invalid(errs, at, field_str(domain),
			      "should be a domain with at least two segments separated by dots");
	} else {
		check_name(errs, at, domain, dns_subdomain_faults);
		check_name(errs, at, str_from(name, (size_t)slash + 1), dns_subdomain_faults);
	}
}

static void request_validate(struct field_errors *errs, const void *obj, const void *old)
{
	const struct certificates_certificate_signing_request_spec *spec =
		&((const struct certificates_certificate_signing_request *)obj)->spec;
	const struct path *at = AT(NULL, "spec");
	struct str_set seen CLEANUP_STR_SET = {0};

	if (old) {
		return; /* the spec is the old one's */
	}
	if (!spec->usages.n) {
		field_required(errs, AT(at, "usages"), NULL);
	}
	for (size_t i = 0; i < spec->usages.n; i++) {
		if (!str_set_add(&seen, spec->usages.p[i])) {
			field_duplicate(errs, AT_INDEX(AT(at, "usages"), i),
					field_str(spec->usages.p[i]));
		}
	}
	if (spec->signer_name.n) {
		check_signer(errs, AT(at, "signerName"), spec->signer_name);
	}
	if (spec->expiration_seconds && *spec->expiration_seconds < EXPIRATION_SECONDS_MIN) {
		field_invalid(errs, AT(at, "expirationSeconds"),
			      field_int(*spec->expiration_seconds),
			      "may not specify a duration less than 600 seconds (10 minutes)");
	}
}

static void check_conditions(struct field_errors *errs,
			     const struct certificates_certificate_signing_request_status *status)
{
	const struct path *at = AT(AT(NULL, "status"), "conditions");
	bool approved = false;
	bool denied = false;

	for (size_t i = 0; i < status->conditions.n; i++) {
		const struct certificates_certificate_signing_request_condition *c =
			&status->conditions.p[i];
		bool decision = str_is(c->type, "Approved") || str_is(c->type, "Denied") ||
				str_is(c->type, "Failed");

		approved |= str_is(c->type, "Approved");
		denied |= str_is(c->type, "Denied");
		if (decision && c->status.n && !str_is(c->status, "True")) {
			static const char *const values[] = {"True", NULL};

			check_one_of(errs, AT(AT_INDEX(at, i), "status"), &c->status, values);
		}
		if (approved && denied) {
			field_invalid(errs, AT(AT_INDEX(at, i), "type"), field_str(c->type),
				      "Approved and Denied conditions are mutually exclusive");
			return;
		}
	}
}

static void request_validate_status(struct field_errors *errs, const void *obj,
				    const void *old UNUSED)
{
	check_conditions(errs,
			 &((const struct certificates_certificate_signing_request *)obj)->status);
}

static const struct strategy list[] = {
	{
		.resource = &resource_certificates_certificatesigningrequests,
		.name = NAME_PATH_SEGMENT,
		.prepare_create = request_prepare_create,
		.prepare_update = request_prepare_update,
		.validate = request_validate,
		.validate_status = request_validate_status,
	},
};

const struct strategy_list strategies_certificates = {list, ARRAY_LEN(list)};
