#!/usr/bin/env bats
# scripts/deps with an apt-get of our own, which notes what it is asked and "installs" a file.

setup()
{
	deps=$(readlink -f "$BATS_TEST_DIRNAME/../../scripts/deps")
	cd "$BATS_TEST_TMPDIR"
	export DEPS_TABLE=$PWD/table DEPS_POLICY=$PWD/policy-rc.d DEPS_LOCK=$PWD/lock
	mkdir bin
	PATH=$PWD/bin:$PATH
	printf '# comment\nbash\tbuild,run\tcmd:bash\ta shell\nthing\trun\tfile:%s/thing\ta thing\nother\ttest\tfile:%s/other\tanother\n' \
		"$PWD" "$PWD" >table
	printf 'Inst thing (1.0 Debian)\nConf thing (1.0 Debian)\n' >plan
	cat >bin/apt-get <<-'EOF'
		#!/bin/bash
		set -eu
		echo "$*" >>calls
		case " $* " in
		*' -s '*)
			if [ -e stale ]; then echo 'E: Unable to locate package'; exit 100; fi
			cat plan
			;;
		*' update '*) rm -f stale ;;
		*' install '*)
			"$DEPS_POLICY" nginx start || echo "policy $?" >>calls
			if [ -e hang ]; then touch hanging; sleep 60; fi
			if [ -e broken ]; then echo 'E: disk full'; exit 100; fi
			touch thing
			echo 'Setting up thing (1.0) ...'
			;;
		esac
	EOF
	chmod +x bin/apt-get
}

@test "nothing missing: no apt call, not a word" {
	touch thing
	run "$deps" build run
	[ "$status" -eq 0 ] && [ -z "$output" ] && [ ! -e calls ]
}

@test "what is missing is listed, then just that is installed, with services forbidden and the policy removed" {
	run "$deps" run
	[ "$status" -eq 0 ]
	[[ $output == *"thing"*"a thing"*"installed in"*"no service was started"* && $output != *another* ]]
	grep -q ' install thing$' calls
	grep -q '^policy 101$' calls
	[ ! -e policy-rc.d ]
	run "$deps" run
	[ -z "$output" ]
}

@test "--check says what is missing, exits 1 and installs nothing" {
	run "$deps" --check
	[ "$status" -eq 1 ]
	[[ $output == *thing*other*"scripts/deps all installs them"* ]]
	[ ! -e calls ]
}

@test "--list shows each package of the group with its state" {
	run "$deps" run --list
	[ "$status" -eq 0 ] && [ "${#lines[@]}" -eq 2 ]
	[[ ${lines[0]} == "present "*bash* && ${lines[1]} == "missing "*thing* ]]
}

@test "an unknown argument is refused" {
	run "$deps" --instal
	[ "$status" -eq 1 ] && [[ $output == *"unknown argument '--instal'"* ]]
}

@test "package lists are read only when they are needed" {
	touch stale
	"$deps" run
	[ "$(grep -c ' update' calls)" -eq 1 ]
	[ -e thing ]
}

@test "Ctrl-C during an installation removes the policy" {
	touch hang
	python3 - "$deps" <<-'EOF'
		import os, signal, subprocess, sys, time
		signal.signal(signal.SIGINT, signal.SIG_DFL)
		child = subprocess.Popen([sys.argv[1], "run"], start_new_session=True)
		deadline = time.monotonic() + 20
		while not os.path.exists("hanging") and time.monotonic() < deadline:
		    time.sleep(0.01)
		assert os.path.exists("policy-rc.d")
		os.killpg(child.pid, signal.SIGINT)
		assert child.wait(20) == 130
	EOF
	[ ! -e policy-rc.d ]
	[ -z "$(compgen -G 'policy-rc.d*' || true)" ]
}

@test "a policy that a killed run left behind forbids nothing and is replaced" {
	printf '#!/bin/sh\n# coxswain-deps: no service starts while process 999999999 installs\n[ -d /proc/999999999 ] || exit 0\nexit 101\n' \
		>policy-rc.d
	chmod +x policy-rc.d
	./policy-rc.d nginx start
	"$deps" run
	grep -q '^policy 101$' calls
	[ ! -e policy-rc.d ]
}

@test "a policy of the machine's owner is used if it forbids, and stays" {
	printf '#!/bin/sh\nexit 101\n' >policy-rc.d
	chmod +x policy-rc.d
	cp policy-rc.d before
	"$deps" run
	cmp policy-rc.d before
}

@test "a policy of the machine's owner that allows service starts stops us" {
	printf '#!/bin/sh\nexit 0\n' >policy-rc.d
	chmod +x policy-rc.d
	run "$deps" run
	[ "$status" -eq 1 ]
	[[ $output == *"is not ours to change"*"apt-get install --no-install-recommends thing"* ]]
	[ -e policy-rc.d ] && [ ! -e thing ]
}

@test "a plan that removes a package or replaces somebody's Node.js is refused with the command to run" {
	printf 'Remv precious [1.0]\nInst nodejs [20.1] (18.0 Debian)\nInst libssl3 [3.0.1] (3.0.2 Debian)\nInst thing (1.0 Debian)\n' >plan
	run "$deps" run
	[ "$status" -eq 1 ]
	[[ $output == *"removes precious"*"replaces nodejs [20.1]"*"apt-get install --no-install-recommends thing"* ]]
	[[ $output != *libssl3* ]]
	[ ! -e thing ] && [ ! -e policy-rc.d ]
}

@test "a failing installation shows apt's words and fails" {
	touch broken
	run "$deps" run
	[ "$status" -eq 1 ]
	[[ $output == *"E: disk full"*"apt-get install failed"* ]]
	[ ! -e policy-rc.d ]
}

@test "the project's own table has only known probes" {
	unset DEPS_TABLE
	run "$deps" --list
	[ "$status" -eq 0 ]
	[[ $output == *nginx*libcmocka-dev* ]]
}
