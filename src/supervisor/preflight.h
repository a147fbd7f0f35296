/* SPDX-License-Identifier: Apache-2.0 */
/* supervisor/preflight.h: can this machine carry a cluster? One finding per question; a failed one names the one command that mends it.
 * Looks only, changes nothing. preflight.def is the list. */
#pragma once
#include <stdbool.h>

#include "base/arena.h"
#include "base/vec.h"

enum preflight_verdict { PREFLIGHT_OK, PREFLIGHT_WARNING, PREFLIGHT_FAILED };

struct preflight_finding {
	const char *what; /* "cgroups", "crun", ... */
	enum preflight_verdict verdict;
	struct str detail;
	struct str fix; /* a command, unset when ok */
};

/* What to look at; tests point it at directories of their own. */
struct preflight_env {
	const char *proc;    /* "/proc" */
	const char *sys;     /* "/sys" */
	const char *run;     /* "/run": leftovers are looked for in run/cox */
	const char *modules; /* nginx modules: "/usr/lib/nginx/modules" */
	const char *lua;     /* "/usr/share/lua/5.1" */
	const char *path;    /* $PATH */
	const char *sbin;    /* looked at too: "/usr/sbin:/sbin" is not in every PATH */
	unsigned uid;
	const int *ports; /* that must be free on loopback, ended by 0 */
};

void preflight_env_init(struct preflight_env *env);

struct preflight_report {
	struct arena arena;
	VEC(struct preflight_finding) findings;
	size_t failed, warnings;
};

void preflight_run(const struct preflight_env *env, struct preflight_report *ret);
void preflight_report_fini(struct preflight_report *r);
