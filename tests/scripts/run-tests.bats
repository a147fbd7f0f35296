#!/usr/bin/env bats
# The test runner and the sum: a failure of any sort must never look like success.

setup()
{
	scripts=$(readlink -f "$BATS_TEST_DIRNAME/../../scripts")
	cd "$BATS_TEST_TMPDIR"
	unset COX_RESULTS
	mkdir -p t/src/store
}

# program NAME: a shell script from standard input
program()
{
	{
		echo '#!/bin/bash'
		cat
	} >"$1"
	chmod +x "$1"
}

runs()
{
	run timeout 60 "$scripts/run-tests" --results results "$@"
}

@test "cases count under the name of their suite, good output is not shown" {
	program t/src/store/watch_test <<<'echo 1..2; echo noise; echo "ok 1 - resumes"; echo "ok 2 - ends"'
	runs t/src/store/watch_test
	[ "$status" -eq 0 ]
	[ "$(cat results)" = "pass store/watch:resumes
pass store/watch:ends" ]
	[[ $output != *noise* && ${lines[0]} == 'ok   store/watch'*'2 cases'* ]]
}

@test "a failed case, its output and its name are shown" {
	program a_test <<<'echo 1..2; echo "ok 1 - fine"; echo "not ok 2 - torn"; echo "# 1 != 2"; exit 1'
	runs a_test
	[ "$status" -eq 1 ]
	[[ $output == *'# 1 != 2'*'FAIL a:torn'*'0 of 1 suites good'* ]]
	[ "$(grep -c '^fail' results)" -eq 1 ]
}

@test "a program that dies, stops early, skips, has no case or exits badly has failed" {
	program dies_test <<<'echo 1..2; echo "ok 1 - x"; kill -SEGV $$'
	program early_test <<<'echo 1..2; echo "ok 1 - x"'
	program skips_test <<<'echo 1..2; echo "ok 1 - x"; echo "ok 2 y # skip no tool"'
	program empty_test <<<'echo 1..0'
	program exits_test <<<'echo 1..1; echo "ok 1 - x"; exit 3'
	runs ./dies_test early_test skips_test empty_test exits_test missing_test
	[ "$status" -eq 1 ]
	grep -q '^fail dies:(ran 1 of 2 cases: died of signal 11)$' results
	grep -q '^fail early:(ran 1 of 2 cases)$' results
	grep -q '^fail skips:y (skipped: no tool)$' results
	grep -q '^fail empty:(no case ran)$' results
	grep -q '^fail exits:(exit status 3)$' results
	grep -q '^fail missing:all (cannot run: No such file or directory)$' results
	[[ $output == *'0 of 6 suites good'* ]]
}

@test "a program without TAP is one case" {
	program fuzz <<<'echo noise'
	runs fuzz
	[ "$status" -eq 0 ] && [ "$(cat results)" = 'pass fuzz:all' ]
}

@test "a hung program is killed with its children, and has failed with its output" {
	program hangs_test <<<'echo 1..1; echo before; sleep 1000 & echo $! >child; wait'
	runs --timeout 0.5 hangs_test
	[ "$status" -eq 1 ]
	[[ $output == *before*'(ran 0 of 1 cases: still running after 0.5 s)'* ]]
	! kill -0 "$(cat child)" 2>/dev/null || grep -q '^State:.Z' "/proc/$(cat child)/status"
}

@test "a program that leaves a process behind has failed, and the process is killed" {
	program leaves_test <<<'sleep 1000 & echo $! >child; echo 1..1; echo "ok 1 - x"'
	runs leaves_test
	[ "$status" -eq 1 ]
	grep -q '^fail leaves:(left processes behind)$' results
	! kill -0 "$(cat child)" 2>/dev/null || grep -q '^State:.Z' "/proc/$(cat child)/status"
}

@test "bats files run too, and one case can be named" {
	printf '#!/usr/bin/env bats\n@test "one" { true; }\n@test "two" { false; }\n' >x.bats
	runs x.bats
	[ "$status" -eq 1 ]
	[ "$(cat results)" = 'pass x:one
fail x:two' ]
	runs x.bats:one
	[ "$status" -eq 0 ]
}

@test "programs run side by side" {
	program a_test <<<'touch a; until [ -e b ]; do :; done; echo 1..1; echo "ok 1 - x"'
	program b_test <<<'touch b; until [ -e a ]; do :; done; echo 1..1; echo "ok 1 - x"'
	runs --jobs 2 --timeout 20 a_test b_test
	[ "$status" -eq 0 ]
}

@test "a signal ends everything that runs" {
	program hangs_test <<<'sleep 1000 & echo $! >child; touch started; wait'
	"$scripts/run-tests" hangs_test &
	runner=$!
	until [ -e started ]; do :; done
	kill -TERM "$runner"
	status=0
	wait "$runner" || status=$?
	[ "$status" -eq 143 ]
	! kill -0 "$(cat child)" 2>/dev/null || grep -q '^State:.Z' "/proc/$(cat child)/status"
}

@test "the sum counts, names failures, and does not take nothing for success" {
	printf 'pass a:x\nfail a:y z\npass b:x\n' >results
	run "$scripts/test-report" results
	[ "$status" -eq 1 ] && [ "$output" = "FAIL a:y z
2 passed, 1 failed" ]
	echo 'pass a:x' >results
	run "$scripts/test-report" results
	[ "$status" -eq 0 ] && [ "$output" = '1 passed, 0 failed' ]
	: >results
	run "$scripts/test-report" results
	[ "$status" -eq 1 ] && [ "${lines[1]}" = '0 passed, 0 failed' ]
	echo 'garbage' >results
	run "$scripts/test-report" results
	[ "$status" -eq 1 ]
}

@test "CI: a make that fails is a failure even if no case failed, and the last line is the sum" {
	mkdir -p .ci scripts
	cp "$BATS_TEST_DIRNAME/../../.ci/run" .ci/run
	cp "$scripts/test-report" scripts/
	printf 'test:\n\t@echo pass a:x >>$$COX_RESULTS\n' >Makefile
	run bash .ci/run
	[ "$status" -eq 0 ] && [ "${lines[-1]}" = '1 passed, 0 failed' ]
	printf '\t@false\n' >>Makefile
	run bash .ci/run
	[ "$status" -eq 1 ] && [ "${lines[-1]}" = '1 passed, 1 failed' ]
	printf 'test:\n\t@true\n' >Makefile
	run bash .ci/run
	[ "$status" -eq 1 ] && [ "${lines[-1]}" = '0 passed, 0 failed' ]
}
