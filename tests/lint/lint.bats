#!/usr/bin/env bats
# Each lint catches a tiny bad tree, at the right line, and lets a good one pass.
# Words a lint looks for are put together here, so that it does not find this file.

setup()
{
	lints=$(readlink -f "$BATS_TEST_DIRNAME/../../scripts/lint")
	cd "$BATS_TEST_TMPDIR"
	export LINT_FILES=$BATS_TEST_TMPDIR/files LINT_EXCEPTIONS=$BATS_TEST_TMPDIR/exceptions
	: >"$LINT_FILES"
	: >"$LINT_EXCEPTIONS"
	cp "$BATS_TEST_DIRNAME/../../.clang-format" .
}

# file PATH: from standard input, as part of the tree
file()
{
	mkdir -p "$(dirname "$1")"
	cat >"$1"
	echo "$1" >>"$LINT_FILES"
}

# c PATH: a C file whose body comes from standard input, after a licence line
c()
{
	{
		echo '/* SPDX-License-Identifier: Apache-2.0 */'
		cat
	} | file "$1"
}

law()
{
	mkdir -p src
	cat >src/LAYERS
}

clean()
{
	run "$lints/$1"
	[ "$status" -eq 0 ] && [ -z "$output" ]
}

# finds LINT LINE...: fails with these lines in its output, and says how to mend it
finds()
{
	local lint=$1 line
	shift
	run "$lints/$lint"
	[ "$status" -eq 1 ]
	[[ $output == *"lint $lint: "*"  fix: "* ]]
	for line; do
		grep -qF -- "$line" <<<"$output" || {
			echo "not found: $line"
			echo "$output"
			return 1
		}
	done
}

ladder()
{
	law <<-'EOF'
		ladder base
		ladder store client
		ladder apiserver scheduler cli
		only scheduler base
		except cli/main.c apiserver applet table
	EOF
}

@test "layers: downwards, inside, and a listed exception pass" {
	ladder
	c src/store/a.h <<<'#include "base/str.h"'
	c src/apiserver/b.c <<<'#include "store/a.h"
#include "apiserver/c_internal.h"'
	c src/cli/main.c <<<'#include "apiserver/b.h"'
	clean layers
}

@test "layers: upwards, sideways, past a limit and into internals are found" {
	ladder
	c src/base/up.c <<<'#include "store/a.h"'
	c src/apiserver/side.c <<<'#include "scheduler/x.h"'
	c src/scheduler/past.c <<<'#include "client/x.h"'
	c src/cli/main.c <<<'#include "apiserver/b.h"
#include "store/x_internal.h"'
	finds layers 'src/base/up.c:2: base must not include store/a.h' \
		'src/apiserver/side.c:2: apiserver must not include scheduler/x.h' \
		'src/scheduler/past.c:2: scheduler must not include client/x.h' \
		'src/cli/main.c:3: store/x_internal.h is for src/store alone'
}

@test "layers: a directory that is not in the law, a relative path, a strange line and a dead exception are found" {
	ladder
	echo 'stair base' >>src/LAYERS
	c src/odd/a.c <<<''
	c src/base/b.c <<<'#include "str.h"'
	c src/cli/main.c <<<''
	finds layers 'src/odd/a.c:1: directory src/odd is not in src/LAYERS' 'src/base/b.c:2: "str.h": paths start at src/' \
		"src/LAYERS:6: cannot read 'stair base'" 'src/LAYERS:5: the exception cli/main.c apiserver is not needed'
}

@test "layers: a C file includes its own header first" {
	ladder
	c src/base/a.h <<<''
	c src/base/a.c <<<'#include "base/b.h"
#include "base/a.h"'
	finds layers 'src/base/a.c:2: includes its own header "base/a.h" first'
}

@test "headers: a complete one passes" {
	c src/base/a.h <<<'/* base/a.h: what it is, in a sentence. */
#pragma once
#include <stddef.h>
size_t a(void);'
	clean headers
}

@test "headers: one that needs luck, one without a sentence, one without pragma once, one without licence are found" {
	c src/base/luck.h <<<'/* base/luck.h: needs what it does not include. */
#pragma once
size_t a(void);'
	c src/base/mute.h <<<'#pragma once'
	c src/base/twice.h <<<'/* base/twice.h: can be read two times. */
int a;'
	file src/base/free.c <<<'int a;'
	finds headers "src/base/luck.h:1: does not compile alone: unknown type name 'size_t'" \
		'src/base/mute.h:2: no comment says what this header is' \
		'src/base/twice.h:3: #pragma once is missing or not first' \
		'src/base/free.c:1: first line is not /* SPDX'
}

@test "banned: words in comments and strings, slots of an interface and own names pass" {
	c src/store/a.c <<<'/* strcpy(a, b) */ const char *a = "sprintf(x)";
int b(struct disk *d) { return d->read(d) + d->ops.open(d) + my_time(0); }'
	c src/controller/b.c <<<'#include <stdint.h>
int c(struct env *e) { return e->time(e) + e->ops.read(e) + requeue_open(e); }'
	c src/base/alloc.c <<<'void *d(void) { return malloc(1); }'
	c src/base/banned.h <<<'#undef strcpy
#define strcpy(...) BANNED(strcpy)'
	clean banned
}

@test "banned: calls, the allocator outside base, and the world in decisions are found" {
	c src/store/a.c <<<'int a(char *p) { strcpy (p, "x"); return atoi(p); }
char *b(void) { return strdup("x"); }
#define HIDDEN(x) sprintf(x)'
	c src/controller/b.c <<<'#include <time.h>
#include <stdint.h>
long c(void) { return time(NULL); }
int d(void) { return open("x", 0) + (int)read(0, 0, 0) + uv_run(0, 0); }'
	finds banned 'src/store/a.c:2: strcpy()' 'src/store/a.c:2: atoi()' 'src/store/a.c:3: strdup()' 'src/store/a.c:4: sprintf()' \
		'src/controller/b.c:2: <time.h>' 'src/controller/b.c:4: time()' 'src/controller/b.c:5: open()' \
		'src/controller/b.c:5: read()' 'src/controller/b.c:5: uv_run()'
}

@test "banned: an exception with a reason lets one pass, a dead one is found" {
	c src/store/a.c <<<'void a(void) { usleep(1); }'
	echo 'banned src/store/a.c usleep the device has no event' >"$LINT_EXCEPTIONS"
	clean banned
	echo 'banned src/store/b.c usleep gone' >>"$LINT_EXCEPTIONS"
	finds banned 'exceptions:2: the exception for usleep in src/store/b.c is no longer needed'
}

@test "style: braces, do-while, else if, macros and addresses in strings pass" {
	c src/a.c <<<'#define EACH(i) \
	for (int i = 0; i < 3; i++)
const char *url = "http://x";
/* see http://x // y */
void a(int b)
{
	do { b--; } while (b);
	if (b) { c(); } else if (d(b)) { c(); } else { c(); }
	while (b) { EACH (i) { c(); } }
}'
	clean style
}

@test "style: a line comment and a branch without braces are found" {
	c src/a.c <<<'int a; // left over
void b(void)
{
	if (a)
		b();
	for (;;)
		;
	while (a) {
	}
	if (a) {
	} else
		b();
}'
	finds style 'src/a.c:2: // comment' 'src/a.c:5: if without braces' 'src/a.c:7: for without braces' 'src/a.c:12: else without braces'
}

@test "lengths: 100 lines pass, 101 and a file of 701 are found" {
	{
		printf 'int short_one(void)\n{\n'
		for i in $(seq 98); do echo "	b($i);"; done
		echo '}'
	} | c src/good.c
	clean lengths
	{
		printf 'int long_one(void)\n{\n'
		for i in $(seq 99); do echo "	b($i);"; done
		echo '}'
	} | c src/bad.c
	yes 'int x;' | head -n 700 | c src/file.c
	finds lengths 'src/bad.c:3: long_one() has 101 lines' 'src/file.c:701: file has 701 lines'
	printf 'lengths src/bad.c long_one one table\nlengths src/file.c file one table\n' >"$LINT_EXCEPTIONS"
	clean lengths
}

@test "words: the example's name in the product, a machine's path and a note to self are found, elsewhere not" {
	local app=feast""flow machine=/wo""rk/ note=TO""DO
	file examples/a.yaml <<<"name: $app"
	file .ci/run <<<"cd ../share""d"
	clean words
	file src/a.c <<<"/* ${app^^} */"
	printf '\n%s\n' "$app" | file api/a.api
	file docs/a.md <<<"see ../share""d and ${machine}x"
	printf 'x\n# %s\n# mktemp %s\n' "$note" a.XX""XXXX | file b.sh
	finds words "src/a.c:1: '${app^^}'" "api/a.api:2: '$app'" "docs/a.md:1: '../share""d'" "docs/a.md:1: '$machine'" \
		"b.sh:2: '$note'"
	[[ $output != *b.sh:3* ]]
}

@test "format: what the formatter leaves passes, anything else is found and --fix mends it" {
	c src/a.c <<<'int a(int b)
{
	if (b) {
		return 1;
	}
	return 0;
}'
	clean format
	c src/b.c <<<'int a( int b ) {
  return 0; }'
	finds format 'src/b.c:2: not as make fmt leaves it'
	"$lints/format" --fix
	clean format
}

@test "shell: a quoted script passes; one without set -eu and one that does not quote are found" {
	file a.sh <<<'#!/bin/sh
set -eu
echo "$1"'
	clean shell
	file scripts/b <<<'#!/bin/bash
set -eu
rm $1'
	file c.sh <<<'#!/bin/sh
echo hello'
	finds shell 'scripts/b:3: note: Double quote' 'c.sh:1: no set -eu'
}

@test "arm64: portable C passes; x86 assembly and a size that differs are found" {
	export LINT_CFLAGS='-std=gnu17 -Wall -Werror -Isrc -fcf-protection'
	c src/a.c <<<'#include <stdint.h>
#include <openssl/ssl.h>
int a(void);
int a(void)
{
	return 0;
}'
	clean arm64
	c src/b.c <<<'#include <immintrin.h>'
	c src/c.c <<<'_Static_assert((char)-1 < 0, "char is signed");'
	finds arm64 'src/c.c:2: static_assert failed'
	[[ $output == *'immintrin.h:'* || $output == *'src/b.c:'* ]]
}

@test "licences: a listed library passes; one that is unknown, GPL or no longer what it was is found" {
	export LINT_LICENCES=$BATS_TEST_TMPDIR/licences.tsv
	echo 'int main(void) { extern const char *zlibVersion(void); return !zlibVersion(); }' | gcc -x c - -o cox -lz
	base=$'linux-vdso\tnone\t-\nld-linux-x86-64\tLGPL\t-\nlibc\tLGPL-2.1-or-later\tGNU Lesser General Public\n'
	printf '%slibz\tZlib\tsoftware is provided' "$base" >"$LINT_LICENCES"
	run "$lints/licences" cox
	[ "$status" -eq 0 ]
	printf '%s' "$base" >"$LINT_LICENCES"
	run "$lints/licences" cox
	[ "$status" -eq 1 ] && [[ $output == *'libz.so.1, which is not in licences.tsv'* ]]
	printf '%slibz\tGPL-2.0-only\t-' "$base" >"$LINT_LICENCES"
	run "$lints/licences" cox
	[ "$status" -eq 1 ] && [[ $output == *'libz.so.1, which is GPL-2.0-only'* ]]
	printf '%slibz\tZlib\tfree for all' "$base" >"$LINT_LICENCES"
	run "$lints/licences" cox
	[ "$status" -eq 1 ] && [[ $output == *"no longer says 'free for all'"* ]]
	run "$lints/licences" build/cox
	[ "$status" -eq 1 ] && [[ $output == *'build/cox:1: is not built'* ]]
}

@test "dependencies: a package without its line, a line without a package and a torn row are found" {
	mkdir scripts docs
	printf '# table\ngcc\tbuild\tcmd:gcc\tcompiler\n' >scripts/deps.tsv
	printf '| `gcc` | compiler | clang | GPL |\n' >docs/dependencies.md
	clean dependencies
	printf 'bats\ttest\tcmd:bats\ttests\nodd row\n' >>scripts/deps.tsv
	printf '| `tcc` | compiler | - | LGPL |\n' >>docs/dependencies.md
	finds dependencies 'scripts/deps.tsv:3: bats is not in docs/dependencies.md' 'scripts/deps.tsv:4: a row has four columns' \
		'docs/dependencies.md:2: tcc is not in scripts/deps.tsv'
}

@test "all: runs the lints over what git knows or would add, counts and fails" {
	unset LINT_FILES
	git init --quiet .
	mkdir src ignored
	echo 'int a; // x' >src/a.c
	echo ignored/ >.gitignore
	echo 'int a; // x' >ignored/a.c
	COX_RESULTS=$BATS_TEST_TMPDIR/results run "$lints/all" style lengths
	[ "$status" -eq 1 ]
	[[ $output == *'src/a.c:1: // comment'*'lint: 1 of 2 clean'* && $output != *ignored* ]]
	[ "$(cat results)" = "fail lint:style
pass lint:lengths" ]
}
