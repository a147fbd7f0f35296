# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2154,SC2034   # the parts of one program share their variables
# Reads a recipe into arrays and computes the key of every step: a hash of all that decides what the step makes.
#
# stages[]            stage names in order; the last one is the image
# stage_steps[STAGE]  the numbers of its steps
# step_kind[N]        debian, copy, run or fetch; step_text[N] its arguments
# step_stage[N] step_env[N] step_workdir[N] step_trim[N] step_key[N]

# Raise when a step makes something else from the same recipe: every cached step is built again.
builder_version=1

recipe_fail() {
	die "$recipe:$line_number: $*"
}

recipe_reset() {
	stages=() image_names=() image_env=() env_list=()
	step_kind=() step_text=() step_stage=() step_env=() step_workdir=() step_trim=() step_key=()
	declare -gA stage_steps=() stage_key=() exposed=() volumes=() labels=()
	workdir=/ user='' entrypoint='' cmd='' stop_signal=''
}

# Sets recipe, context (the folder that copies are relative to), name, archive and the arrays above.
recipe_read() {
	local line text='' first_line

	recipe=$1
	[ -f "$recipe" ] || die "no such recipe: $recipe"
	context=$(dirname "$(readlink -f "$recipe")")
	name=$(basename "$recipe" .recipe)
	archive=$out/$name.tar
	recipe_reset
	first_line=0 line_number=0
	while IFS= read -r line || [ -n "$line" ]; do
		line_number=$((line_number + 1))
		line=${line#"${line%%[![:space:]]*}"}
		[[ -z $line || $line == \#* ]] && continue
		[ -n "$text" ] || first_line=$line_number
		if [[ $line == *\\ ]]; then
			text+="${line%\\}"
			continue
		fi
		recipe_line "$text$line"
		text=''
	done <"$recipe"
	[ -z "$text" ] || recipe_fail "the line from $first_line on ends in a backslash and goes nowhere"
	((${#image_names[@]})) || die "$recipe: no 'image' line; the recipe makes nothing"
	((${#step_kind[@]})) || die "$recipe: no steps"
}

recipe_line() {
	local word=${1%%[[:space:]]*} rest=''

	[[ $1 == *[[:space:]]* ]] && rest=${1#"$word"} && rest=${rest#"${rest%%[![:space:]]*}"}
	[ -n "$rest" ] || recipe_fail "'$word' needs a value"
	case $word in
	image) recipe_image "$rest" ;;
	stage) recipe_stage "$rest" ;;
	debian | copy | run | fetch) recipe_step "$word" "$rest" ;;
	trim) recipe_trim "$rest" ;;
	env)
		[[ $rest =~ ^[A-Za-z_][A-Za-z0-9_]*= ]] || recipe_fail "env wants NAME=VALUE, not '$rest'"
		env_list+=("$rest")
		;;
	workdir)
		[[ $rest == /* ]] || recipe_fail "workdir wants an absolute path, not '$rest'"
		workdir=$rest
		;;
	user) user=$rest ;;
	entrypoint) entrypoint=$(recipe_words "$rest") || recipe_fail "entrypoint wants a JSON list of strings" ;;
	cmd) cmd=$(recipe_words "$rest") || recipe_fail "cmd wants a JSON list of strings" ;;
	expose)
		[[ $rest =~ ^[0-9]+/(tcp|udp)$ ]] || recipe_fail "expose wants PORT/tcp or PORT/udp, not '$rest'"
		exposed[$rest]=1
		;;
	volume) volumes[$rest]=1 ;;
	label)
		[[ $rest == *=* ]] || recipe_fail "label wants NAME=VALUE, not '$rest'"
		labels[${rest%%=*}]=${rest#*=}
		;;
	stopsignal)
		[[ $rest =~ ^SIG[A-Z0-9+-]+$ ]] || recipe_fail "stopsignal wants a name such as SIGINT, not '$rest'"
		stop_signal=$rest
		;;
	*) recipe_fail "unknown word '$word'" ;;
	esac
}

recipe_words() {
	jq --compact-output --exit-status 'if type == "array" and all(type == "string") then . else null end' <<<"$1" 2>/dev/null
}

# image NAME[:TAG] [ENV=VALUE...]: the same layers under one more name, perhaps with other variables.
recipe_image() {
	local words

	read -ra words <<<"$1"
	[[ ${words[0]} =~ ^[a-z0-9][a-z0-9._/-]*(:[A-Za-z0-9_][A-Za-z0-9_.-]*)?$ ]] || recipe_fail "'${words[0]}' is no image name"
	[[ ${words[0]} == *:* ]] || words[0]+=:latest
	image_names+=("${words[0]}")
	image_env+=("${words[*]:1}")
}

# A new stage begins with fresh settings: what the image runs as is decided in the last one.
recipe_stage() {
	[[ $1 =~ ^[a-z][a-z0-9-]*$ ]] || recipe_fail "'$1' is no stage name"
	[ -z "${stage_steps[$1]+x}" ] || recipe_fail "stage '$1' is there twice"
	stages+=("$1")
	stage_steps[$1]=''
	env_list=() exposed=() volumes=() labels=()
	workdir=/ user='' entrypoint='' cmd='' stop_signal=''
}

recipe_step() {
	local n=${#step_kind[@]} stage

	((${#stages[@]})) || recipe_stage image
	stage=${stages[-1]}
	if [ -z "${stage_steps[$stage]}" ]; then
		[ "$1" = debian ] || recipe_fail "stage '$stage' must begin with 'debian'"
	else
		[ "$1" != debian ] || recipe_fail "'debian' must be the first step of a stage"
	fi
	step_kind[n]=$1 step_text[n]=$2 step_stage[n]=$stage step_trim[n]=''
	step_workdir[n]=$workdir
	step_env[n]=
	if ((${#env_list[@]})); then
		step_env[n]=$(printf '%s\n' "${env_list[@]}")
	fi
	stage_steps[$stage]+="$n "
}

recipe_trim() {
	local n=$((${#step_kind[@]} - 1)) path paths

	if ((n < 0)) || [ "${step_kind[n]}" != debian ]; then
		recipe_fail "'trim' belongs right after 'debian'"
	fi
	read -ra paths <<<"$1"
	for path in "${paths[@]}"; do
		[[ $path == /?* && $path != *..* ]] || recipe_fail "trim wants absolute paths, not '$path'"
		step_trim[n]+="$path "
	done
}

hash_text() {
	local sum
	sum=$(sha256sum)
	printf '%s' "${sum%% *}"
}

# The content of files and folders of the context: names, kinds, whether executable, bytes, link targets.
hash_files() (
	cd "$context"
	find "$@" -printf '%y %p %l\n' | sort
	find "$@" -type f -perm /100 -printf 'x %p\n' | sort
	find "$@" -type f -print0 | sort --zero-terminated | xargs --null --no-run-if-empty sha256sum
)

# copy_words TEXT: sets copy_from (a stage or empty), copy_sources[] and copy_target.
copy_words() {
	local words

	read -ra words <<<"$1"
	copy_from=''
	if [[ ${words[0]} == --from=* ]]; then
		copy_from=${words[0]#--from=}
		words=("${words[@]:1}")
	fi
	((${#words[@]} >= 2)) || die "$recipe: copy wants SOURCE... TARGET, not '$1'"
	copy_target=${words[-1]}
	copy_sources=("${words[@]:0:${#words[@]}-1}")
	[[ $copy_target == /* && "$copy_target/" != */../* ]] || die "$recipe: copy wants an absolute target, not '$copy_target'"
	((${#copy_sources[@]} == 1)) || [[ $copy_target == */ ]] || die "$recipe: the target of several copies must end in '/': '$1'"
}

copy_inputs() {
	local source

	copy_words "$1"
	if [ -n "$copy_from" ]; then
		[ -n "${stage_key[$copy_from]:-}" ] || die "$recipe: copy from '$copy_from': no such stage before this one"
		printf '%s\n' "${stage_key[$copy_from]}"
		return
	fi
	for source in "${copy_sources[@]}"; do
		[ -e "$context/$source" ] || die "$recipe: copy: there is no $context/$source"
	done
	hash_files "${copy_sources[@]}"
}

step_inputs() {
	printf '%s\n' "$builder_version" "$2" "${step_kind[$1]}" "${step_text[$1]}"
	case ${step_kind[$1]} in
	debian) printf '%s\n' "$architecture" "$sources" "${step_trim[$1]}" ;;
	copy) copy_inputs "${step_text[$1]}" ;;
	*) printf '%s\n' "${step_workdir[$1]}" "${step_env[$1]}" ;;
	esac
}

# Sets step_key[], stage_key[] and recipe_key. A step's key covers all steps before it in its stage.
recipe_keys() {
	local n stage parent inputs

	for n in "${!step_kind[@]}"; do
		stage=${step_stage[n]}
		parent=${stage_key[$stage]:-}
		inputs=$(step_inputs "$n" "$parent")
		step_key[n]=$(hash_text <<<"$inputs")
		stage_key[$stage]=${step_key[n]}
	done
	recipe_key=$(recipe_settings "${stages[-1]}" | hash_text)
}

recipe_settings() {
	printf '%s\n' "$builder_version" "${stage_key[$1]}" "${image_names[@]}" -- "${image_env[@]}" -- "${env_list[@]}" -- \
		"$workdir" "$user" "$entrypoint" "$cmd" "$stop_signal"
	declare -p exposed volumes labels
}
