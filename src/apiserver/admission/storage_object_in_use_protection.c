/* SPDX-License-Identifier: Apache-2.0 */
/* StorageObjectInUseProtection: volumes and claims get a finalizer that the protection controllers take off once nobody uses them. */
#include "apiserver/admission/admission.h"

static void add_finalizer(struct write *w, struct str name)
{
	struct str_list *list = &w->obj->metadata.finalizers;

	for (size_t i = 0; i < list->n; i++) {
		if (str_eq(list->p[i], name)) {
			return;
		}
	}
	*ADMISSION_APPEND(&w->r->arena, list) = name;
}

struct meta_status *admit_storage_object_in_use_protection(struct write *w)
{
	if (w->kind != WRITE_CREATE) {
		return NULL;
	}
	if (w->r->resource == &resource_core_persistentvolumeclaims) {
		add_finalizer(w, STR("kubernetes.io/pvc-protection"));
	} else if (w->r->resource == &resource_core_persistentvolumes) {
		add_finalizer(w, STR("kubernetes.io/pv-protection"));
	}
	return NULL;
}
