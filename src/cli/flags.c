/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/flags.h"

static void print_help(const char *usage, const struct flag *flags, size_t n)
{
	printf("usage: %s\n\nflags:\n", usage);
	for (size_t i = 0; i < n; i++) {
		char left[64];

		snprintf(left, sizeof(left), "%s%s%s%s", flags[i].name[1] ? "--" : "-",
			 flags[i].name, flags[i].metavar ? " " : "",
			 flags[i].metavar ? flags[i].metavar : "");
		printf("  %-42s %s\n", left, flags[i].help);
	}
}

static const struct flag *find_flag(const struct flag *flags, size_t n, struct str name)
{
	for (size_t i = 0; i < n; i++) {
		if (str_eq(name, str_of(flags[i].name))) {
			return &flags[i];
		}
	}
	return NULL;
}

static int set_flag(const struct flag *f, const char *text)
{
	switch (f->type) {
	case FLAG_STRING:
		*(const char **)f->value = text;
		return 0;
	case FLAG_INT:
		if (str_to_int64(str_of(text), f->value) < 0) {
			fprintf(stderr, "cox: --%s: '%s' is not a whole number\n", f->name, text);
			return -1;
		}
		return 0;
	case FLAG_BOOL:
		if (strcmp(text, "true") != 0 && strcmp(text, "false") != 0) {
			fprintf(stderr, "cox: --%s: '%s' is neither true nor false\n", f->name,
				text);
			return -1;
		}
		*(bool *)f->value = text[0] == 't';
		return 0;
	}
	return -1;
}

/* One flag at argv[i]; returns how many arguments it took, or -1. */
static int take_flag(const struct flag *flags, size_t n, int argc, char **argv, int i)
{
	struct str text = str_of(argv[i] + (argv[i][1] == '-' ? 2 : 1));
	struct str rest = text;
	struct str name;
	const struct flag *f;

	str_cut(&rest, '=', &name);
	f = find_flag(flags, n, name);
	if (!f) {
		fprintf(stderr, "cox: there is no flag '%s'; --help lists those there are\n",
			argv[i]);
		return -1;
	}
	if (rest.p) {
		return set_flag(f, rest.p) < 0 ? -1 : 1;
	}
	if (f->type == FLAG_BOOL) {
		*(bool *)f->value = true;
		return 1;
	}
	if (i + 1 >= argc) {
		fprintf(stderr, "cox: --%s needs a value: --%s %s\n", f->name, f->name, f->metavar);
		return -1;
	}
	return set_flag(f, argv[i + 1]) < 0 ? -1 : 2;
}

int flags_parse(const char *usage, const struct flag *flags, size_t n, int argc, char **argv)
{
	int positional = 0;

	for (int i = 1; i < argc;) {
		int took;

		if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
			print_help(usage, flags, n);
			return -2;
		}
		if (strcmp(argv[i], "--") == 0) {
			for (i++; i < argc; i++) {
				argv[++positional] = argv[i];
			}
			break;
		}
		if (argv[i][0] != '-' || !argv[i][1]) {
			argv[++positional] = argv[i++];
			continue;
		}
		took = take_flag(flags, n, argc, argv, i);
		if (took < 0) {
			return -1;
		}
		i += took;
	}
	return positional;
}
