/* SPDX-License-Identifier: Apache-2.0 */
#include "rules/metadata.h"

#include "base/buf.h"
#include "codec/go_text.h"
#include "rules/check.h"
#include "rules/names.h"

void validate_labels(struct field_errors *errs, const struct path *at, const struct str_map *labels)
{
	for (size_t i = 0; i < labels->n; i++) {
		check_name(errs, at, labels->p[i].key, qualified_name_faults);
		check_name(errs, at, labels->p[i].value, label_value_faults);
	}
}

static struct str to_lower(struct arena *a, struct str s)
{
	char *p = arena_bytes(a, s.n);

	for (size_t i = 0; i < s.n; i++) {
		p[i] = s.p[i] >= 'A' && s.p[i] <= 'Z' ? (char)(s.p[i] + ('a' - 'A')) : s.p[i];
	}
	return str_make(p, s.n);
}

void validate_annotations(struct field_errors *errs, const struct path *at,
			  const struct str_map *annotations)
{
	size_t total = 0;

	for (size_t i = 0; i < annotations->n; i++) {
		struct str key = annotations->p[i].key;
		struct name_faults f = {0};

		/* A label key, but in any case. */
		qualified_name_faults(key, &f);
		if (f.n) {
			f.n = 0;
			qualified_name_faults(to_lower(errs->arena, key), &f);
		}
		for (size_t j = 0; j < f.n; j++) {
			field_invalid(errs, at, field_str(key), "%s", f.p[j]);
		}
		total += key.n + annotations->p[i].value.n;
	}
	if (total > ANNOTATIONS_BYTES_MAX) {
		field_too_long(errs, at, ANNOTATIONS_BYTES_MAX);
	}
}

static void validate_owner_reference(struct field_errors *errs, const struct path *at,
				     const struct meta_owner_reference *ref)
{
	struct str version = ref->api_version;
	ptrdiff_t slash = str_rfind_char(version, '/');

	if (slash >= 0) {
		version = str_from(version, (size_t)slash + 1);
	}
	if (!version.n) {
		field_invalid(errs, AT(at, "apiVersion"), field_str(ref->api_version),
			      "version must not be empty");
	}
	if (!ref->kind.n) {
		field_invalid(errs, AT(at, "kind"), field_str(ref->kind), "must not be empty");
	}
	if (!ref->name.n) {
		field_invalid(errs, AT(at, "name"), field_str(ref->name), "must not be empty");
	}
	if (!ref->uid.n) {
		field_invalid(errs, AT(at, "uid"), field_str(ref->uid), "must not be empty");
	}
	if (str_is(ref->api_version, "v1") && str_is(ref->kind, "Event")) {
		field_invalid(errs, at, value_json(errs, &type_meta_owner_reference, ref),
			      "/v1, Kind=Event is disallowed from being an owner");
	}
}

void validate_owner_references(struct field_errors *errs, const struct path *at,
			       const struct meta_object_meta *meta)
{
	const struct meta_owner_reference *first = NULL;

	for (size_t i = 0; i < meta->owner_references.n; i++) {
		const struct meta_owner_reference *ref = &meta->owner_references.p[i];

		validate_owner_reference(errs, at, ref);
		if (!ref->controller || !*ref->controller) {
			continue;
		}
		if (first) {
			field_invalid(
				errs, at,
				value_of(errs, &type_meta_object_meta, meta, "ownerReferences"),
				"Only one reference can have Controller set to true. Found "
				"\"true\" in references "
				"for %.*s/%.*s and %.*s/%.*s",
				STR_ARG(first->kind), STR_ARG(first->name), STR_ARG(ref->kind),
				STR_ARG(ref->name));
		} else {
			first = ref;
		}
	}
}

static bool has(const struct str_list *list, struct str want)
{
	for (size_t i = 0; i < list->n; i++) {
		if (str_eq(list->p[i], want)) {
			return true;
		}
	}
	return false;
}

static bool is_standard_finalizer(struct str s)
{
	return str_is(s, "kubernetes") || str_is(s, "orphan") || str_is(s, "foregroundDeletion");
}

void validate_finalizers(struct field_errors *errs, const struct path *at,
			 const struct str_list *finalizers)
{
	for (size_t i = 0; i < finalizers->n; i++) {
		struct str f = finalizers->p[i];

		check_name(errs, at, f, qualified_name_faults);
		if (str_find_char(f, '/') < 0 && !is_standard_finalizer(f)) {
			field_invalid(errs, AT_INDEX(at, i), field_str(f),
				      "name is neither a standard finalizer name nor is it fully "
				      "qualified");
		}
	}
	if (has(finalizers, STR("orphan")) && has(finalizers, STR("foregroundDeletion"))) {
		field_invalid(errs, at, strings_json(errs, finalizers),
			      "finalizer orphan and foregroundDeletion cannot be both set");
	}
}

void validate_no_new_finalizers(struct field_errors *errs, const struct path *at,
				const struct str_list *finalizers, const struct str_list *old)
{
	struct buf b CLEANUP_BUF = {0};

	for (size_t i = 0; i < finalizers->n; i++) {
		if (has(old, finalizers->p[i])) {
			continue;
		}
		buf_add_str(&b, b.n ? STR(", ") : STR(""));
		go_quote(&b, finalizers->p[i]);
	}
	if (b.n) {
		field_forbidden(errs, at,
				"no new finalizers can be added if the object is being deleted, "
				"found new finalizers "
				"[]string{%.*s}",
				STR_ARG(buf_str(&b)));
	}
}

static void validate_requirement(struct field_errors *errs, const struct path *at,
				 const struct meta_label_selector_requirement *r)
{
	if (str_is(r->operator, "In") || str_is(r->operator, "NotIn")) {
		if (!r->values.n) {
			field_required(errs, AT(at, "values"),
				       "must be specified when `operator` is 'In' or 'NotIn'");
		}
	} else if (str_is(r->operator, "Exists") || str_is(r->operator, "DoesNotExist")) {
		if (r->values.n) {
			field_forbidden(errs, AT(at, "values"),
					"may not be specified when `operator` is 'Exists' or "
					"'DoesNotExist'");
		}
	} else {
		field_invalid(errs, AT(at, "operator"), field_str(r->operator),
			      "not a valid selector operator");
	}
	check_name(errs, AT(at, "key"), r->key, qualified_name_faults);
	for (size_t i = 0; i < r->values.n; i++) {
		check_name(errs, AT_INDEX(AT(at, "values"), i), r->values.p[i], label_value_faults);
	}
}

void validate_label_selector(struct field_errors *errs, const struct path *at,
			     const struct meta_label_selector *selector)
{
	if (!selector) {
		return;
	}
	validate_labels(errs, AT(at, "matchLabels"), &selector->match_labels);
	for (size_t i = 0; i < selector->match_expressions.n; i++) {
		validate_requirement(errs, AT_INDEX(AT(at, "matchExpressions"), i),
				     &selector->match_expressions.p[i]);
	}
}

/* [A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])? */
static bool is_reason(struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];
		bool letter = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
		bool inner = letter || (c >= '0' && c <= '9') || c == '_';

		if (i == 0 ? !letter : !(inner || (i < s.n - 1 && (c == ',' || c == ':')))) {
			return false;
		}
	}
	return true;
}

void validate_conditions(struct field_errors *errs, const struct path *at,
			 const struct meta_condition *conditions, size_t n)
{
	static const char *const statuses[] = {"False", "True", "Unknown", NULL};
	struct str_set types CLEANUP_STR_SET = {0};

	for (size_t i = 0; i < n; i++) {
		const struct meta_condition *c = &conditions[i];
		const struct path *item = AT_INDEX(at, i);

		if (!str_set_add(&types, c->type)) {
			field_duplicate(errs, AT(item, "type"), field_str(c->type));
		}
		check_name(errs, AT(item, "type"), c->type, qualified_name_faults);
		if (!is_one_of(c->status, statuses)) {
			field_not_supported(errs, AT(item, "status"), field_str(c->status),
					    statuses);
		}
		if (!c->last_transition_time.set) {
			field_required(errs, AT(item, "lastTransitionTime"), "must be set");
		}
		if (!c->reason.n) {
			field_required(errs, AT(item, "reason"), "must be set");
		} else if (!is_reason(c->reason)) {
			field_invalid(errs, AT(item, "reason"), field_str(c->reason),
				      "a condition reason must start with alphabetic character, "
				      "optionally followed by "
				      "a string of alphanumeric characters or '_,:', and must end "
				      "with an alphanumeric "
				      "character or '_' (e.g. 'my_name',  or 'MY_NAME',  or "
				      "'MyName',  or "
				      "'ReasonA,ReasonB',  or 'ReasonA:ReasonB', regex used for "
				      "validation is "
				      "'[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?')");
		}
	}
}
