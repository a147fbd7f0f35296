#!/usr/bin/env bats
# The helpers themselves: a test that uses them is only as good as they are.

load helpers

setup()
{
	COX_BUILD=$BATS_TEST_TMPDIR/build
	mkdir -p "$COX_BUILD/tools"
}

@test "a missing kubectl fails and does not fall back to the machine's" {
	mkdir "$BATS_TEST_TMPDIR/bin"
	printf '#!/bin/sh\necho from the machine\n' >"$BATS_TEST_TMPDIR/bin/kubectl"
	chmod +x "$BATS_TEST_TMPDIR/bin/kubectl"
	PATH=$BATS_TEST_TMPDIR/bin:$PATH run kubectl version
	[ "$status" -eq 127 ]
	[[ $output == *"build/tools/kubectl is missing"* ]]
}

@test "kubectl is the built one and sees a private KUBECONFIG" {
	# shellcheck disable=SC2016 # expanded by the script that is written
	printf '#!/bin/sh\necho "$KUBECONFIG $*"\n' >"$COX_BUILD/tools/kubectl"
	chmod +x "$COX_BUILD/tools/kubectl"
	run kubectl get pods
	[ "$output" = "$BATS_FILE_TMPDIR/kubeconfig get pods" ]
}

@test "wait_for returns when the condition holds" {
	(
		until [ -e "$BATS_TEST_TMPDIR/asked" ]; do :; done
		touch "$BATS_TEST_TMPDIR/there"
	) &
	asked()
	{
		touch "$BATS_TEST_TMPDIR/asked"
		[ -e "$BATS_TEST_TMPDIR/there" ]
	}
	wait_for 10 asked
}

@test "wait_for gives up at its deadline and shows the last words" {
	never()
	{
		echo "still 3 of 5"
		return 1
	}
	run wait_for 1 never
	[ "$status" -eq 1 ]
	[[ $output == *"waited 1 s in vain for: never"*"still 3 of 5"* ]]
}

@test "traces are equal when nothing was left" {
	traces_save
	traces_check
}

@test "traces name whatever was left: netns, link, table, mount, file, setting, process" {
	unshare -m -n -p -f --mount-proc bash -euo pipefail -c '
		mount -t tmpfs tmpfs /run
		mkdir /run/netns
		"$1" >"$2/before"
		ip netns add cox-left
		ip link add cox-left0 type veth peer name cox-left1
		nft add table ip cox_left
		mkdir -p /run/cox/left
		echo 1 >/proc/sys/net/ipv4/ip_forward
		bash -c "exec -a \"cox: left\" sleep 60" &
		child=$!
		until grep -q "^cox: left" "/proc/$child/cmdline"; do :; done
		if "$1" --compare "$2/before" >"$2/said"; then
			exit 1
		fi
		ip netns del cox-left
		kill "$child"
	' bash "$BATS_TEST_DIRNAME/traces" "$BATS_TEST_TMPDIR"
	for thing in 'netns cox-left' 'link cox-left0' 'nft ip cox_left' 'mount /run/netns' 'file /run/cox/left' \
		'sysctl net/ipv4/ip_forward = 1' 'process cox: left'; do
		grep -q "^> $thing" "$BATS_TEST_TMPDIR/said"
	done
}

@test "traces name what is missing" {
	{
		"$BATS_TEST_DIRNAME/traces"
		echo 'link lost0'
	} | LC_ALL=C sort >"$BATS_TEST_TMPDIR/before"
	run "$BATS_TEST_DIRNAME/traces" --compare "$BATS_TEST_TMPDIR/before"
	[ "$status" -eq 1 ]
	[[ $output == *'< link lost0'* ]]
}
