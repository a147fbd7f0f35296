# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2154,SC2034   # the parts of one program share their variables
# What a build takes from the machine it runs on: Debian's mirror, resolver, certificates, proxies. None of it is packed.

architecture=$(dpkg --print-architecture)

# Sets sources to the machine's own apt lines for Debian 12, or Debian's public mirror. Only debian.org's entries count:
# other repositories may hold other builds of the same packages. COX_IMAGE_MIRROR names another mirror.
debian_sources() {
	sources=$({
		cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list 2>/dev/null | sources_one_line
		cat /dev/null /etc/apt/sources.list.d/*.sources | sources_deb822
	} | sort --unique)
	if [ -n "${COX_IMAGE_MIRROR:-}" ]; then
		sources="deb $COX_IMAGE_MIRROR bookworm main"
	elif ! grep --quiet ' bookworm main$' <<<"$sources"; then
		sources="deb http://deb.debian.org/debian bookworm main
deb http://deb.debian.org/debian-security bookworm-security main"
	fi
}

sources_one_line() {
	sed --regexp-extended --quiet \
		's!^deb +(\[[^]]*\] +)?(https?://[a-z0-9.-]*debian\.org/[^ ]*) +(bookworm(-updates|-security)?) +(.* )?main( .*)?$!deb \2 \3 main!p'
}

sources_deb822() {
	awk -v RS= -F '\n' '{
		uris = suites = components = ""; types = "deb"; enabled = "yes"
		for (i = 1; i <= NF; i++) {
			key = tolower($i); sub(/:.*/, "", key)
			value = $i; sub(/^[^:]*: */, "", value)
			if (key == "types") types = value
			if (key == "uris") uris = value
			if (key == "suites") suites = value
			if (key == "components") components = value
			if (key == "enabled") enabled = value
		}
		if (enabled != "yes" || (" " types " ") !~ / deb / || (" " components " ") !~ / main /) next
		nu = split(uris, u, " "); ns = split(suites, s, " ")
		for (a = 1; a <= nu; a++)
			for (b = 1; b <= ns; b++)
				if (u[a] ~ /^https?:\/\/[a-z0-9.-]*debian\.org\// && s[b] ~ /^bookworm(-updates|-security)?$/)
					print "deb " u[a] " " s[b] " main"
	}'
}

# The machine's apt proxy, as options for mmdebstrap.
apt_options() {
	apt-config dump Acquire 2>/dev/null |
		sed --regexp-extended --quiet 's!^(Acquire::https?::Proxy(::[^ ]*)? ".+";)$!--aptopt=\1!p'
}

# The layer that lies under a fetch: resolver, certificates and npm's registry settings. It is a lower layer of the
# overlay, so it is seen inside and never becomes part of the step.
host_layer() {
	local layer=$work/host bundle home

	[ ! -d "$layer" ] || return 0
	mkdir -p "$layer/etc/ssl/certs" "$layer/root"
	cat /etc/resolv.conf >"$layer/etc/resolv.conf"
	cat /etc/hosts >"$layer/etc/hosts"
	for bundle in /etc/ssl/certs/ca-certificates.crt "${SSL_CERT_FILE:-}" "${NODE_EXTRA_CA_CERTS:-}"; do
		[ -f "$bundle" ] && cat "$bundle"
	done | awk 'BEGIN { RS = ORS = "-----END CERTIFICATE-----\n" } /BEGIN/ && !seen[$0]++' \
		>"$layer/etc/ssl/certs/ca-certificates.crt"
	home=$(getent passwd "${SUDO_USER:-root}" | cut --delimiter=: --fields=6)
	cat /dev/null /etc/npmrc "$home/.npmrc" 2>/dev/null |
		grep --extended-regexp '^(registry|proxy|https-proxy|noproxy|@[^:]+:registry|//[^=]+:_authToken) *=' \
			>"$layer/root/.npmrc" || :
}

# Variables of a fetch, one NAME=VALUE a line: the machine's proxies and registry, and the certificates above.
host_environment() {
	local bundle=/etc/ssl/certs/ca-certificates.crt variable

	for variable in http_proxy https_proxy no_proxy HTTP_PROXY HTTPS_PROXY NO_PROXY npm_config_registry; do
		[ -z "${!variable:-}" ] || printf '%s=%s\n' "$variable" "${!variable}"
	done
	if [ -s "$work/host$bundle" ]; then
		printf '%s\n' "SSL_CERT_FILE=$bundle" "NODE_EXTRA_CA_CERTS=$bundle" "npm_config_cafile=$bundle"
	fi
}
