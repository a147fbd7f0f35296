/* SPDX-License-Identifier: Apache-2.0 */
/* componentstatuses: deprecated, still asked for. The three components live in this process: they are healthy if it answers. */
#include "apiserver/apiserver_internal.h"
#include "apiserver/subresources/subresources.h"

static const char *const names[] = {"scheduler", "controller-manager", "etcd-0"};

static void fill(struct arena *a, struct core_component_status *cs, const char *name)
{
	cs->metadata.name = str_of(name);
	cs->conditions.p = arena_alloc(a, sizeof(*cs->conditions.p));
	cs->conditions.n = 1;
	cs->conditions.p[0].type = STR("Healthy");
	cs->conditions.p[0].status = STR("True");
	cs->conditions.p[0].message = STR("ok");
}

enum stage_result component_statuses(struct request *r)
{
	struct core_component_status_list *list;

	request_warn(r, "v1 ComponentStatus is deprecated in v1.19+");
	for (size_t i = 0; r->info.name.n && i < ARRAY_LEN(names); i++) {
		if (str_eq(r->info.name, str_of(names[i]))) {
			struct core_component_status *cs =
				ARENA_NEW(&r->arena, struct core_component_status);

			cs->kind = STR("ComponentStatus");
			cs->api_version = STR("v1");
			fill(&r->arena, cs, names[i]);
			return answer_object(r, 200, cs, &type_core_component_status);
		}
	}
	if (r->info.name.n) {
		struct status_about about = request_about(r);

		return answer_status(r, status_not_found(&r->arena, &about));
	}
	list = ARENA_NEW(&r->arena, struct core_component_status_list);
	list->kind = STR("ComponentStatusList");
	list->api_version = STR("v1");
	list->items.p = arena_alloc_array(&r->arena, ARRAY_LEN(names), sizeof(*list->items.p));
	list->items.n = ARRAY_LEN(names);
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		fill(&r->arena, &list->items.p[i], names[i]);
	}
	return answer_object(r, 200, list, &type_core_component_status_list);
}
