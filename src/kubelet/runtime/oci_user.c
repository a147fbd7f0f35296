/* SPDX-License-Identifier: Apache-2.0 */
#include "kubelet/runtime/oci_user.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/vec.h"
#include "linux/file.h"
#include "linux/path.h"

enum { FILE_MAX = 1 << 20, GROUPS_MAX = 4096 };

/* No such file: no lines. */
static int read_lines(int root, const char *path, struct arena *arena, struct str *ret,
		      struct err *err)
{
	struct buf text CLEANUP_BUF = {0};
	int fd CLEANUP_FD = path_open_in_root(root, path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0);
	struct stat st;
	int r;

	*ret = STR_NULL;
	if (fd == -ENOENT || fd == -ENOTDIR) {
		return 0;
	}
	if (fd < 0) {
		return err_set_errno(err, -fd, "cannot open the image's %s", path);
	}
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		return err_set(err, ERR_INVALID, "the image's %s is no regular file", path);
	}
	r = file_read_fd(fd, path, FILE_MAX, &text, err);
	if (r == 0) {
		*ret = arena_str(arena, buf_str(&text));
	}
	return r;
}

static bool to_id(struct str s, uint32_t *ret)
{
	uint64_t v;

	if (str_to_uint64(s, &v) < 0 || v > UINT32_MAX - 1) {
		return false;
	}
	*ret = (uint32_t)v;
	return true;
}

/* name:x:id:... of passwd and group alike. */
struct entry {
	struct str name;
	uint32_t id;
	struct str rest; /* what follows the id */
};

static bool next_entry(struct str *lines, struct entry *ret)
{
	struct str line;

	while (str_cut(lines, '\n', &line)) {
		struct str id;
		struct str ignored;

		if (str_cut(&line, ':', &ret->name) && str_cut(&line, ':', &ignored) &&
		    str_cut(&line, ':', &id) && ret->name.n && to_id(id, &ret->id)) {
			ret->rest = line;
			return true;
		}
	}
	return false;
}

static int resolve_user(struct str passwd, struct str user, struct oci_user *ret,
			struct str *ret_name, struct err *err)
{
	bool numeric = to_id(user, &ret->uid);
	struct entry e;

	while (next_entry(&passwd, &e)) {
		struct str gid;
		struct str gecos;

		if (numeric ? e.id != ret->uid : !str_eq(e.name, user)) {
			continue;
		}
		ret->uid = e.id;
		if (!str_cut(&e.rest, ':', &gid) || !to_id(gid, &ret->gid)) {
			ret->gid = 0;
		}
		if (!str_cut(&e.rest, ':', &gecos) || !str_cut(&e.rest, ':', &ret->home)) {
			ret->home = STR_NULL;
		}
		*ret_name = e.name;
		return 0;
	}
	return numeric ? 0
		       : err_set(err, ERR_INVALID,
				 "the image's user %.*s is not in its /etc/passwd",
				 (int)MIN(user.n, (size_t)64), user.p);
}

static int resolve_group(struct str groups, struct str group, uint32_t *ret, struct err *err)
{
	struct entry e;

	if (to_id(group, ret)) {
		return 0;
	}
	while (next_entry(&groups, &e)) {
		if (str_eq(e.name, group)) {
			*ret = e.id;
			return 0;
		}
	}
	return err_set(err, ERR_INVALID, "the image's group %.*s is not in its /etc/group",
		       (int)MIN(group.n, (size_t)64), group.p);
}

static void add_memberships(struct str groups, struct str name, struct arena *arena,
			    struct oci_user *ret)
{
	VEC(uint32_t) found = {0};
	struct entry e;

	while (name.n && next_entry(&groups, &e) && found.n < GROUPS_MAX) {
		struct str member;

		while (str_cut(&e.rest, ',', &member)) {
			if (str_eq(str_trim(member), name)) {
				*vec_push(&found) = e.id;
				break;
			}
		}
	}
	ret->groups = ARENA_ARRAY(arena, found.n, uint32_t);
	ret->n_groups = found.n;
	for (size_t i = 0; i < found.n; i++) {
		ret->groups[i] = found.p[i];
	}
	vec_fini(&found);
}

int oci_user_resolve(int root, struct str text, int64_t run_as_user, int64_t run_as_group,
		     struct arena *arena, struct oci_user *ret, struct err *err)
{
	struct oci_user u = {0};
	struct str rest = text.p ? text : STR("");
	struct str user = STR("");
	struct str group = STR_NULL;
	struct str name = STR_NULL;
	struct str passwd;
	struct str groups;
	int r;

	str_cut(&rest, ':', &user);
	group = rest;
	if (run_as_user >= 0) { /* the image's group belongs to the image's user */
		user = arena_printf(arena, "%lld", (long long)run_as_user);
		group = STR_NULL;
	}
	if (user.n == 0) {
		user = STR("0");
	}
	if ((r = read_lines(root, "/etc/passwd", arena, &passwd, err)) < 0 ||
	    (r = read_lines(root, "/etc/group", arena, &groups, err)) < 0 ||
	    (r = resolve_user(passwd, user, &u, &name, err)) < 0) {
		return r;
	}
	if (group.n && (r = resolve_group(groups, group, &u.gid, err)) < 0) {
		return r;
	}
	if (run_as_group >= 0) {
		u.gid = (uint32_t)run_as_group;
	}
	add_memberships(groups, name, arena, &u);
	*ret = u;
	return 0;
}
