#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Starts PostgreSQL as a container. An empty data directory is initialised first:
#
#   POSTGRES_PASSWORD          the superuser's password; required unless POSTGRES_HOST_AUTH_METHOD is trust
#   POSTGRES_USER              the superuser's name (postgres)
#   POSTGRES_DB                a database to create (the superuser's name)
#   POSTGRES_INITDB_ARGS       more options for initdb, split at spaces
#   POSTGRES_INITDB_WALDIR     another place for the write-ahead log
#   POSTGRES_HOST_AUTH_METHOD  how clients on the network log in (scram-sha-256)
#   PGDATA                     the data directory
#
# Each POSTGRES_ variable but the last two and WALDIR can name a file instead: POSTGRES_PASSWORD_FILE=/run/secrets/x. Then the files of
# /docker-entrypoint-initdb.d run in the order of their names: *.sh (sourced when not executable), *.sql and *.sql.gz.
# Started as root, everything but the ownership of the directories happens as the user postgres.

set -eu

say() {
	echo "docker-entrypoint: $*" >&2
}

die() {
	say "$*"
	exit 1
}

# file_variable NAME DEFAULT: sets NAME from itself, from the file that NAME_FILE names, or to the default.
file_variable() {
	eval "value=\${$1:-} file=\${$1_FILE:-}"
	[ -z "$value" ] || [ -z "$file" ] || die "both $1 and $1_FILE are set; keep one"
	if [ -n "$file" ]; then
		[ -r "$file" ] || die "$1_FILE: cannot read $file"
		value=$(cat "$file")
	fi
	export "$1=${value:-$2}"
	unset "$1_FILE"
}

is_initialised() {
	[ -s "$PGDATA/PG_VERSION" ]
}

make_directories() {
	mkdir -p "$PGDATA"
	chmod 700 "$PGDATA" 2>/dev/null || :
	mkdir -p /var/run/postgresql 2>/dev/null || :
	chmod 3775 /var/run/postgresql 2>/dev/null || :
	[ -z "${POSTGRES_INITDB_WALDIR:-}" ] || { mkdir -p "$POSTGRES_INITDB_WALDIR" && chmod 700 "$POSTGRES_INITDB_WALDIR"; }
}

own_directories() {
	find "$PGDATA" ! -user postgres -exec chown postgres '{}' +
	find /var/run/postgresql ! -user postgres -exec chown postgres '{}' +
	[ -z "${POSTGRES_INITDB_WALDIR:-}" ] || find "$POSTGRES_INITDB_WALDIR" ! -user postgres -exec chown postgres '{}' +
}

# PostgreSQL refuses a user without a name; a pod's runAsUser may be any number.
name_the_user() {
	getent_line=$(grep "^[^:]*:[^:]*:$(id -u):" /etc/passwd || :)
	[ -n "$getent_line" ] || die "no user has the number $(id -u); run as root or as postgres ($(id -u postgres))"
}

check_settings() {
	file_variable POSTGRES_PASSWORD ''
	file_variable POSTGRES_USER postgres
	file_variable POSTGRES_DB "$POSTGRES_USER"
	file_variable POSTGRES_INITDB_ARGS ''
	: "${POSTGRES_HOST_AUTH_METHOD:=}"
	if [ -z "$POSTGRES_PASSWORD" ] && [ "$POSTGRES_HOST_AUTH_METHOD" != trust ]; then
		die "the database is not initialised and has no password for '$POSTGRES_USER': set POSTGRES_PASSWORD," \
			"or POSTGRES_HOST_AUTH_METHOD=trust to let everyone in without one"
	fi
	[ "$POSTGRES_HOST_AUTH_METHOD" != trust ] || say "warning: POSTGRES_HOST_AUTH_METHOD=trust: no password is ever asked for"
}

init_database() {
	secret=$(mktemp)
	printf '%s\n' "$POSTGRES_PASSWORD" >"$secret"
	set -- --username="$POSTGRES_USER"
	[ -z "$POSTGRES_PASSWORD" ] || set -- "$@" --pwfile="$secret"
	[ -z "${POSTGRES_INITDB_WALDIR:-}" ] || set -- "$@" --waldir="$POSTGRES_INITDB_WALDIR"
	# shellcheck disable=SC2086 # the arguments are a list
	initdb --pgdata="$PGDATA" "$@" $POSTGRES_INITDB_ARGS
	rm "$secret"
	printf '\nhost all all all %s\n' "${POSTGRES_HOST_AUTH_METHOD:-$(postgres -C password_encryption)}" >>"$PGDATA/pg_hba.conf"
}

# The server of the setup listens on its socket only: nobody connects to a half-made database.
start_setup_server() {
	[ "${1:-}" != postgres ] || shift
	set -- -c listen_addresses='' -p "${PGPORT:-5432}" "$@"
	options=
	for word; do
		options="$options '$(printf '%s' "$word" | sed "s/'/'\\\\''/g")'"
	done
	pg_ctl --pgdata="$PGDATA" --options="$options" --wait start
}

stop_setup_server() {
	pg_ctl --pgdata="$PGDATA" --mode=fast --wait stop
}

setup_sql() {
	PGHOST='' PGHOSTADDR='' PGPASSWORD=$POSTGRES_PASSWORD \
		psql --set ON_ERROR_STOP=1 --no-password --no-psqlrc --username "$POSTGRES_USER" "$@"
}

create_database() {
	exists=$(printf '%s\n' "SELECT 1 FROM pg_database WHERE datname = :'db';" |
		setup_sql --dbname postgres --set db="$POSTGRES_DB" --tuples-only)
	[ -n "$exists" ] || printf '%s\n' "CREATE DATABASE :\"db\";" | setup_sql --dbname postgres --set db="$POSTGRES_DB"
}

run_setup_files() {
	for file in /docker-entrypoint-initdb.d/*; do
		case $file in
		*.sh)
			say "running $file"
			if [ -x "$file" ]; then
				"$file"
			else
				# shellcheck source=/dev/null
				. "$file"
			fi
			;;
		*.sql) say "running $file" && setup_sql --dbname "$POSTGRES_DB" --file "$file" ;;
		*.sql.gz) say "running $file" && gunzip -c "$file" | setup_sql --dbname "$POSTGRES_DB" ;;
		'/docker-entrypoint-initdb.d/*') ;;
		*) say "ignoring $file: neither .sh, .sql nor .sql.gz" ;;
		esac
	done
}

# A setup that was broken off would look like a finished one at the next start.
drop_half_made() {
	say "the setup failed; emptying $PGDATA so that the next start begins anew"
	pg_ctl --pgdata="$PGDATA" --mode=immediate --wait stop >/dev/null 2>&1 || :
	find "$PGDATA" -mindepth 1 -delete
}

set_up() {
	[ -z "$(ls -A "$PGDATA")" ] || die "$PGDATA is not empty, but holds no database: choose an empty directory" \
		"(a mount point with lost+found: set PGDATA to a folder below it, or mount with a subPath)"
	trap drop_half_made EXIT
	trap 'exit 1' INT TERM
	init_database
	start_setup_server "$@"
	create_database
	run_setup_files
	stop_setup_server
	trap - EXIT INT TERM
	say "the database is ready to start"
}

# Options that only print something need no database.
wants_help() {
	for word; do
		case $word in
		-\? | --help | --describe-config | -V | --version) return 0 ;;
		esac
	done
	return 1
}

main() {
	case ${1:-} in
	-*) set -- postgres "$@" ;;
	esac
	if [ "${1:-}" != postgres ] || wants_help "$@"; then
		exec "$@"
	fi
	make_directories
	if [ "$(id -u)" = 0 ]; then
		own_directories
		exec setpriv --reuid=postgres --regid=postgres --init-groups -- "$0" "$@"
	fi
	name_the_user
	if ! is_initialised; then
		check_settings
		set_up "$@"
	fi
	unset POSTGRES_PASSWORD PGPASSWORD
	exec "$@"
}

main "$@"
