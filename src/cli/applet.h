/* SPDX-License-Identifier: Apache-2.0 */
/* cli/applet.h: the commands and roles of the one binary. applets.def lists them. */
#pragma once

struct applet {
	const char *name;
	const char *summary; /* one line for `cox help`; NULL: internal, not listed */
	/* argv[0] is the applet's name. Returns the exit status: 0 done, 1 it failed (and said why), 2 wrong usage. */
	int (*run)(int argc, char **argv);
};

#define APPLET(name, fn, summary) int fn(int argc, char **argv);
#include "cli/applets.def"
#undef APPLET
