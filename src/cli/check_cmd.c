/* SPDX-License-Identifier: Apache-2.0 */
/* `cox check`: what this machine lacks for a cluster, and the one command that mends each of it. */
#include "cli/applet.h"
#include "cli/flags.h"
#include "supervisor/preflight.h"

static void print_finding(const struct preflight_finding *f)
{
	static const char *const marks[] = {[PREFLIGHT_OK] = "ok     ",
					    [PREFLIGHT_WARNING] = "warning",
					    [PREFLIGHT_FAILED] = "FAILED "};

	printf("%s  %-12s %.*s\n", marks[f->verdict], f->what, STR_ARG(f->detail));
	if (f->fix.n) {
		printf("         %-12s mend it with: %.*s\n", "", STR_ARG(f->fix));
	}
}

int cli_check(int argc, char **argv)
{
	bool quiet = false;
	const struct flag flags[] = {{"quiet", FLAG_BOOL, &quiet, NULL, "say only what is wrong"}};
	struct preflight_report report;
	struct preflight_env env;
	int n = flags_parse("cox check [--quiet]", flags, ARRAY_LEN(flags), argc, argv);
	int status;

	if (n != 0) {
		if (n > 0) {
			fprintf(stderr, "cox check: takes no arguments, got '%s'\n", argv[1]);
		}
		return n == -2 ? 0 : 2;
	}
	preflight_env_init(&env);
	preflight_run(&env, &report);
	for (size_t i = 0; i < report.findings.n; i++) {
		if (!quiet || report.findings.p[i].verdict != PREFLIGHT_OK) {
			print_finding(&report.findings.p[i]);
		}
	}
	if (report.failed) {
		printf("%zu of %zu checks failed\n", report.failed, report.findings.n);
	}
	status = report.failed ? 1 : 0;
	preflight_report_fini(&report);
	return status;
}
