/* SPDX-License-Identifier: Apache-2.0 */
#include "podnet/ipam.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/map.h"

enum {
	SANDBOX_NAME_MAX = 200,
	LEASE_FILE_MAX = 8192, /* 64 ports of at most 80 characters */
};

struct lease {
	char *sandbox;
	struct ip_addr ip;
	struct ipam_port *ports;
	size_t nports;
};

struct ipam {
	int dir;
	struct ip_cidr cidr;
	uint32_t first, last, next; /* pods' addresses, host order; where the round goes on */
	struct map leases;	    /* sandbox -> struct lease */
	uint8_t *taken;		    /* bit per address from first on */
};

struct protocol_name {
	uint8_t number;
	struct str name;
};

static const struct protocol_name protocols[] = {{IPPROTO_TCP, STR_INIT("tcp")},
						 {IPPROTO_UDP, STR_INIT("udp")},
						 {IPPROTO_SCTP, STR_INIT("sctp")}};

static struct str protocol_name(uint8_t number)
{
	for (size_t i = 0; i < ARRAY_LEN(protocols); i++) {
		if (protocols[i].number == number) {
			return protocols[i].name;
		}
	}
	return STR_NULL;
}

static uint8_t protocol_number(struct str name)
{
	for (size_t i = 0; i < ARRAY_LEN(protocols); i++) {
		if (str_eq(protocols[i].name, name)) {
			return protocols[i].number;
		}
	}
	return 0;
}

static bool is_taken(const struct ipam *ipam, uint32_t v4)
{
	return ipam->taken[(v4 - ipam->first) / 8] >> ((v4 - ipam->first) % 8) & 1;
}

static void set_taken(struct ipam *ipam, uint32_t v4, bool taken)
{
	uint8_t bit = (uint8_t)(1 << ((v4 - ipam->first) % 8));
	uint8_t *byte = &ipam->taken[(v4 - ipam->first) / 8];

	*byte = taken ? *byte | bit : *byte & (uint8_t)~bit;
}

static bool in_range(const struct ipam *ipam, struct ip_addr ip)
{
	return ip_is_v4(ip) && ip_v4(ip) >= ipam->first && ip_v4(ip) <= ipam->last;
}

static void lease_free(struct lease *l)
{
	if (l) {
		mem_free(l->sandbox);
		mem_free(l->ports);
		mem_free(l);
	}
}

static void cleanup_lease(struct lease **l)
{
	lease_free(*l);
}

/* "ip 10.244.1.5", then a line per port: "port tcp 8080 80 10.0.0.1" (address only if one was asked for), then "end". */
static void format_lease(const struct lease *l, struct buf *out)
{
	char text[IP_TEXT_MAX];

	buf_printf(out, "ip %s\n", ip_format(l->ip, text));
	for (size_t i = 0; i < l->nports; i++) {
		const struct ipam_port *p = &l->ports[i];
		struct str protocol = protocol_name(p->protocol);
		buf_printf(out, "port %.*s %u %u", STR_ARG(protocol), p->host_port,
			   p->container_port);
		if (!ip_is_unset(p->host_ip)) {
			buf_printf(out, " %s", ip_format(p->host_ip, text));
		}
		buf_puts(out, "\n");
	}
	buf_puts(out, "end\n");
}

static int parse_port_number(struct str s, uint16_t *ret)
{
	uint64_t v;

	if (str_to_uint64(s, &v) < 0 || v == 0 || v > UINT16_MAX) {
		return ERR_CORRUPT;
	}
	*ret = (uint16_t)v;
	return 0;
}

static int parse_port(struct str line, struct ipam_port *ret)
{
	struct str protocol, host, container, ip;

	if (!str_cut(&line, ' ', &protocol) || !str_cut(&line, ' ', &host) ||
	    !str_cut(&line, ' ', &container)) {
		return ERR_CORRUPT;
	}
	ret->protocol = protocol_number(protocol);
	if (!ret->protocol || parse_port_number(host, &ret->host_port) < 0 ||
	    parse_port_number(container, &ret->container_port) < 0) {
		return ERR_CORRUPT;
	}
	if (str_cut(&line, ' ', &ip) && ip_parse(ip, &ret->host_ip) < 0) {
		return ERR_CORRUPT;
	}
	return 0;
}

static int parse_lease(struct str text, struct lease *l)
{
	struct str line;

	if (!str_cut(&text, '\n', &line) || !str_has_prefix(line, STR("ip ")) ||
	    ip_parse(str_from(line, 3), &l->ip) < 0) {
		return ERR_CORRUPT;
	}
	l->ports = mem_new_array(IPAM_PORTS_MAX, sizeof(*l->ports));
	while (str_cut(&text, '\n', &line)) {
		if (str_is(line, "end")) {
			return 0;
		}
		if (!str_has_prefix(line, STR("port ")) || l->nports == IPAM_PORTS_MAX ||
		    parse_port(str_from(line, 5), &l->ports[l->nports]) < 0) {
			return ERR_CORRUPT;
		}
		l->nports++;
	}
	return ERR_CORRUPT;
}

static int read_lease(struct ipam *ipam, const char *name, struct err *err)
{
	char text[LEASE_FILE_MAX];
	struct lease *l CLEANUP(cleanup_lease) = NEW(struct lease);
	int fd CLEANUP_FD = openat(ipam->dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text));

	if (n < 0) {
		return err_set_errno(err, errno, "cannot read the address lease %s", name);
	}
	if (parse_lease(str_make(text, (size_t)n), l) < 0 || !in_range(ipam, l->ip) ||
	    is_taken(ipam, ip_v4(l->ip))) {
		char cidr[IP_TEXT_MAX];
		return err_set(err, ERR_CORRUPT,
			       "the address lease of sandbox %s is damaged, doubled or outside of "
			       "%s: remove its file "
			       "once the sandbox is gone",
			       name, ip_cidr_format(ipam->cidr, cidr));
	}
	l->sandbox = str_dup_cstr(str_of(name));
	set_taken(ipam, ip_v4(l->ip), true);
	map_put(&ipam->leases, str_of(l->sandbox), l);
	STEAL(l);
	return 0;
}

static void close_dir(DIR **d)
{
	if (*d) {
		closedir(*d);
	}
}

static int read_leases(struct ipam *ipam, struct err *err)
{
	int fd CLEANUP_FD = openat(ipam->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d CLEANUP(close_dir) = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *e;
	char last[IP_TEXT_MAX];

	if (!d) {
		return err_set_errno(err, errno, "cannot list the address leases");
	}
	STEAL_FD(fd);
	while ((e = readdir(d))) {
		/* ".last", ".new" (a write that a crash cut off), ".", "..": not leases */
		int r = e->d_name[0] == '.' ? 0 : read_lease(ipam, e->d_name, err);
		if (r < 0) {
			return r;
		}
	}
	ssize_t n = readlinkat(ipam->dir, ".last", last, sizeof(last));
	struct ip_addr ip;
	if (n > 0 && ip_parse(str_make(last, (size_t)n), &ip) == 0 && in_range(ipam, ip)) {
		ipam->next = ip_v4(ip) + 1;
	}
	return 0;
}

static int open_dir(const char *dir, struct err *err)
{
	if (mkdir(dir, 0700) < 0 && errno != EEXIST) {
		return err_set_errno(err, errno, "cannot create %s", dir);
	}
	int fd CLEANUP_FD = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0) {
		return err_set_errno(err, errno, "cannot open %s", dir);
	}
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		return errno == EWOULDBLOCK
			       ? err_set(err, ERR_BUSY,
					 "%s is in use: another node agent runs on it", dir)
			       : err_set_errno(err, errno, "cannot lock %s", dir);
	}
	return STEAL_FD(fd);
}

int ipam_open(const char *dir, struct ip_cidr pod_cidr, struct ipam **ret, struct err *err)
{
	char text[IP_TEXT_MAX];
	unsigned bits = ip_cidr_own_bits(pod_cidr);

	if (!ip_is_v4(pod_cidr.addr) || bits < 8 || bits > 30) {
		return err_set(err, ERR_UNSUPPORTED,
			       "pod CIDR %s: an IPv4 prefix from /8 to /30 is needed",
			       ip_cidr_format(pod_cidr, text));
	}
	int fd = open_dir(dir, err);
	if (fd < 0) {
		return fd;
	}
	struct ipam *ipam = NEW(struct ipam);
	ipam->dir = fd;
	ipam->cidr = pod_cidr;
	ipam->first = ip_v4(ip_cidr_first(pod_cidr)) + 2;
	ipam->last = ip_v4(ip_cidr_last(pod_cidr)) - 1;
	ipam->next = ipam->first;
	ipam->taken = mem_new((ipam->last - ipam->first) / 8 + 1);
	map_init(&ipam->leases, MAP_BORROW_KEYS);
	int r = read_leases(ipam, err);
	if (r < 0) {
		ipam_close(ipam);
		return r;
	}
	*ret = ipam;
	return 0;
}

void ipam_close(struct ipam *ipam)
{
	struct str key;
	void *value;

	if (!ipam) {
		return;
	}
	for (size_t i = 0; map_next(&ipam->leases, &i, &key, &value);) {
		lease_free(value);
	}
	map_fini(&ipam->leases);
	mem_free(ipam->taken);
	cleanup_fd(&ipam->dir);
	mem_free(ipam);
}

struct ip_addr ipam_gateway(const struct ipam *ipam)
{
	return ip_from_v4(ipam->first - 1);
}

static struct ipam_lease view(const struct lease *l)
{
	return (struct ipam_lease){l->sandbox, l->ip, l->ports, l->nports};
}

static bool same_host_port(const struct ipam_port *a, const struct ipam_port *b)
{
	return a->protocol == b->protocol && a->host_port == b->host_port &&
	       (ip_is_unset(a->host_ip) || ip_is_unset(b->host_ip) ||
		ip_eq(a->host_ip, b->host_ip));
}

static int check_ports(const struct ipam *ipam, const struct ipam_port *ports, size_t nports,
		       struct err *err)
{
	struct str key;
	void *value;

	if (nports > IPAM_PORTS_MAX) {
		return err_set(err, ERR_LIMIT, "%zu host ports; a pod may have %d", nports,
			       IPAM_PORTS_MAX);
	}
	for (size_t i = 0; i < nports; i++) {
		if (!protocol_name(ports[i].protocol).p || !ports[i].host_port ||
		    !ports[i].container_port) {
			return err_set(err, ERR_INVALID,
				       "host port %u has no valid protocol or target",
				       ports[i].host_port);
		}
	}
	for (size_t at = 0; map_next(&ipam->leases, &at, &key, &value);) {
		const struct lease *l = value;
		for (size_t i = 0; i < nports * l->nports; i++) {
			if (same_host_port(&ports[i / l->nports], &l->ports[i % l->nports])) {
				return err_set(err, ERR_EXISTS,
					       "host port %u is in use by sandbox %s",
					       ports[i / l->nports].host_port, l->sandbox);
			}
		}
	}
	return 0;
}

static int pick(struct ipam *ipam, uint32_t *ret, struct err *err)
{
	uint32_t size = ipam->last - ipam->first + 1;
	char text[IP_TEXT_MAX];

	for (uint32_t i = 0; i < size; i++) {
		uint32_t v4 = ipam->first + (ipam->next - ipam->first + i) % size;
		if (!is_taken(ipam, v4)) {
			*ret = v4;
			return 0;
		}
	}
	return err_set(err, ERR_LIMIT, "all %u addresses of this node's pod CIDR %s are in use",
		       size, ip_cidr_format(ipam->cidr, text));
}

static int write_lease(struct ipam *ipam, const struct lease *l, struct err *err)
{
	struct buf text CLEANUP_BUF = {0};
	char last[IP_TEXT_MAX];
	int fd CLEANUP_FD = openat(ipam->dir, ".new",
				   O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);

	format_lease(l, &text);
	if (fd < 0 || write(fd, text.p, text.n) != (ssize_t)text.n ||
	    renameat(ipam->dir, ".new", ipam->dir, l->sandbox) < 0) {
		return err_set_errno(err, errno, "cannot write the address lease of sandbox %s",
				     l->sandbox);
	}
	/* Where the round stands is a convenience: without it the round starts at the bottom. A link is replaced atomically. */
	if (unlinkat(ipam->dir, ".last", 0) == 0 || errno == ENOENT) {
		(void)!symlinkat(ip_format(l->ip, last), ipam->dir, ".last");
	}
	return 0;
}

int ipam_take(struct ipam *ipam, const char *sandbox, const struct ipam_port *ports, size_t nports,
	      struct ipam_lease *ret, struct err *err)
{
	struct str name = str_of(sandbox);
	uint32_t v4 = 0;

	if (ipam_find(ipam, sandbox, ret) == 0) {
		return 0;
	}
	if (name.n == 0 || name.n > SANDBOX_NAME_MAX || name.p[0] == '.' ||
	    str_find_char(name, '/') >= 0) {
		return err_set(err, ERR_INVALID, "'%.*s' cannot be the name of a sandbox",
			       STR_ARG(str_sub(name, 0, 80)));
	}
	int r = check_ports(ipam, ports, nports, err);
	r = r < 0 ? r : pick(ipam, &v4, err);
	if (r < 0) {
		return r;
	}
	struct lease *l CLEANUP(cleanup_lease) = NEW(struct lease);
	l->sandbox = str_dup_cstr(name);
	l->ip = ip_from_v4(v4);
	l->ports = nports ? mem_dup(ports, nports * sizeof(*ports)) : NULL;
	l->nports = nports;
	r = write_lease(ipam, l, err);
	if (r < 0) {
		return r;
	}
	set_taken(ipam, v4, true);
	ipam->next = v4 == ipam->last ? ipam->first : v4 + 1;
	map_put(&ipam->leases, str_of(l->sandbox), l);
	*ret = view(l);
	STEAL(l);
	return 0;
}

int ipam_release(struct ipam *ipam, const char *sandbox, struct err *err)
{
	struct lease *l = map_find(&ipam->leases, str_of(sandbox));

	if (!l) {
		return 0;
	}
	if (unlinkat(ipam->dir, sandbox, 0) < 0 && errno != ENOENT) {
		return err_set_errno(err, errno, "cannot remove the address lease of sandbox %s",
				     sandbox);
	}
	set_taken(ipam, ip_v4(l->ip), false);
	map_remove(&ipam->leases, str_of(sandbox));
	lease_free(l);
	return 0;
}

int ipam_find(const struct ipam *ipam, const char *sandbox, struct ipam_lease *ret)
{
	const struct lease *l = map_find(&ipam->leases, str_of(sandbox));

	if (!l) {
		return ERR_NOT_FOUND;
	}
	*ret = view(l);
	return 0;
}

bool ipam_next(const struct ipam *ipam, size_t *i, struct ipam_lease *ret)
{
	struct str key;
	void *value;

	if (!map_next(&ipam->leases, i, &key, &value)) {
		return false;
	}
	*ret = view(value);
	return true;
}

size_t ipam_count(const struct ipam *ipam)
{
	return ipam->leases.n;
}
