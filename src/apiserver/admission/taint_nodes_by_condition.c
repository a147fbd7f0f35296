/* SPDX-License-Identifier: Apache-2.0 */
/* TaintNodesByCondition: a new node is not ready until the node lifecycle controller says so. */
#include "apiserver/admission/admission.h"

struct meta_status *admit_taint_nodes_by_condition(struct write *w)
{
	struct core_node *node = (void *)w->obj;

	if (w->kind != WRITE_CREATE || w->r->resource != &resource_core_nodes) {
		return NULL;
	}
	for (size_t i = 0; i < node->spec.taints.n; i++) {
		if (str_is(node->spec.taints.p[i].key, "node.kubernetes.io/not-ready")) {
			return NULL;
		}
	}
	*ADMISSION_APPEND(&w->r->arena, &node->spec.taints) = (struct core_taint){
		.key = STR("node.kubernetes.io/not-ready"), .effect = STR("NoSchedule")};
	return NULL;
}
