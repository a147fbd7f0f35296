# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2154,SC2034   # the parts of one program share their variables
# Packs the steps of the last stage into layers and writes the archive: an OCI image layout, with docker's manifest.json
# beside the index, so that `docker load` and `kind load image-archive` take it too.
#
# The same tree gives the same bytes on every machine: sorted names, numeric owners, one time stamp.

image_time=1704067200

blob_path() {
	printf '%s' "$cache/blobs/$1"
}

layer_pack() {
	local n=$1 tree info

	tree=$(step_tree "$n")
	info=$cache/layers/${step_key[n]}
	if [ -f "$info" ] && [ -f "$(blob_path "$(jq --raw-output .digest "$info")")" ]; then
		touch "$info" "$(blob_path "$(jq --raw-output .digest "$info")")"
		return
	fi
	step_began "pack ${step_kind[n]} ${step_text[n]}"
	refuse_removals "$n"
	layer_write "$tree" "${step_kind[n]} ${step_text[n]}" >"$work/info"
	mv "$work/info" "$info"
	step_ended
}

# A layer of ours only adds and replaces files. A removal could only hide what an earlier layer still carries, so it is
# refused: it belongs into the step that made the file.
refuse_removals() {
	local n=$1 stage=${step_stage[$1]} trees tree gone

	trees=$(lower_trees "$stage" "$n")
	[ -n "$trees" ] || return 0
	mount_overlay "$work/merged" "lowerdir=$(step_tree "$n"):$trees"
	gone=$(comm -13 \
		<(cd "$work/merged" && find . | sort) \
		<(for tree in ${trees//:/ }; do (cd "$tree" && find .); done | sort --unique))
	unmount_all
	[ -z "$gone" ] || die "$recipe: '${step_text[n]}' removes files of an earlier layer, for example" \
		"$(head --lines=1 <<<"$gone"); remove them in the step that makes them (or with 'trim')"
}

layer_write() {
	local tree=$1 digest

	(cd "$tree" && find . -mindepth 1 -not -type s -printf '%P\0' | sort --zero-terminated) >"$work/names"
	tar --create --directory="$tree" --format=gnu --numeric-owner --mtime="@$image_time" \
		--no-recursion --null --files-from="$work/names" --file="$work/layer"
	gzip --no-name -"${COX_IMAGE_GZIP_LEVEL:-1}" <"$work/layer" >"$work/blob" &
	sha256sum <"$work/layer" >"$work/diff"
	wait $!
	rm "$work/layer"
	digest=$(sha256sum <"$work/blob")
	digest=${digest%% *}
	jq --null-input --arg digest "$digest" --arg diff "$(cut --delimiter=' ' --fields=1 "$work/diff")" \
		--argjson size "$(stat --format=%s "$work/blob")" --arg made_by "$2" '{$digest, $diff, $size, $made_by}'
	mv "$work/blob" "$(blob_path "$digest")"
}

# blob_add FILE: moves it into the layout and prints {digest, size}.
blob_add() {
	local digest size

	digest=$(sha256sum <"$1")
	digest=${digest%% *}
	size=$(stat --format=%s "$1")
	mv "$1" "$layout/blobs/sha256/$digest"
	printf '{"digest":"sha256:%s","size":%d}' "$digest" "$size"
}

json_object() {
	local -n entries=$1
	local key pairs=()
	for key in "${!entries[@]}"; do
		pairs+=("$key" "${entries[$key]}")
	done
	jq --null-input '[$ARGS.positional | . as $p | range(0; length; 2) | {key: $p[.], value: $p[. + 1]}] | from_entries' \
		--args -- "${pairs[@]}"
}

# The image's own PATH comes first, so that a recipe's replaces it; a later variable replaces an earlier one.
image_environment() {
	{
		printf '%s\n' PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
		((${#env_list[@]} == 0)) || printf '%s\n' "${env_list[@]}"
		[ -z "$1" ] || tr ' ' '\n' <<<"$1"
	} | jq --raw-input --null-input '[inputs | {name: sub("=.*"; ""), text: .}]
		| reduce .[] as $v ({}; .[$v.name] = $v.text) | [.[]]'
}

image_config() {
	jq --sort-keys --null-input --compact-output --slurpfile layers "$work/layers" \
		--arg created "$(date --utc --date="@$image_time" +%FT%TZ)" --arg architecture "$architecture" \
		--argjson env "$(image_environment "$1")" --arg user "$user" --arg workdir "$workdir" \
		--argjson entrypoint "${entrypoint:-null}" --argjson cmd "${cmd:-null}" --arg stop_signal "$stop_signal" \
		--argjson exposed "$(json_object exposed)" --argjson volumes "$(json_object volumes)" \
		--argjson labels "$(json_object labels)" '
		def given: with_entries(select(.value != null and .value != "" and .value != {}));
		def names: map_values({});
		{ $created, $architecture, os: "linux",
		  config: ({ User: $user, Env: $env, Entrypoint: $entrypoint, Cmd: $cmd, WorkingDir: $workdir,
		    StopSignal: $stop_signal, ExposedPorts: ($exposed | names), Volumes: ($volumes | names),
		    Labels: $labels } | given),
		  rootfs: { type: "layers", diff_ids: [$layers[] | "sha256:" + .diff] },
		  history: [$layers[] | { $created, created_by: .made_by }] }'
}

image_manifest() {
	jq --sort-keys --null-input --compact-output --slurpfile layers "$work/layers" --argjson config "$1" '
		{ schemaVersion: 2, mediaType: "application/vnd.oci.image.manifest.v1+json",
		  config: ($config + {mediaType: "application/vnd.oci.image.config.v1+json"}),
		  layers: [$layers[] | { mediaType: "application/vnd.oci.image.layer.v1.tar+gzip",
		    digest: ("sha256:" + .digest), size }] }'
}

# One image of the archive: prints its entry of index.json, and of docker's manifest.json into work/docker.
image_write() {
	local config manifest

	image_config "$2" >"$work/config"
	config=$(blob_add "$work/config")
	image_manifest "$config" >"$work/manifest"
	manifest=$(blob_add "$work/manifest")
	jq --null-input --argjson config "$config" --slurpfile layers "$work/layers" --arg name "$1" '
		def blob: "blobs/sha256/" + sub("^sha256:"; "");
		{ Config: ($config.digest | blob), RepoTags: [$name], Layers: [$layers[].digest | blob] }' >>"$work/docker"
	jq --sort-keys --null-input --argjson manifest "$manifest" --arg name "$1" --arg architecture "$architecture" '
		$manifest + { mediaType: "application/vnd.oci.image.manifest.v1+json",
		  platform: { $architecture, os: "linux" },
		  annotations: { "org.opencontainers.image.ref.name": $name,
		    "io.containerd.image.name": ("docker.io/library/" + $name) } }'
}

archive_write() {
	local n i digest

	layout=$work/layout
	rm -rf --one-file-system "$layout" "$work/docker" && mkdir -p "$layout/blobs/sha256"
	for n in ${stage_steps[$1]}; do
		cat "$cache/layers/${step_key[n]}"
	done >"$work/layers"
	for digest in $(jq --raw-output .digest "$work/layers"); do
		ln --force "$(blob_path "$digest")" "$layout/blobs/sha256/$digest"
	done
	for i in "${!image_names[@]}"; do
		image_write "${image_names[i]}" "${image_env[i]}"
	done | jq --slurp --compact-output '{ schemaVersion: 2, mediaType: "application/vnd.oci.image.index.v1+json", manifests: . }' \
		>"$layout/index.json"
	printf '{"imageLayoutVersion":"1.0.0"}' >"$layout/oci-layout"
	jq --slurp --compact-output . "$work/docker" >"$layout/manifest.json"
	rm -f "$archive.key"
	(cd "$layout" && tar --create --format=gnu --numeric-owner --owner=0 --group=0 --mode=u=rwX,go=rX --mtime="@$image_time" --sort=name \
		oci-layout index.json manifest.json blobs) >"$archive.new"
	mv "$archive.new" "$archive"
	printf '%s\n' "$recipe_key" >"$archive.key"
}
