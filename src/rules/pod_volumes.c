/* SPDX-License-Identifier: Apache-2.0 */
/* Volumes of a pod. */
#include "object/field.h"
#include "object/object.h"
#include "object/quantity.h"
#include "rules/pod_spec_internal.h"

static const char *const downward_paths[] = {"metadata.annotations", "metadata.labels",
					     "metadata.name",	     "metadata.namespace",
					     "metadata.uid",	     NULL};

static void check_items(struct field_errors *errs, const struct path *at,
			const struct core_key_to_path *p, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct path *item = AT_INDEX(AT(at, "items"), i);

		check_volume_path(errs, AT(item, "path"), p[i].path);
		check_file_mode(errs, AT(item, "mode"), p[i].mode);
	}
}

static void check_downward_file(struct field_errors *errs, const struct path *at,
				const struct core_downward_api_volume_file *f)
{
	check_volume_path(errs, AT(at, "path"), f->path);
	if (f->field_ref) {
		check_field_ref(errs, AT(at, "fieldRef"), f->field_ref, downward_paths);
		if (f->resource_field_ref) {
			field_invalid(errs, at, field_str(STR("resource")),
				      "fieldRef and resourceFieldRef can not be specified "
				      "simultaneously");
		}
	} else if (f->resource_field_ref) {
		check_resource_field_ref(errs, AT(at, "resourceFieldRef"), f->resource_field_ref,
					 true);
	} else {
		field_required(errs, at, "one of fieldRef and resourceFieldRef is required");
	}
	check_file_mode(errs, AT(at, "mode"), f->mode);
}

static void check_path_is_new(struct field_errors *errs, const struct path *at,
			      struct str_set *paths, struct str path, struct str source)
{
	if (path.n && !str_set_add(paths, path)) {
		field_invalid(errs, at, field_str(source), "conflicting duplicate paths");
	}
}

static void check_token(struct field_errors *errs, const struct path *at,
			const struct path *projected,
			const struct core_service_account_token_projection *t)
{
	int64_t s = t->expiration_seconds ? *t->expiration_seconds : 3600;

	if (s < 600) {
		field_invalid(errs, AT(at, "expirationSeconds"), field_int(s),
			      "may not specify a duration less than 10 minutes");
	}
	if (s > (int64_t)1 << 32) {
		field_invalid(errs, AT(at, "expirationSeconds"), field_int(s),
			      "may not specify a duration larger than 2^32 seconds");
	}
	if (t->path.n) {
		check_volume_path(errs, AT(projected, "path"), t->path);
	}
}

static void check_projection(struct field_errors *errs, const struct path *projected,
			     const struct path *at, const struct core_volume_projection *s,
			     struct str_set *paths)
{
	size_t n = 0;

	if (s->secret) {
		n++;
		if (!s->secret->name.n) {
			field_required(errs, AT(AT(at, "secret"), "name"), NULL);
		}
		check_items(errs, AT(at, "secret"), s->secret->items.p, s->secret->items.n);
		for (size_t i = 0; i < s->secret->items.n; i++) {
			check_path_is_new(errs, projected, paths, s->secret->items.p[i].path,
					  s->secret->name);
		}
	}
	if (s->config_map) {
		n++;
		if (!s->config_map->name.n) {
			field_required(errs, AT(AT(at, "configMap"), "name"), NULL);
		}
		check_items(errs, AT(at, "configMap"), s->config_map->items.p,
			    s->config_map->items.n);
		for (size_t i = 0; i < s->config_map->items.n; i++) {
			check_path_is_new(errs, projected, paths, s->config_map->items.p[i].path,
					  s->config_map->name);
		}
	}
	if (s->downward_api) {
		n++;
		for (size_t i = 0; i < s->downward_api->items.n; i++) {
			const struct core_downward_api_volume_file *f =
				&s->downward_api->items.p[i];

			check_downward_file(errs, AT(at, "downwardAPI"), f);
			check_path_is_new(errs, projected, paths, f->path, f->path);
		}
	}
	if (s->service_account_token) {
		n++;
		check_token(errs, AT(at, "serviceAccountToken"), projected,
			    s->service_account_token);
	}
	n += (s->cluster_trust_bundle != NULL) + (s->pod_certificate != NULL);
	if (n > 1) {
		field_forbidden(errs, at, "may not specify more than 1 volume type per source");
	}
}

static void check_projected(struct field_errors *errs, const struct path *at,
			    const struct core_projected_volume_source *v)
{
	struct str_set paths CLEANUP_STR_SET = {0};

	check_file_mode(errs, AT(at, "defaultMode"), v->default_mode);
	for (size_t i = 0; i < v->sources.n; i++) {
		check_projection(errs, at, AT_INDEX(AT(at, "sources"), i), &v->sources.p[i],
				 &paths);
	}
}

void validate_host_path(struct field_errors *errs, const struct path *at,
			const struct core_host_path_volume_source *source)
{
	if (source->path.n) {
		check_no_backsteps(errs, AT(at, "path"), source->path);
	}
}

/* The source at `at`: one of those that act. */
static void check_source(struct pod_check *c, const struct path *at, const struct core_volume *v,
			 const struct field_desc *f)
{
	const void *source = *(void *const *)field_at(f, v);

	if (source == v->host_path) {
		validate_host_path(c->errs, at, v->host_path);
	} else if (source == v->secret) {
		if (!v->secret->secret_name.n) {
			field_required(c->errs, AT(at, "secretName"), NULL);
		}
		check_file_mode(c->errs, AT(at, "defaultMode"), v->secret->default_mode);
		check_items(c->errs, at, v->secret->items.p, v->secret->items.n);
	} else if (source == v->config_map) {
		if (!v->config_map->name.n) {
			field_required(c->errs, AT(at, "name"), NULL);
		}
		check_file_mode(c->errs, AT(at, "defaultMode"), v->config_map->default_mode);
		check_items(c->errs, at, v->config_map->items.p, v->config_map->items.n);
	} else if (source == v->downward_api) {
		check_file_mode(c->errs, AT(at, "defaultMode"), v->downward_api->default_mode);
		for (size_t i = 0; i < v->downward_api->items.n; i++) {
			check_downward_file(c->errs, at, &v->downward_api->items.p[i]);
		}
	} else if (source == v->projected) {
		check_projected(c->errs, at, v->projected);
	} else if (source == v->ephemeral) {
		if (!v->ephemeral->volume_claim_template) {
			field_required(c->errs, AT(at, "volumeClaimTemplate"), NULL);
		} else {
			validate_claim_spec(c->errs, AT(AT(at, "volumeClaimTemplate"), "spec"),
					    &v->ephemeral->volume_claim_template->spec);
		}
	} else if (source == v->image && c->is_pod && !v->image->reference.n) {
		field_required(c->errs, AT(at, "reference"), NULL);
	}
}

static void check_volume(struct pod_check *c, const struct path *at, const struct core_volume *v)
{
	size_t n = v->empty_dir != NULL;

	if (v->empty_dir && v->empty_dir->size_limit &&
	    quantity_sign(*v->empty_dir->size_limit) < 0) {
		field_forbidden(c->errs, AT(AT(at, "emptyDir"), "sizeLimit"),
				"SizeLimit field must be a valid resource quantity");
	}
	for (size_t i = 0; i < type_core_volume.nfields; i++) {
		const struct field_desc *f = &type_core_volume.fields[i];
		const struct path place = path_field(at, field_name(f));

		if (f->shape != SHAPE_PTR || field_is_zero(f, v) ||
		    str_is(field_name(f), "emptyDir")) {
			continue;
		}
		if (n++ > 0) {
			field_forbidden(c->errs, &place, "may not specify more than 1 volume type");
		} else {
			check_source(c, &place, v, f);
		}
	}
	if (n == 0) {
		field_required(c->errs, at, "must specify a volume type");
	}
}

void pod_check_volumes(struct pod_check *c, const struct path *at)
{
	const struct core_pod_spec *spec = c->spec;

	for (size_t i = 0; i < spec->volumes.n; i++) {
		const struct core_volume *v = &spec->volumes.p[i];
		const struct path *item = AT_INDEX(at, i);
		size_t before = c->errs->n;

		check_volume(c, item, v);
		if (v->name.n) {
			check_name(c->errs, AT(item, "name"), v->name, dns_label_faults);
		}
		if (str_set_has(&c->volumes, v->name)) {
			field_duplicate(c->errs, AT(item, "name"), field_str(v->name));
		}
		if (v->name.n && c->errs->n == before) {
			str_set_add(&c->volumes, v->name);
		}
	}
}
