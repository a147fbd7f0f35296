/* SPDX-License-Identifier: Apache-2.0 */
/* cli/flags.h: command-line flags as a table: --name value, --name=value, --flag (bool), -v N; "--" ends them. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

enum flag_type { FLAG_STRING, FLAG_INT, FLAG_BOOL };

struct flag {
	const char *name; /* without dashes; one letter: -v */
	enum flag_type type;
	void *value;	     /* const char **, int64_t *, bool *: holds the default */
	const char *metavar; /* "DIR"; NULL for bool */
	const char *help;
};

/* Returns the number of positional arguments, moved to argv[1..]; or -1 after saying on stderr what is wrong, -2 after --help has been
 * answered on stdout. usage: "cox up [flags]". */
int flags_parse(const char *usage, const struct flag *flags, size_t n, int argc, char **argv);
