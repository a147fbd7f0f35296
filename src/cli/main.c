/* SPDX-License-Identifier: Apache-2.0 */
/* The one binary: `cox COMMAND`, or a link to it called by the command's name. */
#include <stdio.h>

#include "base/str.h"
#include "base/version.h"
#include "cli/applet.h"

static const struct applet applets[] = {
#define APPLET(name, fn, summary) {name, summary, fn},
#include "cli/applets.def"
#undef APPLET
};

int cli_version(int argc, char **argv)
{
	if (argc > 1) {
		fprintf(stderr, "cox version: takes no arguments, got '%s'\n", argv[1]);
		return 2;
	}
	printf("cox %s (Kubernetes %s)\n", COX_VERSION, KUBERNETES_VERSION);
	return 0;
}

static void usage(FILE *out)
{
	fprintf(out, "cox: a Kubernetes cluster in one small binary\n\nusage: cox COMMAND "
		     "[ARGUMENTS]\n\ncommands:\n");
	for (size_t i = 0; i < ARRAY_LEN(applets); i++) {
		if (applets[i].summary) {
			fprintf(out, "  %-20s %s\n", applets[i].name, applets[i].summary);
		}
	}
	fprintf(out, "\n`cox COMMAND --help` says more about one of them.\n");
}

int main(int argc, char **argv)
{
	struct str name = argc > 1 ? str_of(argv[1]) : STR("help");

	for (size_t i = 0; i < ARRAY_LEN(applets); i++) {
		if (str_eq(name, str_of(applets[i].name))) {
			return applets[i].run(argc - 1, argv + 1);
		}
	}
	if (str_is(name, "help") || str_is(name, "--help") || str_is(name, "-h")) {
		usage(stdout);
		return argc > 1 ? 0 : 2;
	}
	fprintf(stderr, "cox: there is no command '%s'\n\n", argv[1]);
	usage(stderr);
	return 2;
}
