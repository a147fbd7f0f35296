/* SPDX-License-Identifier: Apache-2.0 */
#include "rules/pod_spec.h"

#include "object/quantity.h"
#include "rules/metadata.h"
#include "rules/pod.h"
#include "rules/pod_spec_internal.h"
#include "rules/resources.h"
#include "rules/selector.h"

enum { NAMESERVERS_MAX = 3, SEARCHES_MAX = 32, SEARCH_CHARS_MAX = 2048 };

static void check_searches(struct field_errors *errs, const struct path *at,
			   const struct str_list *searches)
{
	size_t chars = 0;

	for (size_t i = 0; i < searches->n; i++) {
		chars += searches->p[i].n + (i > 0);
	}
	if (searches->n > SEARCHES_MAX) {
		field_invalid(errs, at, strings_json(errs, searches),
			      "must not have more than %d search paths", SEARCHES_MAX);
	}
	if (chars > SEARCH_CHARS_MAX) {
		field_invalid(errs, at, strings_json(errs, searches),
			      "must not have more than %d characters (including spaces) in the "
			      "search list",
			      SEARCH_CHARS_MAX);
	}
	for (size_t i = 0; i < searches->n; i++) {
		struct str s = searches->p[i];

		if (str_is(s, ".")) {
			continue;
		}
		if (str_has_suffix(s, STR("."))) {
			s.n--;
		}
		check_name(errs, AT_INDEX(at, i), s, dns_search_faults);
	}
}

static void check_dns(struct pod_check *c, const struct path *at)
{
	const struct core_pod_dns_config *dns = c->spec->dns_config;
	bool none = str_is(c->spec->dns_policy, "None");

	if (none && !dns) {
		field_required(c->errs, at, "must provide `dnsConfig` when `dnsPolicy` is None");
		return;
	}
	if (!dns) {
		return;
	}
	if (none && !dns->nameservers.n) {
		field_required(c->errs, AT(at, "nameservers"),
			       "must provide at least one DNS nameserver when `dnsPolicy` is None");
		return;
	}
	if (dns->nameservers.n > NAMESERVERS_MAX) {
		field_invalid(c->errs, AT(at, "nameservers"),
			      strings_json(c->errs, &dns->nameservers),
			      "must not have more than %d nameservers", NAMESERVERS_MAX);
	}
	for (size_t i = 0; i < dns->nameservers.n; i++) {
		check_ip(c->errs, AT_INDEX(AT(at, "nameservers"), i), dns->nameservers.p[i]);
	}
	check_searches(c->errs, AT(at, "searches"), &dns->searches);
	for (size_t i = 0; i < dns->options.n; i++) {
		if (!dns->options.p[i].name.n) {
			field_required(c->errs, AT_INDEX(AT(at, "options"), i),
				       "must not be empty");
		}
	}
}

static void check_host_aliases(struct pod_check *c, const struct path *at)
{
	for (size_t i = 0; i < c->spec->host_aliases.n; i++) {
		const struct core_host_alias *h = &c->spec->host_aliases.p[i];
		const struct path *item = AT_INDEX(at, i);

		check_ip(c->errs, AT(item, "ip"), h->ip);
		for (size_t j = 0; j < h->hostnames.n; j++) {
			check_name(c->errs, AT_INDEX(AT(item, "hostnames"), j), h->hostnames.p[j],
				   dns_subdomain_faults);
		}
	}
}

static void check_resource_claims(struct pod_check *c, const struct path *at)
{
	struct str_set names CLEANUP_STR_SET = {0};

	for (size_t i = 0; i < c->spec->resource_claims.n; i++) {
		const struct core_pod_resource_claim *r = &c->spec->resource_claims.p[i];
		const struct path *item = AT_INDEX(at, i);

		if (r->name.n && !str_set_add(&names, r->name)) {
			field_duplicate(c->errs, AT(item, "name"), field_str(r->name));
		} else if (r->name.n) {
			check_name(c->errs, AT(item, "name"), r->name, dns_label_faults);
		}
		if (r->resource_claim_name && r->resource_claim_template_name) {
			field_invalid(c->errs, item,
				      value_json(c->errs, &type_core_pod_resource_claim, r),
				      "at most one of `resourceClaimName` or "
				      "`resourceClaimTemplateName` may be "
				      "specified");
		} else if (!r->resource_claim_name && !r->resource_claim_template_name) {
			field_invalid(c->errs, item,
				      value_json(c->errs, &type_core_pod_resource_claim, r),
				      "must specify one of: `resourceClaimName`, "
				      "`resourceClaimTemplateName`");
		}
	}
}

static void check_pod_resources(struct pod_check *c, const struct path *at)
{
	const struct core_resource_requirements *r = c->spec->resources;
	struct quantity_map sums;

	if (!r) {
		return;
	}
	if (r->claims.n) {
		field_forbidden(c->errs, AT(at, "claims"),
				"claims cannot be set for Resources at pod-level");
	}
	validate_resource_requirements(c->errs, at, r, NULL, true);
	sums = pod_compute_container_requests(c->errs->arena, c->spec);
	for (size_t i = 0; i < sums.n; i++) {
		const struct quantity *have = resource_find(&r->requests, sums.p[i].key);
		struct field_value sum;

		if (!have || quantity_cmp(sums.p[i].value, *have) <= 0) {
			continue;
		}
		sum = quantity_value_text(c->errs, sums.p[i].value);
		field_invalid(
			c->errs, AT_KEY(AT(at, "requests"), sums.p[i].key),
			quantity_value_text(c->errs, *have),
			"must be greater than or equal to aggregate container requests of %.*s",
			STR_ARG(sum.str));
	}
}

static void check_os(struct pod_check *c, const struct path *at)
{
	static const char *const systems[] = {"linux", "windows", NULL};

	if (c->spec->os && c->spec->os->name.n && !is_one_of(c->spec->os->name, systems)) {
		field_not_supported(c->errs, at, field_str(c->spec->os->name), systems);
	}
}

static void check_names(struct pod_check *c, const struct path *at)
{
	const struct core_pod_spec *spec = c->spec;

	if (spec->service_account_name.n) {
		check_name(c->errs, AT(at, "serviceAccountName"), spec->service_account_name,
			   dns_subdomain_faults);
	}
	if (spec->hostname.n) {
		check_name(c->errs, AT(at, "hostname"), spec->hostname, dns_label_faults);
	}
	if (spec->subdomain.n) {
		check_name(c->errs, AT(at, "subdomain"), spec->subdomain, dns_label_faults);
	}
	if (spec->runtime_class_name) {
		check_name(c->errs, AT(at, "runtimeClassName"), *spec->runtime_class_name,
			   dns_subdomain_faults);
	}
	for (size_t i = 0; i < spec->readiness_gates.n; i++) {
		check_name(c->errs, AT(AT_INDEX(AT(at, "readinessGates"), i), "conditionType"),
			   spec->readiness_gates.p[i].condition_type, qualified_name_faults);
	}
}

void validate_pod_spec(struct field_errors *errs, const struct path *at,
		       const struct core_pod_spec *spec, const struct meta_object_meta *meta UNUSED,
		       const struct pod_spec_opts *opts)
{
	struct pod_check c = {.errs = errs, .spec = spec, .is_pod = opts->is_pod};
	struct core_resource_requirements overhead = {.limits = spec->overhead};

	for (size_t i = 0; i < opts->nclaims; i++) {
		str_set_add(&c.volumes, opts->claims[i].metadata.name);
	}
	pod_check_volumes(&c, AT(at, "volumes"));
	check_resource_claims(&c, AT(at, "resourceClaims"));
	pod_check_containers(&c, AT(at, "containers"));
	pod_check_init_containers(&c, AT(at, "initContainers"));
	check_pod_resources(&c, AT(at, "resources"));
	pod_check_security(&c, at);
	pod_check_scheduling(&c, at);
	check_dns(&c, AT(at, "dnsConfig"));
	check_names(&c, at);
	if (spec->active_deadline_seconds) {
		check_range(errs, AT(at, "activeDeadlineSeconds"), *spec->active_deadline_seconds,
			    1, INT32_MAX);
	}
	check_host_aliases(&c, AT(at, "hostAliases"));
	validate_resource_requirements(errs, AT(at, "overhead"), &overhead, NULL, false);
	check_os(&c, AT(at, "os"));
	str_set_fini(&c.volumes);
}

void validate_pod_annotations(struct field_errors *errs, const struct path *at,
			      const struct str_map *annotations, const struct core_pod_spec *spec)
{
	static const struct str mirror = STR_INIT("kubernetes.io/config.mirror");
	static const struct str cost = STR_INIT("controller.kubernetes.io/pod-deletion-cost");
	const struct str *value = str_map_find(annotations, mirror);
	int64_t n;

	if (value && !spec->node_name.n) {
		field_invalid(errs, AT_KEY(at, mirror), field_str(*value),
			      "must set spec.nodeName if mirror pod annotation is set");
	}
	value = str_map_find(annotations, cost);
	if (value && (str_to_int64(*value, &n) < 0 || n > INT32_MAX || n < INT32_MIN ||
		      value->p[0] == '+')) {
		field_invalid(errs, AT_KEY(at, cost), field_str(*value), "must be a 32bit integer");
	}
}

void validate_pod_template(struct field_errors *errs, const struct path *at,
			   const struct core_pod_template_spec *template,
			   const struct pod_spec_opts *opts)
{
	static const struct pod_spec_opts none = {0};

	validate_labels(errs, AT(at, "labels"), &template->metadata.labels);
	validate_annotations(errs, AT(at, "annotations"), &template->metadata.annotations);
	validate_pod_annotations(errs, AT(at, "annotations"), &template->metadata.annotations,
				 &template->spec);
	validate_pod_spec(errs, AT(at, "spec"), &template->spec, &template->metadata,
			  opts ? opts : &none);
	if (template->spec.ephemeral_containers.n) {
		field_forbidden(errs, AT(AT(at, "spec"), "ephemeralContainers"),
				"ephemeral containers not allowed in pod template");
	}
}
