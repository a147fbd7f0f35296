# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2154,SC2034   # the parts of one program share their variables
# Makes the steps of a recipe. Each becomes one directory tree under the cache, named by the step's key: the files that
# it added or changed. A later step sees the trees before it through overlayfs.

mounted=()
command_pid=
# With --fresh: what this run has built already, for another recipe or stage.
declare -A built=()

step_tree() {
	printf '%s' "$cache/steps/${step_key[$1]}"
}

step_build() {
	local n=$1 tree text

	tree=$(step_tree "$n")
	text="${step_stage[n]}: ${step_kind[n]} ${step_text[n]}"
	if [ -d "$tree" ] && { [ -z "$fresh" ] || [ -n "${built[$tree]:-}" ]; }; then
		touch "$tree"
		return
	fi
	current_step=$n
	step_began "$text"
	rm -rf --one-file-system "$work/tree" "$work/overlay" && mkdir "$work/tree"
	"step_${step_kind[n]}" "$n"
	rm -rf --one-file-system "$tree" "$cache/layers/${step_key[n]}"
	mv --no-target-directory "$work/tree" "$tree"
	built[$tree]=1
	step_ended
}

# Runs a command that dies with us, in a process namespace of its own; its words go to the log, which a failure shows.
contained() {
	local log=$work/log status=0 follower=

	setpriv --pdeathsig KILL unshare --mount --pid --fork --kill-child "$@" </dev/null >"$log" 2>&1 9>&- &
	command_pid=$!
	if [ -n "$verbose" ]; then
		printf '\n'
		tail --follow --lines=+1 --pid="$command_pid" --sleep-interval=0.1 "$log" 9>&- &
		follower=$!
	fi
	# Only in wait does bash act upon a signal at once; hence nothing runs in the foreground here.
	wait "$command_pid" || status=$?
	command_pid=
	[ -z "$follower" ] || wait "$follower"
	((status == 0)) || {
		[ -n "$verbose" ] || tail --lines=40 "$log" >&2
		die "$recipe: step ended with status $status: ${step_text[$current_step]}"
	}
}

stop_command() {
	[ -z "$command_pid" ] || { kill -KILL "$command_pid" && wait "$command_pid"; } 2>/dev/null || :
}

unmount_all() {
	local i
	for ((i = ${#mounted[@]} - 1; i >= 0; i--)); do
		umount --lazy "${mounted[i]}" 2>/dev/null || :
	done
	mounted=()
}

# The trees of a stage below step N (all of them without N), newest first, as overlayfs wants them.
lower_trees() {
	local n trees=
	for n in ${stage_steps[$1]}; do
		[ "$n" != "${2:-}" ] || break
		trees=$(step_tree "$n")${trees:+:$trees}
	done
	printf '%s' "$trees"
}

mount_overlay() {
	mkdir -p "$1"
	mount -t overlay overlay -o "$2" "$1" ||
		die "cannot mount overlayfs on $1; keep the cache on ext4, xfs, btrfs or tmpfs (set COX_IMAGE_CACHE)"
	mounted+=("$1")
}

# Everything of a stage so far, with work/tree on top to take the changes.
mount_step() {
	local lower
	lower=$(lower_trees "${step_stage[$1]}" "$1")
	mkdir -p "$work/overlay"
	mount_overlay "$work/root" "lowerdir=${2:+$2:}$lower,upperdir=$work/tree,workdir=$work/overlay"
}

step_debian() {
	local n=$1 packages options

	packages=${step_text[n]}
	[[ $packages =~ ^[a-z0-9.+\ -]+$ ]] || die "$recipe: debian wants package names, not '$packages'"
	mapfile -t options < <(apt_options)
	printf '%s\n' "$sources" >"$work/sources.list"
	contained --mount-proc -- mmdebstrap --mode=root --variant=extract --format=directory \
		--hook-dir=/usr/share/mmdebstrap/hooks/merged-usr "${options[@]}" \
		--include="${packages// /,}" bookworm "$work/tree" "$work/sources.list"
	debian_skeleton "$work/tree"
	debian_trim "$work/tree" "${step_trim[n]}"
}

# Packages were unpacked without their maintainer scripts: this is what a root needs besides.
debian_skeleton() {
	local root=$1 file

	rm -rf --one-file-system "${root:?}"/dev/*
	mkdir -p "$root"/{dev,etc,home,proc,root,run,sys,tmp,usr/local/bin,var/tmp}
	chmod 1777 "$root/tmp" "$root/var/tmp"
	chmod 700 "$root/root"
	ln --symbolic --force --no-target-directory /run "$root/var/run"
	printf '%s\n' root:x:0:0:root:/root:/bin/sh nobody:x:65534:65534:nobody:/nonexistent:/bin/false >"$root/etc/passwd"
	printf '%s\n' root:x:0: nogroup:x:65534: >"$root/etc/group"
	printf '%s\n' 'passwd: files' 'group: files' 'hosts: files dns' >"$root/etc/nsswitch.conf"
	for file in hosts hostname resolv.conf; do
		: >"$root/etc/$file"
	done
	[ ! -x "$root/usr/bin/busybox" ] || debian_busybox_links "$root"
}

# busybox fills in for the commands that no package of the image brought.
debian_busybox_links() {
	local path
	for path in $(chroot "$1" /usr/bin/busybox --list-full); do
		path=$1/usr/${path#usr/}
		[ -e "$path" ] || [ -L "$path" ] || [[ $path == */linuxrc ]] || ln --symbolic /usr/bin/busybox "$path"
	done
}

debian_trim() {
	local root=$1 path paths

	find "$root/usr/share/doc" -not -type d -not -name copyright -delete 2>/dev/null || :
	rm -rf --one-file-system "$root"/usr/share/{man,info,locale,lintian,bug,doc-base,bash-completion,initramfs-tools} \
		"$root"/etc/{apt,dpkg,fstab,init.d,cron.d,cron.daily} "$root"/var/{cache/*,log/*,lib/apt,lib/dpkg}
	read -ra paths <<<"$2"
	for path in "${paths[@]}"; do
		compgen -G "$root$path" >/dev/null || die "$recipe: trim: nothing matches $path; remove the line"
		# shellcheck disable=SC2086 # the path is a pattern
		rm -rf --one-file-system "$root"$path
	done
}

# A copy works on paths of a root from outside, where an absolute link would lead out of it.
no_links_in() {
	local root=$1 path=$2 part seen=

	while [ -n "$path" ]; do
		path=${path#/}
		part=${path%%/*}
		path=${path#"$part"}
		seen+=/$part
		[ ! -L "$root$seen" ] || die "$recipe: copy: $seen is a link to $(readlink "$root$seen"); name the real path"
	done
}

step_copy() {
	local n=$1 source target from=

	copy_words "${step_text[n]}"
	mount_step "$n"
	if [ -n "$copy_from" ]; then
		from=$work/from
		mount_overlay "$from" "lowerdir=$(lower_trees "$copy_from"):$work/empty"
	fi
	no_links_in "$work/root" "$copy_target"
	for source in "${copy_sources[@]}"; do
		target=$work/root$copy_target
		[[ $target != */ ]] || target+=$(basename "$source")
		mkdir -p "$(dirname "$target")"
		if [ -n "$copy_from" ]; then
			no_links_in "$from" "$(dirname "$source")"
			[ -e "$from$source" ] || [ -L "$from$source" ] || die "$recipe: copy: stage $copy_from made no $source"
			copy_into "$from$source" "$target"
		else
			rm -rf --one-file-system "$work/copy"
			cp --recursive --no-dereference --preserve=mode "$context/$source" "$work/copy"
			normalize_modes "$work/copy"
			copy_into "$work/copy" "$target"
		fi
	done
	unmount_all
}

# cp SOURCE TARGET, where a folder is merged into a folder that is there.
copy_into() {
	[ ! -d "$1" ] || [ -L "$1" ] || mkdir -p "$2"
	cp --archive --no-target-directory "$1" "$2"
}

# A checkout's modes depend on the user's umask; an image's do not.
normalize_modes() {
	find "$1" -type d -exec chmod 755 {} +
	find "$1" -type f -perm /100 -exec chmod 755 {} +
	find "$1" -type f -not -perm /100 -exec chmod 644 {} +
}

# A command without a network, or (fetch) with the machine's.
step_run() {
	mount_step "$1"
	in_root "$1" --net
}

step_fetch() {
	host_layer
	mount_step "$1" "$work/host"
	in_root "$1"
}

in_root() {
	local n=$1 variables=()
	shift

	mapfile -t variables < <(printf '%s' "${step_env[n]:+${step_env[n]}$'\n'}" && { (($#)) || host_environment; })
	contained "$@" -- "$BASH" -euc "$in_root_script" image "$work/root" "${step_workdir[n]}" "${step_text[n]}" "$*" \
		HOME=/root PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 \
		npm_config_cache=/tmp/npm "${variables[@]}"
	unmount_all
}

# Runs as the first process of its namespaces. /tmp and /dev are not part of the image.
in_root_script='
root=$1 directory=$2 text=$3 own_network=$4
shift 4
[ -z "$own_network" ] || ip link set lo up
mount -t proc proc "$root/proc"
mount -t tmpfs -o mode=755 dev "$root/dev"
for node in null zero full random urandom; do
	: >"$root/dev/$node"
	mount --bind "/dev/$node" "$root/dev/$node"
done
ln -s /proc/self/fd "$root/dev/fd"
mkdir -m 1777 "$root/dev/shm"
mount -t tmpfs -o mode=1777 tmp "$root/tmp"
exec env -i "$@" chroot "$root" /bin/sh -euc "cd \"\$1\"; eval \"\$2\"" step "$directory" "$text"
'
