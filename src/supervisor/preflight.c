/* SPDX-License-Identifier: Apache-2.0 */
#include "supervisor/preflight.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <spawn.h>
#include <stdarg.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/err.h"

enum { FILE_MAX = 256 * 1024, OUTPUT_MAX = 64 * 1024 };

struct check {
	const struct preflight_env *env;
	struct preflight_report *report;
	const char *what;
};

static void add(struct check *c, enum preflight_verdict verdict, struct str detail, const char *fix)
{
	*vec_push(&c->report->findings) = (struct preflight_finding){
		.what = c->what, .verdict = verdict, .detail = detail, .fix = str_of(fix)};
	c->report->failed += verdict == PREFLIGHT_FAILED;
	c->report->warnings += verdict == PREFLIGHT_WARNING;
}

static PRINTF(2, 3) void ok(struct check *c, const char *fmt, ...)
{
	struct str detail;
	va_list ap;

	va_start(ap, fmt);
	detail = arena_vprintf(&c->report->arena, fmt, ap);
	va_end(ap);
	add(c, PREFLIGHT_OK, detail, NULL);
}

/* fix: one command, constant or in the report's arena. */
static PRINTF(4, 5) void bad(struct check *c, enum preflight_verdict verdict, const char *fix,
			     const char *fmt, ...)
{
	struct str detail;
	va_list ap;

	va_start(ap, fmt);
	detail = arena_vprintf(&c->report->arena, fmt, ap);
	va_end(ap);
	add(c, verdict, detail, fix);
}

static int read_text(struct check *c, const char *dir, const char *name, struct str *ret)
{
	const char *path = arena_printf(&c->report->arena, "%s/%s", dir, name).p;
	int fd CLEANUP_FD = open(path, O_RDONLY | O_CLOEXEC);
	struct buf b CLEANUP_BUF = {0};
	ssize_t n = 0;

	if (fd < 0) {
		return ERR_NOT_FOUND;
	}
	while (b.n < FILE_MAX && (n = read(fd, buf_reserve(&b, 4096), 4096)) > 0) {
		b.n += (size_t)n;
	}
	*ret = arena_str(&c->report->arena, buf_str(&b));
	return n < 0 ? ERR_IO : 0;
}

static bool exists(struct check *c, const char *dir, const char *name)
{
	struct stat st;

	return stat(arena_printf(&c->report->arena, "%s/%s", dir, name).p, &st) == 0;
}

/* The program's path by $PATH and the system directories; NULL. */
static const char *find_program(struct check *c, const char *name)
{
	struct str dirs = arena_printf(&c->report->arena, "%s:%s", c->env->path, c->env->sbin);
	struct str dir;

	while (str_cut(&dirs, ':', &dir)) {
		const char *path = arena_printf(&c->report->arena, "%.*s/%s", STR_ARG(dir), name).p;

		if (dir.n && access(path, X_OK) == 0) {
			return path;
		}
	}
	return NULL;
}

/* What a program prints, both streams; unset if it cannot be run. */
static struct str run_program(struct check *c, const char *path, const char *arg1, const char *arg2)
{
	char *argv[] = {(char *)path, (char *)arg1, (char *)arg2, NULL};
	char *envp[] = {(char *)"PATH=/usr/sbin:/usr/bin:/sbin:/bin", (char *)"LC_ALL=C", NULL};
	posix_spawn_file_actions_t actions;
	struct buf b CLEANUP_BUF = {0};
	int fds[2];
	pid_t pid;
	ssize_t n;
	int r;

	if (pipe2(fds, O_CLOEXEC) < 0) {
		return STR_NULL;
	}
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, fds[1], 1);
	posix_spawn_file_actions_adddup2(&actions, fds[1], 2);
	r = posix_spawn(&pid, path, &actions, NULL, argv, envp);
	posix_spawn_file_actions_destroy(&actions);
	close(fds[1]);
	while (r == 0 && b.n < OUTPUT_MAX && (n = read(fds[0], buf_reserve(&b, 4096), 4096)) > 0) {
		b.n += (size_t)n;
	}
	close(fds[0]);
	if (r != 0 || waitpid(pid, NULL, 0) < 0) {
		return STR_NULL;
	}
	return arena_str(&c->report->arena, buf_str(&b));
}

static struct str first_line(struct str s)
{
	struct str line = STR("");

	str_cut(&s, '\n', &line);
	return str_trim(line);
}

static void check_root(struct check *c)
{
	if (c->env->uid == 0) {
		ok(c, "running as root");
	} else {
		bad(c, PREFLIGHT_FAILED, "sudo cox up",
		    "namespaces, mounts and links need root; this is uid %u", c->env->uid);
	}
}

static void check_namespaces(struct check *c)
{
	static const char *const names[] = {"net", "mnt", "uts", "ipc", "pid", "cgroup"};

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		const char *name = arena_printf(&c->report->arena, "self/ns/%s", names[i]).p;

		if (!exists(c, c->env->proc, name)) {
			bad(c, PREFLIGHT_FAILED,
			    "uname -r   # boot a kernel of 5.10 or newer with namespaces",
			    "the kernel has no %s namespaces", names[i]);
			return;
		}
	}
	ok(c, "net, mnt, uts, ipc, pid, cgroup");
}

static bool has_word(struct str text, const char *word)
{
	struct str line;

	while (str_cut(&text, '\n', &line)) {
		if (str_eq(str_trim(str_from(line, str_has_prefix(line, STR("nodev")) ? 5 : 0)),
			   str_of(word))) {
			return true;
		}
	}
	return false;
}

static void check_filesystems(struct check *c)
{
	struct str text;

	if (read_text(c, c->env->proc, "filesystems", &text) < 0) {
		bad(c, PREFLIGHT_FAILED, "mount -t proc proc /proc",
		    "%s/filesystems cannot be read", c->env->proc);
	} else if (!has_word(text, "overlay")) {
		bad(c, PREFLIGHT_FAILED, "modprobe overlay",
		    "the kernel does not offer overlayfs, which images are made of");
	} else {
		ok(c, "overlay");
	}
}

static void check_cgroups(struct check *c)
{
	bool v2 = exists(c, c->env->sys, "fs/cgroup/cgroup.controllers");
	bool v1 = exists(c, c->env->sys, "fs/cgroup/memory/memory.limit_in_bytes") ||
		  exists(c, c->env->sys, "fs/cgroup/memory/tasks");
	bool hybrid = exists(c, c->env->sys, "fs/cgroup/unified");
	struct str controllers;

	if (v2) {
		if (read_text(c, c->env->sys, "fs/cgroup/cgroup.controllers", &controllers) < 0 ||
		    !str_contains(controllers, STR("memory"))) {
			bad(c, PREFLIGHT_FAILED,
			    "sed -i 's/cgroup_disable=memory//' /etc/default/grub && update-grub "
			    "&& reboot",
			    "cgroup v2 without the memory controller");
			return;
		}
		ok(c, "v2: %.*s", STR_ARG(str_trim(controllers)));
	} else if (v1) {
		ok(c, "%s", hybrid ? "v1 controllers beside a v2 tree (hybrid)" : "v1");
	} else {
		bad(c, PREFLIGHT_FAILED, "mount -t cgroup2 none /sys/fs/cgroup",
		    "no cgroup hierarchy is mounted below %s/fs/cgroup", c->env->sys);
	}
}

static void check_tool(struct check *c, const char *name, const char *package,
		       const char *version_arg)
{
	const char *path = find_program(c, name);
	struct str said = path ? run_program(c, path, version_arg, NULL) : STR_NULL;

	if (!path) {
		bad(c, PREFLIGHT_FAILED,
		    arena_printf(&c->report->arena, "apt-get install --no-install-recommends %s",
				 package)
			    .p,
		    "%s is not installed", name);
	} else if (!said.n) {
		bad(c, PREFLIGHT_FAILED,
		    arena_printf(&c->report->arena, "apt-get install --reinstall %s", package).p,
		    "%s does not run", path);
	} else {
		ok(c, "%.*s (%s)", STR_ARG(first_line(said)), path);
	}
}

static void check_crun(struct check *c)
{
	check_tool(c, "crun", "crun", "--version");
}

static void check_conmon(struct check *c)
{
	check_tool(c, "conmon", "conmon", "--version");
}

static void check_nft(struct check *c)
{
	check_tool(c, "nft", "nftables", "--version");
}

static void check_nginx(struct check *c)
{
	check_tool(c, "nginx", "nginx-light", "-v");
	if (c->report->findings.p[c->report->findings.n - 1].verdict != PREFLIGHT_OK) {
		return;
	}
	if (!exists(c, c->env->modules, "ngx_http_lua_module.so") ||
	    !exists(c, c->env->lua, "resty/core.lua")) {
		bad(c, PREFLIGHT_FAILED,
		    "apt-get install --no-install-recommends libnginx-mod-http-lua lua-resty-core",
		    "nginx has no Lua module (%s) or lua-resty-core is missing", c->env->modules);
	}
}

/* Networks that a cluster uses; a host route into one of them would swallow its traffic. */
static const struct {
	const char *name;
	uint32_t base, mask;
} ours[] = {
	{"Services, 10.96.0.0/12", 0x0a600000, 0xfff00000},
	{"pods, 10.244.0.0/16", 0x0af40000, 0xffff0000},
	{"nodes, 10.10.0.0/24", 0x0a0a0000, 0xffffff00},
};

static bool hex32(struct str s, uint32_t *ret)
{
	uint32_t v = 0;

	if (s.n != 8) {
		return false;
	}
	for (size_t i = 0; i < 8; i++) {
		char ch = s.p[i];
		int d = ch >= '0' && ch <= '9'	 ? ch - '0'
			: ch >= 'A' && ch <= 'F' ? ch - 'A' + 10
						 : -1;

		if (d < 0) {
			return false;
		}
		v = v << 4 | (uint32_t)d;
	}
	*ret = ntohl(v); /* the file has them in network order, printed as a host number */
	return true;
}

/* One line of /proc/net/route: Iface Destination Gateway Flags RefCnt Use Metric Mask ... */
static void check_route_line(struct check *c, struct str line, bool *found)
{
	struct str iface;
	struct str field;
	uint32_t dest = 0;
	uint32_t mask = 0;
	bool good = false;

	str_cut(&line, '\t', &iface);
	for (int i = 1; i < 8 && str_cut(&line, '\t', &field); i++) {
		if (i == 1) {
			good = hex32(field, &dest);
		} else if (i == 7) {
			good = good && hex32(field, &mask);
		}
	}
	for (size_t i = 0; good && mask && i < ARRAY_LEN(ours); i++) {
		uint32_t common = mask & ours[i].mask;

		if ((dest & common) == (ours[i].base & common)) {
			struct in_addr addr = {htonl(dest)};
			char text[16];

			inet_ntop(AF_INET, &addr, text, sizeof(text));
			*found = true;
			bad(c, PREFLIGHT_FAILED,
			    arena_printf(&c->report->arena, "ip route del %s/%d dev %.*s", text,
					 __builtin_popcount(mask), STR_ARG(iface))
				    .p,
			    "the host's route to %s/%d by %.*s overlaps the cluster's network for "
			    "%s",
			    text, __builtin_popcount(mask), STR_ARG(iface), ours[i].name);
		}
	}
}

static void check_routes(struct check *c)
{
	struct str text;
	struct str line;
	bool found = false;

	if (read_text(c, c->env->proc, "net/route", &text) < 0) {
		ok(c, "no IPv4 routes");
		return;
	}
	str_cut(&text, '\n', &line); /* headings */
	while (str_cut(&text, '\n', &line)) {
		if (line.n) {
			check_route_line(c, line, &found);
		}
	}
	if (!found) {
		ok(c, "no host route overlaps 10.96.0.0/12, 10.244.0.0/16 or 10.10.0.0/24");
	}
}

/* Docker and ufw set the FORWARD policy to drop; pods' packets to the outside would end there. */
static void check_forward(struct check *c)
{
	const char *iptables = find_program(c, "iptables");
	struct str said =
		iptables && c->env->uid == 0 ? run_program(c, iptables, "-S", "FORWARD") : STR_NULL;

	if (str_contains(said, STR("-P FORWARD DROP"))) {
		bad(c, PREFLIGHT_WARNING, "iptables -P FORWARD ACCEPT",
		    "the firewall drops forwarded packets (Docker or ufw): pods will not reach "
		    "addresses outside the machine");
	} else {
		ok(c, "forwarding is not blocked");
	}
}

static bool port_is_free(int port)
{
	int fd CLEANUP_FD = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in addr = {.sin_family = AF_INET,
				   .sin_port = htons((uint16_t)port),
				   .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int one = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	return fd >= 0 && bind(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0 &&
	       listen(fd, 1) == 0;
}

static void check_ports(struct check *c)
{
	bool all = true;

	for (const int *p = c->env->ports; *p; p++) {
		if (!port_is_free(*p)) {
			all = false;
			bad(c, PREFLIGHT_FAILED,
			    arena_printf(&c->report->arena,
					 "ss -ltnp 'sport = :%d'   # shows who has it", *p)
				    .p,
			    "port %d on 127.0.0.1 is taken", *p);
		}
	}
	if (all) {
		ok(c, "free");
	}
}

/* A cluster's run directory without a living supervisor is what a crash leaves. */
static void check_leftovers(struct check *c)
{
	const char *dir = arena_printf(&c->report->arena, "%s/cox", c->env->run).p;
	DIR *d = opendir(dir);
	struct dirent *e;
	bool found = false;

	while (d && (e = readdir(d))) {
		struct str pid = STR("");
		int64_t n = 0;

		if (e->d_name[0] == '.') {
			continue;
		}
		if (read_text(c, dir,
			      arena_printf(&c->report->arena, "%s/supervisor.pid", e->d_name).p,
			      &pid) == 0 &&
		    str_to_int64(str_trim(pid), &n) == 0 && n > 0 &&
		    exists(c, c->env->proc,
			   arena_printf(&c->report->arena, "%lld", (long long)n).p)) {
			continue; /* it runs */
		}
		found = true;
		bad(c, PREFLIGHT_WARNING,
		    arena_printf(&c->report->arena, "cox down --name %s", e->d_name).p,
		    "cluster '%s' was not taken down properly", e->d_name);
	}
	if (d) {
		closedir(d);
	}
	if (!found) {
		ok(c, "none");
	}
}

void preflight_env_init(struct preflight_env *env)
{
	static const int ports[] = {6443, 0};
	const char *path = getenv("PATH");

	*env = (struct preflight_env){
		.proc = "/proc",
		.sys = "/sys",
		.run = "/run",
		.modules = "/usr/lib/nginx/modules",
		.lua = "/usr/share/lua/5.1",
		.path = path ? path : "/usr/bin:/bin",
		.sbin = "/usr/sbin:/sbin",
		.uid = geteuid(),
		.ports = ports,
	};
}

void preflight_run(const struct preflight_env *env, struct preflight_report *ret)
{
	static const struct {
		const char *name;
		void (*fn)(struct check *c);
	} checks[] = {
#define PREFLIGHT(name) {#name, check_##name},
#include "supervisor/preflight.def"
#undef PREFLIGHT
	};

	*ret = (struct preflight_report){0};
	for (size_t i = 0; i < ARRAY_LEN(checks); i++) {
		struct check c = {env, ret, checks[i].name};

		checks[i].fn(&c);
	}
}

void preflight_report_fini(struct preflight_report *r)
{
	vec_fini(&r->findings);
	arena_fini(&r->arena);
}
