# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# A control plane without nodes for .bats files of this directory: an API server of our own on loopback, its data in a temporary
# directory. api_start [FLAGS...] (API_COMMAND=control-plane: with controllers), api_stop; raw sends a request with curl.

load "${BATS_TEST_DIRNAME}/../e2e/lib/helpers"

api_start()
{
	rm -f "$KUBECONFIG"
	"$COX_BUILD/cox" "${API_COMMAND:-apiserver}" --data-dir "$BATS_FILE_TMPDIR/data" --secure-port 0 --write-kubeconfig "$KUBECONFIG" "$@" \
		>>"$BATS_FILE_TMPDIR/log" 2>&1 3>&- &
	echo $! >"$BATS_FILE_TMPDIR/pid"
	wait_for 20 test -s "$KUBECONFIG" || {
		cat "$BATS_FILE_TMPDIR/log" >&2
		return 1
	}
}

api_url()
{
	sed -n 's/^ *server: //p' "$KUBECONFIG"
}

api_stop()
{
	kill "$(cat "$BATS_FILE_TMPDIR/pid")"
	wait_for 20 sh_true "! kill -0 $(cat "$BATS_FILE_TMPDIR/pid") 2>/dev/null || grep -q '^State:.Z' /proc/$(cat "$BATS_FILE_TMPDIR/pid")/status"
}

# raw METHOD PATH [curl arguments]: as the administrator; prints the body and, on the last line, the status.
raw()
{
	local method=$1 path=$2
	shift 2
	if [[ ! -s $BATS_FILE_TMPDIR/admin.crt ]]; then
		sed -n 's/^ *client-certificate-data: //p' "$KUBECONFIG" | base64 -d >"$BATS_FILE_TMPDIR/admin.crt"
		sed -n 's/^ *client-key-data: //p' "$KUBECONFIG" | base64 -d >"$BATS_FILE_TMPDIR/admin.key"
		sed -n 's/^ *certificate-authority-data: //p' "$KUBECONFIG" | base64 -d >"$BATS_FILE_TMPDIR/ca.crt"
	fi
	curl -sS --cacert "$BATS_FILE_TMPDIR/ca.crt" --cert "$BATS_FILE_TMPDIR/admin.crt" --key "$BATS_FILE_TMPDIR/admin.key" \
		-X "$method" -w '\n%{http_code}\n' "$@" "$(api_url)$path"
}

# Without credentials.
anonymous()
{
	curl -sS -k -w '\n%{http_code}\n' "$@"
}
