/* SPDX-License-Identifier: Apache-2.0 */
/* DefaultStorageClass and DefaultIngressClass: what names no class gets the one that is marked as default; of several the newest. */
#include "apiserver/admission/admission.h"

struct search {
	struct str annotation;
	const struct object_head *best;
};

static bool is_better(const struct meta_object_meta *a, const struct meta_object_meta *b)
{
	if (a->creation_timestamp.sec != b->creation_timestamp.sec) {
		return a->creation_timestamp.sec > b->creation_timestamp.sec;
	}
	return str_cmp(a->name, b->name) < 0;
}

static bool take_default(void *ctx, struct frozen *f)
{
	struct search *s = ctx;
	const struct str *v = str_map_find(&f->head->metadata.annotations, s->annotation);

	if (v && str_is(*v, "true") &&
	    (!s->best || is_better(&f->head->metadata, &s->best->metadata))) {
		s->best = f->head;
	}
	return true;
}

static struct str *default_name(struct write *w, const struct resource_desc *classes,
				struct str annotation)
{
	struct search s = {annotation, NULL};
	struct str *name;

	informer_each(informers_get(w->r->api->informers, classes, STR_NULL), STR_NULL,
		      take_default, &s);
	if (!s.best) {
		return NULL;
	}
	name = ARENA_NEW(&w->r->arena, struct str);
	*name = arena_str(&w->r->arena, s.best->metadata.name);
	return name;
}

struct meta_status *admit_default_storage_class(struct write *w)
{
	struct core_persistent_volume_claim *pvc = (void *)w->obj;

	if (w->kind == WRITE_CREATE && w->r->resource == &resource_core_persistentvolumeclaims &&
	    !pvc->spec.storage_class_name &&
	    !str_map_find(&pvc->metadata.annotations,
			  STR("volume.beta.kubernetes.io/storage-class"))) {
		pvc->spec.storage_class_name =
			default_name(w, &resource_storage_storageclasses,
				     STR("storageclass.kubernetes.io/is-default-class"));
	}
	return NULL;
}

struct meta_status *admit_default_ingress_class(struct write *w)
{
	struct networking_ingress *ing = (void *)w->obj;

	if (w->kind == WRITE_CREATE && w->r->resource == &resource_networking_ingresses &&
	    !ing->spec.ingress_class_name &&
	    !str_map_find(&ing->metadata.annotations, STR("kubernetes.io/ingress.class"))) {
		ing->spec.ingress_class_name =
			default_name(w, &resource_networking_ingressclasses,
				     STR("ingressclass.kubernetes.io/is-default-class"));
	}
	return NULL;
}
