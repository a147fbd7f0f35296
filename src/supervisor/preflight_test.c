/* SPDX-License-Identifier: Apache-2.0 */
#include "supervisor/preflight.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <ftw.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/test.h"

/* A machine of files in a temporary directory. */
struct machine {
	char dir[32];
	struct preflight_env env;
	struct arena arena;
	int ports[2];
};

static const char *at(struct machine *m, const char *name)
{
	return arena_printf(&m->arena, "%s/%s", m->dir, name).p;
}

static void make_dirs(struct machine *m, const char *path)
{
	struct str rest = str_of(path);
	struct str done = STR("");
	struct str part;

	while (str_cut(&rest, '/', &part)) {
		done = arena_printf(&m->arena, "%.*s/%.*s", STR_ARG(done), STR_ARG(part));
		mkdir(at(m, done.p + 1), 0755);
	}
}

static void put(struct machine *m, const char *dir, const char *name, const char *text, int mode)
{
	int fd;

	make_dirs(m, dir);
	fd = open(at(m, arena_printf(&m->arena, "%s/%s", dir, name).p),
		  O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

static void machine_init(struct machine *m)
{
	static const char *const tools[] = {"crun", "conmon", "nft", "nginx"};
	static const char *const spaces[] = {"net", "mnt", "uts", "ipc", "pid", "cgroup"};

	*m = (struct machine){.dir = "/tmp/preflight-XXXXXX"};
	assert_non_null(mkdtemp(m->dir));
	m->env = (struct preflight_env){.proc = at(m, "proc"),
					.sys = at(m, "sys"),
					.run = at(m, "run"),
					.modules = at(m, "modules"),
					.lua = at(m, "lua"),
					.path = at(m, "bin"),
					.sbin = "",
					.uid = 0,
					.ports = m->ports};
	for (size_t i = 0; i < ARRAY_LEN(tools); i++) {
		put(m, "bin", tools[i], "#!/bin/sh\necho version 1.2.3\n", 0755);
	}
	for (size_t i = 0; i < ARRAY_LEN(spaces); i++) {
		put(m, "proc/self/ns", spaces[i], "", 0644);
	}
	put(m, "bin", "iptables", "#!/bin/sh\necho '-P FORWARD ACCEPT'\n", 0755);
	put(m, "proc", "filesystems", "nodev\tsysfs\nnodev\toverlay\n\text4\n", 0644);
	put(m, "proc/net", "route", "Iface\tDestination\n", 0644);
	put(m, "sys/fs/cgroup", "cgroup.controllers", "cpu memory pids\n", 0644);
	put(m, "modules", "ngx_http_lua_module.so", "", 0644);
	put(m, "lua/resty", "core.lua", "", 0644);
}

static int remove_one(const char *path, const struct stat *st UNUSED, int flag UNUSED,
		      struct FTW *ftw UNUSED)
{
	return remove(path);
}

static void machine_fini(struct machine *m)
{
	assert_int_equal(nftw(m->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
	arena_fini(&m->arena);
}

/* The finding about `what` that is not fine; NULL. */
static const struct preflight_finding *find_bad(const struct preflight_report *r, const char *what)
{
	for (size_t i = 0; i < r->findings.n; i++) {
		if (strcmp(r->findings.p[i].what, what) == 0 &&
		    r->findings.p[i].verdict != PREFLIGHT_OK) {
			return &r->findings.p[i];
		}
	}
	return NULL;
}

static void expect_bad(struct machine *m, const char *what, const char *detail, const char *fix)
{
	struct preflight_report r;
	const struct preflight_finding *f;

	preflight_run(&m->env, &r);
	f = find_bad(&r, what);
	assert_non_null(f);
	assert_true(str_contains(f->detail, str_of(detail)));
	assert_true(str_contains(f->fix, str_of(fix)));
	assert_int_equal(r.failed + r.warnings, 1);
	preflight_report_fini(&r);
}

TEST(a_good_machine_has_nothing_to_complain_about)
{
	struct preflight_report r;
	struct machine m;

	machine_init(&m);
	preflight_run(&m.env, &r);
	assert_int_equal(r.failed, 0);
	assert_int_equal(r.warnings, 0);
	assert_int_equal(r.findings.n, 12);
	preflight_report_fini(&r);
	machine_fini(&m);
}

TEST(each_missing_thing_names_its_fix)
{
	static const struct {
		const char *remove, *what, *detail, *fix;
	} cases[] = {
		{"bin/crun", "crun", "not installed",
		 "apt-get install --no-install-recommends crun"},
		{"bin/conmon", "conmon", "not installed",
		 "apt-get install --no-install-recommends conmon"},
		{"bin/nft", "nft", "not installed", "nftables"},
		{"bin/nginx", "nginx", "not installed", "nginx"},
		{"modules/ngx_http_lua_module.so", "nginx", "Lua", "libnginx-mod-http-lua"},
		{"sys/fs/cgroup/cgroup.controllers", "cgroups", "no cgroup hierarchy",
		 "mount -t cgroup2"},
		{"proc/self/ns/cgroup", "namespaces", "cgroup namespaces", "kernel"},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct machine m;

		machine_init(&m);
		assert_int_equal(unlink(at(&m, cases[i].remove)), 0);
		expect_bad(&m, cases[i].what, cases[i].detail, cases[i].fix);
		machine_fini(&m);
	}
}

TEST(not_root_no_overlay_no_memory_controller)
{
	struct machine m;

	machine_init(&m);
	m.env.uid = 1000;
	expect_bad(&m, "root", "uid 1000", "sudo");
	m.env.uid = 0;
	put(&m, "proc", "filesystems", "nodev\tsysfs\n\text4\n", 0644);
	expect_bad(&m, "filesystems", "overlayfs", "modprobe overlay");
	put(&m, "proc", "filesystems", "nodev\toverlay\n", 0644);
	put(&m, "sys/fs/cgroup", "cgroup.controllers", "cpu pids\n", 0644);
	expect_bad(&m, "cgroups", "without the memory controller", "reboot");
	machine_fini(&m);
}

TEST(overlapping_host_routes_are_named)
{
	struct machine m;

	machine_init(&m);
	/* 10.96.128.0/17 lies inside the Services' network */
	put(&m, "proc/net", "route",
	    "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\n"
	    "eth0\t00000000\t0102A8C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n"
	    "vpn0\t0080600A\t00000000\t0001\t0\t0\t0\t0080FFFF\t0\t0\t0\n",
	    0644);
	expect_bad(&m, "routes", "10.96.128.0/17 by vpn0", "ip route del 10.96.128.0/17 dev vpn0");
	machine_fini(&m);
}

TEST(a_firewall_that_drops_forwarded_packets_is_a_warning)
{
	struct machine m;

	machine_init(&m);
	put(&m, "bin", "iptables", "#!/bin/sh\necho '-P FORWARD DROP'\n", 0755);
	expect_bad(&m, "forward", "drops forwarded packets", "iptables -P FORWARD ACCEPT");
	machine_fini(&m);
}

TEST(a_taken_port_is_named)
{
	struct sockaddr_in addr = {.sin_family = AF_INET,
				   .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t n = sizeof(addr);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct machine m;

	assert_int_equal(bind(fd, (struct sockaddr *)&addr, n), 0);
	assert_int_equal(listen(fd, 1), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&addr, &n), 0);
	machine_init(&m);
	m.ports[0] = ntohs(addr.sin_port);
	expect_bad(&m, "ports", "is taken", "ss -ltnp");
	close(fd);
	machine_fini(&m);
}

TEST(a_crashed_cluster_is_found_a_running_one_is_left_alone)
{
	struct machine m;

	machine_init(&m);
	put(&m, "run/cox/alive", "supervisor.pid", "42\n", 0644);
	make_dirs(&m, "proc/42");
	put(&m, "run/cox/dead", "supervisor.pid", "43\n", 0644);
	expect_bad(&m, "leftovers", "'dead'", "cox down --name dead");
	machine_fini(&m);
}

TEST_MAIN(a_good_machine_has_nothing_to_complain_about, each_missing_thing_names_its_fix,
	  not_root_no_overlay_no_memory_controller, overlapping_host_routes_are_named,
	  a_firewall_that_drops_forwarded_packets_is_a_warning, a_taken_port_is_named,
	  a_crashed_cluster_is_found_a_running_one_is_left_alone)
