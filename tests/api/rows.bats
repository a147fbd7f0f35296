#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Every resource that the server lists, by the pinned kubectl: what objects/minimal/RESOURCE.yaml and objects/full/RESOURCE.yaml
# hold can be created (full sets most fields of the kind; fields that are refused are left out), reads back as it was written, and
# can be shown, explained, patched three ways and deleted. RESOURCE is the name as `kubectl api-resources -o name` says it.

load lib

setup_file()
{
	api_start
	kubectl create serviceaccount default
	kubectl api-resources --verbs=create,get,delete -o name | sort >"$BATS_FILE_TMPDIR/rows"
	kubectl api-resources --verbs=create -o name | sort | comm -23 - "$BATS_FILE_TMPDIR/rows" >"$BATS_FILE_TMPDIR/answers"
}

teardown_file()
{
	api_stop
}

# try COMMAND...: what it says is in $said; a failure is told with the object it is about.
try()
{
	if ! said=$("$@" 2>&1); then
		printf '%s: %s\n%s\n' "$row" "$*" "$said"
		return 1
	fi
}

# A namespace and a claim wait for controllers, which are not there.
row_delete()
{
	case $1 in
	namespace/*)
		try kubectl delete "$1" --wait=false &&
			try kubectl get "$1" -o jsonpath='{.status.phase}' &&
			try test "$said" = Terminating
		;;
	persistentvolume*)
		try kubectl patch "$1" --type=merge -p '{"metadata":{"finalizers":null}}' &&
			try kubectl delete "$1" --timeout=5s
		;;
	pod/*)
		try kubectl delete "$1" --force --grace-period=0
		;;
	*)
		try kubectl delete "$1" --timeout=5s
		;;
	esac
}

row_patch()
{
	try kubectl patch "$1" --type=json -p '[{"op":"add","path":"/metadata/annotations","value":{"json":"1"}}]' &&
		try kubectl patch "$1" --type=merge -p '{"metadata":{"labels":{"merge":"2"}}}' &&
		try kubectl patch "$1" --type=strategic -p '{"metadata":{"annotations":{"strategic":"3"}}}' -o \
			jsonpath='{"patched "}{.metadata.annotations.json}{.metadata.labels.merge}{.metadata.annotations.strategic}' &&
		try grep -q 'patched 123$' <<<"$said"
}

# What is the same for all objects of a kind, and need not be asked twice.
row_kind()
{
	try kubectl get "$1" &&
		try kubectl explain "${1%%.*}" --api-version="$(sed -n 's/^apiVersion: //p' "$2")"
}

# The file, put over the object as apply would do, changes nothing.
row_reads_back()
{
	KUBECTL_EXTERNAL_DIFF='diff -u -N -I resourceVersion' try kubectl diff -f "$1"
}

# one SIZE RESOURCE: the whole life of one object.
one()
{
	local row="$1 $2" file=$BATS_TEST_DIRNAME/objects/$1/$2.yaml object said
	if [[ ! -f $file ]]; then
		echo "$row: write tests/api/objects/$1/$2.yaml"
		return 1
	fi
	try kubectl create -f "$file" -o name || return 1
	object=$(grep -v '^Warning: ' <<<"$said")
	if [[ $1 = minimal ]]; then
		row_kind "$2" "$file" || return 1
	else
		row_reads_back "$file" || return 1
	fi
	try kubectl get "$object" -o wide &&
		try kubectl describe "$object" &&
		row_patch "$object" &&
		row_delete "$object"
}

# all SIZE PATTERN: every listed resource whose group is named by the pattern, some at a time.
all()
{
	export -f one try row_kind row_reads_back row_patch row_delete kubectl run_built
	export COX_BUILD COX_ROOT BATS_TEST_DIRNAME
	grep -E "$2" "$BATS_FILE_TMPDIR/rows" >"$BATS_TEST_TMPDIR/rows"
	# shellcheck disable=SC2016 # for the shell that is started
	xargs -P4 -n1 bash -c 'one "$0" "$1"' "$1" <"$BATS_TEST_TMPDIR/rows"
}

CORE='^[^.]*$'
WORK='^[^.]*\.(apps|autoscaling|batch|policy|scheduling\..*|node\..*|coordination\..*)$'
NET='^[^.]*\.(networking|discovery|storage|resource)\.'
REST='^[^.]*\.(admissionregistration|apiextensions|apiregistration|certificates|events|flowcontrol|rbac)'

@test "the groups below are all there are" {
	run grep -vE "$CORE|$WORK|$NET|$REST" "$BATS_FILE_TMPDIR/rows"
	[ -z "$output" ]
}

@test "minimal objects: core" {
	all minimal "$CORE"
}

@test "minimal objects: workloads" {
	all minimal "$WORK"
}

@test "minimal objects: network, storage, devices" {
	all minimal "$NET"
}

@test "minimal objects: the server's own" {
	all minimal "$REST"
}

@test "full objects: core" {
	all full "$CORE"
}

@test "full objects: workloads" {
	all full "$WORK"
}

@test "full objects: network, storage, devices" {
	all full "$NET"
}

@test "full objects: the server's own" {
	all full "$REST"
}

# bindings are for a pod; without validation because the schemas that kubectl asks for then (OpenAPI v2) are not served.
@test "what can only be created answers" {
	kubectl create -f "$BATS_TEST_DIRNAME/objects/minimal/pods.yaml"
	while read -r name; do
		file=$BATS_TEST_DIRNAME/objects/minimal/$name.yaml
		if [[ ! -f $file ]]; then
			echo "write tests/api/objects/minimal/$name.yaml"
			return 1
		fi
		output=$(kubectl create --validate=false -o yaml -f "$file")
		[[ $output == *$'\n'"status:"* ]]
	done <"$BATS_FILE_TMPDIR/answers"
	[ "$(kubectl get pod row -o jsonpath='{.spec.nodeName}')" = row ]
	kubectl delete pod row --force --grace-period=0
}
