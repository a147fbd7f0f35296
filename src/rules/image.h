/* SPDX-License-Identifier: Apache-2.0 */
/* rules/image.h: as much of image names as the API server has to know: [host[:port]/]path[:tag][@digest]. Pure. */
#pragma once
#include <stdbool.h>

#include "base/str.h"

struct image_name {
	struct str repository; /* with its host; as written */
	struct str tag;	       /* "" if none */
	struct str digest;     /* "sha256:...", "" if none */
};

/* False if it is none. Strings are borrowed. */
bool image_name_parse(struct str text, struct image_name *ret);
/* Always for the tag latest, or neither tag nor digest; IfNotPresent for the rest, also for what is no image name. */
struct str image_default_pull_policy(struct str image);
