# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# For .bats files: load it with `load "$(git rev-parse --show-toplevel)/tests/e2e/lib/helpers"` or a relative path.
#
# cox ARGS...                 the binary that was built, nothing else
# kubectl ARGS..., helm ...   the pinned programs, with this test's own KUBECONFIG
# wait_for SECONDS CMD...     until CMD succeeds; on time-out shows what it said last and fails
# traces_save, traces_check   before and after: nothing of a cluster is left on the machine

COX_ROOT=$(readlink -f "${BASH_SOURCE[0]%/*}/../../..")
COX_BUILD=${COX_BUILD:-$COX_ROOT/build}

# Set here for everything the test starts, so that nobody's own clusters can be reached by mistake.
export KUBECONFIG=${BATS_FILE_TMPDIR:?helpers.bash is for bats}/kubeconfig
export HOME=$BATS_FILE_TMPDIR
unset KUBERNETES_MASTER KUBERNETES_SERVICE_HOST KUBERNETES_SERVICE_PORT

# A missing program is a failure, never a reason to use another one of the same name.
run_built()
{
	local program=$1
	shift
	if [[ ! -x $program ]]; then
		printf '%s is missing: run make %s\n' "$program" "${program#"$COX_ROOT"/}" >&2
		return 127
	fi
	"$program" "$@"
}

cox()
{
	run_built "$COX_BUILD/cox" "$@"
}

kubectl()
{
	run_built "$COX_BUILD/tools/kubectl" "$@"
}

helm()
{
	run_built "$COX_BUILD/tools/helm" "$@"
}

# Polls: the conditions of an end-to-end test have no event to wait on (a file, an answer through a
# proxy, a line in a log). For conditions of objects `kubectl wait --timeout` is better.
wait_for()
{
	local seconds=$1 said
	local deadline=$((SECONDS + seconds))
	shift
	until said=$("$@" 2>&1); do
		if ((SECONDS >= deadline)); then
			printf 'waited %s s in vain for: %s\n%s\n' "$seconds" "$*" "$said" >&2
			return 1
		fi
		sleep 0.1
	done
}

# For a predicate with a pipe or a comparison: wait_for 10 sh_true 'test "$(cat file)" = 3'
sh_true()
{
	bash -euo pipefail -c "$1"
}

traces_save()
{
	"$COX_ROOT/tests/e2e/lib/traces" >"$BATS_FILE_TMPDIR/traces"
}

traces_check()
{
	"$COX_ROOT/tests/e2e/lib/traces" --compare "$BATS_FILE_TMPDIR/traces"
}
