# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2154,SC2034   # the parts of one program share their variables
# What the builder tells people: progress with durations, errors with the fix.

say() {
	printf '%s\n' "$*"
}

die() {
	[ -z "${step_since:-}" ] || printf '%8s\n' failed
	printf 'image: %s\n' "$*" >&2
	exit 1
}

# since STARTED: seconds since an earlier $EPOCHREALTIME, to a tenth.
since() {
	local us=$((${EPOCHREALTIME/./} - ${1/./}))
	printf '%d.%d s' $((us / 1000000)) $((us / 100000 % 10))
}

size_of() {
	numfmt --to=iec --suffix=B "$(stat --format=%s "$1")"
}

# The line of a step: its text first, so that one sees what takes long, and the duration when it is done.
step_began() {
	local text=${1//$'\n'/ }
	((${#text} <= 72)) || text="${text:0:69}..."
	printf '  %-72s ' "$text"
	step_since=$EPOCHREALTIME
}

step_ended() {
	printf '%8s\n' "$(since "$step_since")"
	step_since=
}
