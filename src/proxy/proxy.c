/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/proxy.h"

#include <errno.h>
#include <netinet/in.h>
#include <sys/stat.h>
#include <unistd.h>

#include <linux/netlink.h>
#include <linux/rtnetlink.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/map.h"
#include "linux/netlink_conntrack.h"
#include "linux/netlink_link.h"
#include "linux/sysctl.h"
#include "proxy/rules.h"

enum { PROXY_ROUTE_PROTOCOL = 98, LOCALS_MAX = 16 };

/* route_localnet: node ports on 127.0.0.1; chain guard_loopback keeps it harmless. */
static const struct sysctl settings[] = {
	{"net/ipv4/ip_forward", "1"},
	{"net/ipv4/conf/all/route_localnet", "1"},
};

struct proxy {
	struct proxy_opts opts;
	struct rules *rules;
	struct nft *nft;
	bool loaded; /* the kernel is known to hold what was committed */
	int64_t seen_revision, applied_revision;
	struct proxy_counters counters;
	/* of the transaction at hand */
	bool udp_touched;
	struct map udp_gone; /* frontends of UDP that lose a verdict: address, protocol, 0, port */
};

static char *record_dir(const struct proxy_opts *opts)
{
	struct buf path = {0};

	buf_printf(&path, "%s/proxy-sysctls", opts->state_dir);
	return buf_steal(&path);
}

/* From the node itself a VIP needs a route, or connect() fails before any rule is asked; a local one, so that what is not translated
 * is refused at once instead of leaving the node. */
static struct route vip_route(const struct proxy_opts *opts, uint32_t lo)
{
	return (struct route){.dst = opts->service_cidr,
			      .link = lo,
			      .type = RTN_LOCAL,
			      .protocol = PROXY_ROUTE_PROTOCOL};
}

static int set_up_node(const struct proxy_opts *opts, struct err *err)
{
	char *dir CLEANUP_FREE = record_dir(opts);
	struct netlink nl = {0};
	struct link lo;
	int r = 0;

	if (mkdir(dir, 0700) < 0 && errno != EEXIST) {
		return err_set_errno(err, errno, "cannot create %s", dir);
	}
	for (size_t i = 0; r == 0 && i < ARRAY_LEN(settings); i++) {
		r = sysctl_ensure(&settings[i], dir, err);
	}
	r = r < 0 ? r : netlink_open(&nl, NETLINK_ROUTE, -1, err);
	if (r < 0) {
		return r;
	}
	if (link_find(&nl, "lo", &lo) < 0) {
		r = netlink_err(&nl, err, "cannot find the loopback link");
	} else {
		struct route route = vip_route(opts, lo.index);
		r = route_add(&nl, &route, err);
	}
	netlink_close(&nl);
	return r;
}

static void note_change(void *ctx, bool add, const struct rules_elem *elem)
{
	struct proxy *p = ctx;
	bool vip = elem->set == RULES_SVC || elem->set == RULES_EXT_LOCAL;
	bool node_port = elem->set == RULES_NP || elem->set == RULES_NP_LOCAL;
	bool eps = elem->set == RULES_EPS || elem->set == RULES_NP_EPS;
	const uint8_t *protocol_port = elem->key + (elem->set == RULES_NP_EPS || node_port ? 0 : 4);
	uint8_t key[8] = {0};

	if ((!vip && !node_port && !eps) || protocol_port[0] != IPPROTO_UDP) {
		return;
	}
	if (eps && add) {
		return;
	}
	/* A new address may have flows that went untranslated before it was one; a lost endpoint has flows that go nowhere. */
	p->udp_touched = true;
	if (add || eps) {
		return;
	}
	if (vip) {
		memcpy(key, elem->key, 4);
	}
	memcpy(key + 4, protocol_port, 1);
	memcpy(key + 6, protocol_port + 4, 2);
	map_put(&p->udp_gone, str_make(key, sizeof(key)), p);
}

int proxy_new(const struct proxy_opts *opts, struct proxy **ret, struct err *err)
{
	struct nft_opts nft_opts = {.pod_cidr = opts->pod_cidr,
				    .service_cidr = opts->service_cidr,
				    .locals = opts->locals,
				    .nlocals = opts->nlocals};

	if (!ip_is_v4(opts->service_cidr.addr) || !ip_is_v4(opts->pod_cidr.addr)) {
		return err_set(err, ERR_UNSUPPORTED, "pod and service CIDRs must be IPv4");
	}
	if (opts->nlocals > LOCALS_MAX) {
		return err_set(err, ERR_LIMIT,
			       "%zu local listeners on Service addresses, at most %d",
			       opts->nlocals, LOCALS_MAX);
	}
	struct proxy *p = NEW(struct proxy);
	p->opts = *opts;
	p->rules = rules_new(opts->node_name, opts->log);
	map_init(&p->udp_gone, 0);
	int r = set_up_node(opts, err);
	r = r < 0 ? r : nft_new(&nft_opts, &p->nft, err);
	if (r < 0) {
		proxy_free(p);
		return err_wrap(err, "cannot set up the service proxy");
	}
	nft_on_change(p->nft, note_change, p);
	*ret = p;
	return 0;
}

void proxy_free(struct proxy *p)
{
	if (!p) {
		return;
	}
	nft_free(p->nft);
	rules_free(p->rules);
	map_fini(&p->udp_gone);
	mem_free(p);
}

int proxy_cleanup(const struct proxy_opts *opts, struct err *err)
{
	char *dir CLEANUP_FREE = record_dir(opts);
	struct route route = vip_route(opts, 0);
	struct netlink nl = {0};

	int r = netlink_open(&nl, NETLINK_ROUTE, -1, err);
	r = r < 0 ? r : route_delete(&nl, &route, err);
	netlink_close(&nl);
	r = r < 0 ? r : nft_remove_table(err);
	r = r < 0 ? r : sysctl_restore(dir, err);
	if (r == 0 && rmdir(dir) < 0 && errno != ENOENT) {
		r = err_set_errno(err, errno, "cannot remove %s", dir);
	}
	return r;
}

void proxy_set_service(struct proxy *p, const struct core_service *service)
{
	rules_set_service(p->rules, service);
}

void proxy_remove_service(struct proxy *p, struct str ns, struct str name)
{
	rules_remove_service(p->rules, ns, name);
}

void proxy_observe_revision(struct proxy *p, int64_t revision)
{
	p->seen_revision = MAX(p->seen_revision, revision);
}

void proxy_set_slice(struct proxy *p, const struct discovery_endpoint_slice *slice)
{
	int64_t revision;

	rules_set_slice(p->rules, slice);
	if (str_to_int64(slice->metadata.resource_version, &revision) == 0) {
		proxy_observe_revision(p, revision);
	}
}

void proxy_remove_slice(struct proxy *p, const struct discovery_endpoint_slice *slice,
			int64_t revision)
{
	rules_remove_slice(p->rules, slice);
	proxy_observe_revision(p, revision);
}

static bool is_stale_flow(void *ctx, const struct conntrack_flow *flow)
{
	const struct proxy *p = ctx;
	uint8_t key[8] = {[4] = flow->protocol,
			  [6] = (uint8_t)(flow->dst_port >> 8),
			  [7] = (uint8_t)flow->dst_port};
	bool known;

	if (!ip_is_v4(flow->dst) || !ip_is_v4(flow->reply_src)) {
		return false;
	}
	bool stale =
		rules_is_stale(p->rules, flow->protocol, flow->dst, flow->dst_port, flow->reply_src,
			       flow->reply_src_port, !ip_eq(flow->src, flow->reply_dst), &known);
	if (known || ip_eq(flow->dst, flow->reply_src)) {
		return stale;
	}
	/* translated, by a rule that is no more */
	if (map_find(&p->udp_gone, str_make(key, sizeof(key)))) {
		return true;
	}
	memcpy(key, flow->dst.b + 12, 4);
	return map_find(&p->udp_gone, str_make(key, sizeof(key)));
}

/* After the transaction: what comes from now on takes the new rules. A failure leaves flows that time out by themselves. */
static void forget_flows(struct proxy *p)
{
	struct err err CLEANUP_ERR = {0};

	if (p->udp_touched) {
		int n = conntrack_delete(nft_netlink(p->nft), IPPROTO_UDP, is_stale_flow, p, &err);
		if (n < 0) {
			log_warning(p->opts.log, "stale UDP flows stay until they time out: %s",
				    err_msg(&err));
		} else {
			p->counters.flows_deleted += (uint64_t)n;
		}
	}
	p->udp_touched = false;
	map_fini(&p->udp_gone);
	map_init(&p->udp_gone, 0);
}

static int apply(struct proxy *p, struct err *err)
{
	struct err lost CLEANUP_ERR = {0};
	size_t changes = 0;

	if (p->loaded && nft_apply(p->nft, p->rules, &changes, &lost) == 0) {
		p->counters.changes += changes;
		return 0;
	}
	if (p->loaded) {
		log_warning(p->opts.log, "%s; loading all service rules again", err_msg(&lost));
	}
	p->loaded = false;
	p->counters.reloads++;
	int r = nft_reload(p->nft, p->rules, err);
	if (r < 0) {
		p->counters.failures++;
		return err_wrap(err, "cannot load the service rules");
	}
	p->loaded = true;
	return 0;
}

int proxy_apply(struct proxy *p, struct err *err)
{
	int64_t revision = p->seen_revision;

	if (proxy_is_dirty(p)) {
		int r = apply(p, err);
		if (r < 0) {
			return r;
		}
		forget_flows(p);
		p->counters.applies++;
	}
	p->applied_revision = revision;
	return 0;
}

bool proxy_is_dirty(const struct proxy *p)
{
	return !p->loaded || !rules_is_clean(p->rules);
}

int proxy_verify(struct proxy *p, struct err *err)
{
	if (p->loaded && nft_is_loaded(p->nft) == 0) {
		log_warning(p->opts.log,
			    "the service rules have been removed by somebody; loading them again");
		p->loaded = false;
		return proxy_apply(p, err);
	}
	return 0;
}

int64_t proxy_applied_revision(const struct proxy *p)
{
	return p->applied_revision;
}

const struct proxy_counters *proxy_counters(const struct proxy *p)
{
	return &p->counters;
}
