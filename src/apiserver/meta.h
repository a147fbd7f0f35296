/* SPDX-License-Identifier: Apache-2.0 */
/* apiserver/meta.h: what the server does to metadata (and status as a whole) for every kind alike. */
#pragma once
#include "apiserver/request.h"
#include "rules/strategy.h"

/* uid, creationTimestamp, generation 1, generateName; no deletion fields; status cleared where it has a subresource. */
void meta_prepare_create(struct request *r, const struct strategy *s, struct object_head *obj);
/* What the server owns comes from old: uid, creationTimestamp, generation, deletion fields, managedFields if unset; and status. */
void meta_prepare_update(struct request *r, struct object_head *obj, const struct object_head *old);
/* A write through /status: everything but status comes from old. */
void meta_prepare_status(struct request *r, struct object_head *obj, const struct object_head *old);
/* One more if anything but metadata and status differs, or the object begins to be deleted. */
void meta_bump_generation(const struct resource_desc *resource, const struct strategy *s,
			  struct object_head *obj, const struct object_head *old);
/* Names, labels, annotations, finalizers, owner references; immutable metadata on update. */
void meta_validate(const struct resource_desc *resource, const struct strategy *s,
		   const struct object_head *obj, const struct object_head *old,
		   struct field_errors *errs);
/* A namespace with spec.finalizers stays. */
bool meta_has_spec_finalizers(const struct resource_desc *resource, const struct object_head *obj);
/* DELETE answers with the object instead of a Status (upstream's ReturnDeletedObject: pods, services, PVs, PVCs, ...). */
bool meta_answers_deleted_object(const struct resource_desc *resource);
