/* SPDX-License-Identifier: Apache-2.0 */
#include "rules/resources.h"

#include "object/quantity.h"
#include "rules/check.h"
#include "rules/names.h"

/* Where the name is, or would be. */
static size_t place_of(const struct quantity_map *list, struct str name)
{
	size_t low = 0;
	size_t high = list->n;

	while (low < high) {
		size_t mid = (low + high) / 2;

		if (str_cmp(list->p[mid].key, name) < 0) {
			low = mid + 1;
		} else {
			high = mid;
		}
	}
	return low;
}

const struct quantity *resource_find(const struct quantity_map *list, struct str name)
{
	size_t i = place_of(list, name);

	return i < list->n && str_eq(list->p[i].key, name) ? &list->p[i].value : NULL;
}

struct quantity resource_get(const struct quantity_map *list, struct str name)
{
	const struct quantity *q = resource_find(list, name);

	return q ? *q : (struct quantity){0};
}

void resource_set(struct arena *a, struct quantity_map *list, struct str name, struct quantity q)
{
	size_t i = place_of(list, name);
	bool there = i < list->n && str_eq(list->p[i].key, name);
	struct quantity_pair *p = ARENA_ARRAY(a, list->n + 1, struct quantity_pair);

	if (list->n) {
		memcpy(p, list->p, i * sizeof(*p));
		memcpy(p + i + 1, list->p + i + there, (list->n - i - there) * sizeof(*p));
	}
	p[i] = (struct quantity_pair){name, q};
	*list = (struct quantity_map){p, list->n + !there};
}

typedef struct quantity (*combine_fn)(struct quantity a, struct quantity b);

static struct quantity larger(struct quantity a, struct quantity b)
{
	return quantity_cmp(a, b) < 0 ? b : a;
}

/* Both lists are sorted: one walk along both. */
static void combine(struct arena *a, struct quantity_map *list, const struct quantity_map *other,
		    combine_fn fn)
{
	struct quantity_pair *p;
	size_t n = 0;
	size_t i = 0;
	size_t j = 0;

	if (!other->n) {
		return;
	}
	p = ARENA_ARRAY(a, list->n + other->n, struct quantity_pair);
	while (i < list->n || j < other->n) {
		int c = i == list->n	? 1
			: j == other->n ? -1
					: str_cmp(list->p[i].key, other->p[j].key);

		if (c < 0) {
			p[n++] = list->p[i++];
		} else if (c > 0) {
			p[n].key = other->p[j].key;
			p[n].value = fn((struct quantity){.format = other->p[j].value.format},
					other->p[j].value);
			n++;
			j++;
		} else {
			p[n].key = list->p[i].key;
			p[n++].value = fn(list->p[i++].value, other->p[j++].value);
		}
	}
	*list = (struct quantity_map){p, n};
}

void resources_add(struct arena *a, struct quantity_map *list, const struct quantity_map *more)
{
	combine(a, list, more, quantity_add);
}

void resources_sub(struct arena *a, struct quantity_map *list, const struct quantity_map *less)
{
	combine(a, list, less, quantity_sub);
}

void resources_max(struct arena *a, struct quantity_map *list, const struct quantity_map *other)
{
	combine(a, list, other, larger);
}

bool resources_fit(const struct quantity_map *wanted, const struct quantity_map *there,
		   struct str *ret_name)
{
	for (size_t i = 0; i < wanted->n; i++) {
		struct quantity q = wanted->p[i].value;

		if (quantity_sign(q) > 0 &&
		    quantity_cmp(q, resource_get(there, wanted->p[i].key)) > 0) {
			if (ret_name) {
				*ret_name = wanted->p[i].key;
			}
			return false;
		}
	}
	return true;
}

bool resources_equal(const struct quantity_map *a, const struct quantity_map *b)
{
	if (a->n != b->n) {
		return false;
	}
	for (size_t i = 0; i < a->n; i++) {
		if (!str_eq(a->p[i].key, b->p[i].key) ||
		    quantity_cmp(a->p[i].value, b->p[i].value) != 0) {
			return false;
		}
	}
	return true;
}

void resources_round(struct quantity_map *list)
{
	for (size_t i = 0; i < list->n; i++) {
		struct quantity *q = &list->p[i].value;

		if (q->scale < -3) {
			*q = quantity_of_milli(quantity_milli_value(*q),
					       (enum quantity_format)q->format);
		}
	}
}

bool resource_name_is_native(struct str name)
{
	return str_find_char(name, '/') < 0 || str_contains(name, STR("kubernetes.io/"));
}

bool resource_name_is_extended(struct str name)
{
	struct name_faults f = {0};
	char quota[512];
	struct str prefix = STR("requests.");

	if (resource_name_is_native(name) || str_has_prefix(name, prefix) ||
	    name.n + prefix.n > sizeof(quota)) {
		return false;
	}
	/* It must still be a name once a quota has put requests. before it. */
	memcpy(quota, prefix.p, prefix.n);
	memcpy(quota + prefix.n, name.p, name.n);
	qualified_name_faults(str_make(quota, prefix.n + name.n), &f);
	return f.n == 0;
}

bool resource_name_is_hugepages(struct str name)
{
	return str_has_prefix(name, STR("hugepages-"));
}

bool resource_name_allows_overcommit(struct str name)
{
	return resource_name_is_native(name) && !resource_name_is_hugepages(name);
}

static const char *const counted[] = {
	"pods",
	"resourcequotas",
	"services",
	"replicationcontrollers",
	"secrets",
	"configmaps",
	"persistentvolumeclaims",
	"services.nodeports",
	"services.loadbalancers",
	NULL,
};

bool resource_name_is_integer(struct str name)
{
	return is_one_of(name, counted) || resource_name_is_extended(name);
}

bool resource_name_is_for_containers(struct str name)
{
	static const char *const names[] = {"cpu", "memory", "ephemeral-storage", NULL};

	return is_one_of(name, names) || resource_name_is_hugepages(name);
}

bool resource_name_is_for_quota(struct str name)
{
	static const char *const names[] = {
		"cpu",
		"memory",
		"ephemeral-storage",
		"requests.cpu",
		"requests.memory",
		"requests.storage",
		"requests.ephemeral-storage",
		"limits.cpu",
		"limits.memory",
		"limits.ephemeral-storage",
		NULL,
	};

	return is_one_of(name, names) || is_one_of(name, counted) ||
	       resource_name_is_hugepages(name) || str_has_prefix(name, STR("requests.hugepages-"));
}

bool resource_name_is_standard(struct str name)
{
	return str_is(name, "storage") || resource_name_is_for_quota(name);
}
