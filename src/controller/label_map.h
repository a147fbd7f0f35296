/* SPDX-License-Identifier: Apache-2.0 */
/* controller/label_map.h: changing labels and annotations. Maps are sorted and may belong to frozen objects: each change makes the
 * entries anew in the arena. */
#pragma once
#include <stdbool.h>

#include "base/arena.h"
#include "types/types.h"

/* True if that changed anything. key and value are borrowed. */
bool label_map_set(struct arena *a, struct str_map *map, struct str key, struct str value);
bool label_map_remove(struct arena *a, struct str_map *map, struct str key);
/* "" if it is not there. */
struct str label_map_get(const struct str_map *map, struct str key);
