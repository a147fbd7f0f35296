/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/label_map.h"

#include "rules/selector.h"

static size_t place_of(const struct str_map *map, struct str key)
{
	size_t i = 0;

	while (i < map->n && str_cmp(map->p[i].key, key) < 0) {
		i++;
	}
	return i;
}

bool label_map_set(struct arena *a, struct str_map *map, struct str key, struct str value)
{
	size_t at = place_of(map, key);
	bool there = at < map->n && str_eq(map->p[at].key, key);
	struct str_pair *p;

	if (there && str_eq(map->p[at].value, value)) {
		return false;
	}
	p = ARENA_ARRAY(a, map->n + 1, struct str_pair);
	if (map->n) {
		memcpy(p, map->p, at * sizeof(*p));
		memcpy(&p[at + !there], &map->p[at], (map->n - at) * sizeof(*p));
	}
	p[at] = (struct str_pair){key, value};
	map->p = p;
	map->n += !there;
	return true;
}

bool label_map_remove(struct arena *a, struct str_map *map, struct str key)
{
	size_t at = place_of(map, key);
	struct str_pair *p;

	if (at == map->n || !str_eq(map->p[at].key, key)) {
		return false;
	}
	p = ARENA_ARRAY(a, map->n, struct str_pair);
	memcpy(p, map->p, at * sizeof(*p));
	memcpy(&p[at], &map->p[at + 1], (map->n - at - 1) * sizeof(*p));
	map->p = p;
	map->n--;
	return true;
}

struct str label_map_get(const struct str_map *map, struct str key)
{
	const struct str *value = str_map_find(map, key);

	return value ? *value : STR("");
}
