#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
set -eu
# Options alone, or a configuration file, are redis-server's. Protected mode would refuse everyone but loopback, which in
# a container is nobody.

case ${1:-} in
-* | *.conf) set -- redis-server "$@" ;;
esac
if [ "${1:-}" = redis-server ]; then
	set -- "$@" --protected-mode no
fi
exec "$@"
