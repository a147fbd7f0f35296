/* SPDX-License-Identifier: Apache-2.0 */
/* Namespaces, ServiceAccounts and Bindings. */
#include "rules/check.h"
#include "rules/metadata.h"
#include "rules/selector.h"
#include "rules/strategy.h"
#include "types/types.h"

/* ---- Namespace ---- */

static void set_label(struct arena *a, struct str_map *labels, struct str key, struct str value)
{
	const struct str *have = str_map_find(labels, key);
	struct str_pair *p = ARENA_ARRAY(a, labels->n + 1, struct str_pair);
	size_t n = 0;
	bool done = false;

	if (have && str_eq(*have, value)) {
		return;
	}
	for (size_t i = 0; i < labels->n; i++) {
		int c = str_cmp(labels->p[i].key, key);

		if (c >= 0 && !done) {
			p[n++] = (struct str_pair){key, value};
			done = true;
		}
		if (c != 0) {
			p[n++] = labels->p[i];
		}
	}
	if (!done) {
		p[n++] = (struct str_pair){key, value};
	}
	*labels = (struct str_map){p, n};
}

/* So that a selector can name namespaces. */
static void namespace_defaults(struct arena *a, void *obj)
{
	struct core_namespace *ns = obj;

	if (ns->metadata.name.n) {
		set_label(a, &ns->metadata.labels, STR("kubernetes.io/metadata.name"),
			  ns->metadata.name);
	}
}

/* The finalizer holds it until everything in it is gone. */
static void namespace_prepare_create(struct arena *a, void *obj)
{
	struct core_namespace *ns = obj;
	struct str_list *old = &ns->spec.finalizers;
	struct str *p;

	ns->status = (struct core_namespace_status){.phase = STR("Active")};
	for (size_t i = 0; i < old->n; i++) {
		if (str_is(old->p[i], "kubernetes")) {
			return;
		}
	}
	p = ARENA_ARRAY(a, old->n + 1, struct str);
	if (old->n) {
		memcpy(p, old->p, old->n * sizeof(*p));
	}
	p[old->n] = STR("kubernetes");
	*old = (struct str_list){p, old->n + 1};
}

/* Only the finalize subresource takes finalizers away. */
static void namespace_prepare_update(struct arena *a UNUSED, void *obj, const void *old)
{
	((struct core_namespace *)obj)->spec.finalizers =
		((const struct core_namespace *)old)->spec.finalizers;
}

static void namespace_validate(struct field_errors *errs, const void *obj, const void *old UNUSED)
{
	validate_finalizers(errs, AT(AT(NULL, "spec"), "finalizers"),
			    &((const struct core_namespace *)obj)->spec.finalizers);
}

static void namespace_validate_status(struct field_errors *errs, const void *obj,
				      const void *old UNUSED)
{
	const struct core_namespace *ns = obj;
	const struct path *at = AT(AT(NULL, "status"), "Phase");

	if (!ns->metadata.deletion_timestamp && !str_is(ns->status.phase, "Active")) {
		field_invalid(errs, at, field_str(ns->status.phase),
			      "may only be 'Active' if `deletionTimestamp` is empty");
	} else if (ns->metadata.deletion_timestamp && !str_is(ns->status.phase, "Terminating")) {
		field_invalid(errs, at, field_str(ns->status.phase),
			      "may only be 'Terminating' if `deletionTimestamp` is not empty");
	}
}

/* ---- Binding ---- */

static void binding_validate(struct field_errors *errs, const void *obj, const void *old UNUSED)
{
	static const char *const kinds[] = {"Node", "<empty>", NULL};
	const struct core_binding *b = obj;
	const struct path *at = AT(NULL, "target");

	if (b->target.kind.n && !str_is(b->target.kind, "Node")) {
		field_not_supported(errs, AT(at, "kind"), field_str(b->target.kind), kinds);
	}
	if (!b->target.name.n) {
		field_required(errs, AT(at, "name"), NULL);
	}
}

static const struct strategy list[] = {
	{
		.resource = &resource_core_namespaces,
		.name = NAME_DNS_LABEL,
		.set_defaults = namespace_defaults,
		.prepare_create = namespace_prepare_create,
		.prepare_update = namespace_prepare_update,
		.validate = namespace_validate,
		.validate_status = namespace_validate_status,
	},
	{.resource = &resource_core_serviceaccounts, .must_send_version = true},
	{.resource = &resource_core_bindings, .validate = binding_validate},
};

const struct strategy_list strategies_core = {list, ARRAY_LEN(list)};
