/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/nft.h"

#include <endian.h>
#include <netinet/in.h>

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netlink.h>

#include "base/cleanup.h"
#include "base/map.h"
#include "base/vec.h"

enum { CHAIN_NAME_MAX = 48 };

static const char table_name[] = "cox_services";

/* Placeholders: layout's name, service CIDR, pod CIDR, marks' mask, mark of policy Cluster.
 *
 * - A VIP is routed to lo (proxy.c), so what was not translated arrives at the input hook: guard_in refuses it, which covers unknown ports,
 *   and protects daemons that listen on 0.0.0.0.
 * - TCP is refused by a reset: ICMP errors are limited per peer (about one a second), and clients would run into their timeouts.
 * - The source is kept between pods, and where policy Local asks for it; everything else takes the node's address, so that answers come back
 *   here. The mark exists on a connection's first packet only, between these chains. */
static const char table_text[] = /* clang-format off */
	"table ip cox_services {\n"
	"	map svc { type ipv4_addr . inet_proto . inet_service : verdict; }\n"
	"	map eps { type ipv4_addr . inet_proto . inet_service . mark : ipv4_addr . inet_service; }\n"
	"	map ids { type ipv4_addr . inet_proto . inet_service . mark : mark; }\n"
	"	map ext_local { type ipv4_addr . inet_proto . inet_service : verdict; }\n"
	"	map noep { type ipv4_addr . inet_proto . inet_service : verdict; }\n"
	"	map np { type inet_proto . inet_service : verdict; }\n"
	"	map np_eps { type inet_proto . inet_service . mark : ipv4_addr . inet_service; }\n"
	"	map np_ids { type inet_proto . inet_service . mark : mark; }\n"
	"	map np_local { type inet_proto . inet_service : verdict; }\n"
	"	map np_noep { type inet_proto . inet_service : verdict; }\n"
	"	set hairpin { type ipv4_addr . ipv4_addr; }\n"
	"	set fw { type ipv4_addr . inet_proto . inet_service; }\n"
	"	set fw_allow { type ipv4_addr . inet_proto . inet_service . ipv4_addr; flags interval; }\n"
	"	set locals { type ipv4_addr . inet_proto . inet_service; }\n"
	"	map aff {\n"
	"		type ipv4_addr . ipv4_addr . inet_proto . inet_service : mark\n"
	"		flags dynamic,timeout\n"
	"		size 262144\n"
	"	}\n"
	"	chain %1$s { }\n"
	"	chain sticky { dnat to ip daddr . meta l4proto . th dport . meta mark map @eps; }\n"
	"	chain np_sticky { dnat to meta l4proto . th dport . meta mark map @np_eps; }\n"
	"	chain services {\n"
	"		ip daddr . meta l4proto . th dport @locals accept\n"
	"		ip daddr . meta l4proto . th dport vmap @svc\n"
	"		ip daddr != %2$s fib daddr type local meta l4proto . th dport vmap @np\n"
	"	}\n"
	"	chain from_outside {\n"
	"		ip daddr . meta l4proto . th dport vmap @ext_local\n"
	"		ip daddr != %2$s fib daddr type local meta l4proto . th dport vmap @np_local\n"
	"	}\n"
	"	chain firewall { ip daddr . meta l4proto . th dport . ip saddr != @fw_allow drop; }\n"
	"	chain pre {\n"
	"		type nat hook prerouting priority dstnat;\n"
	"		ip daddr . meta l4proto . th dport @fw jump firewall\n"
	"		ip saddr != %3$s jump from_outside\n"
	"		jump services\n"
	"	}\n"
	"	chain out { type nat hook output priority -100; jump services; }\n"
	"	chain post {\n"
	"		type nat hook postrouting priority srcnat;\n"
	"		ip saddr . ip daddr @hairpin masquerade\n"
	"		meta mark & %4$s == %5$s ip saddr != %3$s meta mark set 0 masquerade\n"
	"	}\n"
	"	chain reject_fast { meta l4proto tcp reject with tcp reset; reject; }\n"
	"	chain noendpoints {\n"
	"		ip daddr . meta l4proto . th dport vmap @noep\n"
	"		ip daddr != %2$s fib daddr type local meta l4proto . th dport vmap @np_noep\n"
	"	}\n"
	"	chain guard_in {\n"
	"		type filter hook input priority filter - 10;\n"
	"		ct state established,related accept\n"
	"		jump noendpoints\n"
	"		ip daddr %2$s ip daddr . meta l4proto . th dport != @locals goto reject_fast\n"
	"	}\n"
	"	chain guard_forward { type filter hook forward priority filter - 10; ct state new jump noendpoints; }\n"
	"	chain guard_out { type filter hook output priority filter - 10; ct state new jump noendpoints; }\n"
	"	chain guard_loopback {\n"
	"		type filter hook prerouting priority raw;\n"
	"		iifname != \"lo\" ip daddr 127.0.0.0/8 drop\n"
	"	}\n"
	"}\n"; /* clang-format on */

struct nft {
	struct nft_opts opts;
	struct netlink nl;
	struct map chains; /* names of balancing chains that this process has made */
	char layout[32];   /* an empty chain whose name tells the fixed part's version */
	struct buf text;
	rules_change_fn on_change;
	void *on_change_ctx;
};

int nft_new(const struct nft_opts *opts, struct nft **ret, struct err *err)
{
	char services[IP_TEXT_MAX], pods[IP_TEXT_MAX], mask[16], mark[16];
	struct nft *nft = NEW(struct nft);
	uint64_t h = 0xcbf29ce484222325ULL;

	nft->opts = *opts;
	map_init(&nft->chains, 0);
	snprintf(mask, sizeof(mask), "0x%08x", RULES_MARK_MASK);
	snprintf(mark, sizeof(mark), "0x%08x", RULES_MARK_CLUSTER);
	for (int pass = 0; pass < 2; pass++) {
		buf_clear(&nft->text);
		buf_printf(&nft->text, table_text, pass ? nft->layout : "layout",
			   ip_cidr_format(opts->service_cidr, services),
			   ip_cidr_format(opts->pod_cidr, pods), mask, mark);
		for (size_t i = 0; i < nft->text.n; i++) {
			h = (h ^ (uint8_t)nft->text.p[i]) * 0x100000001b3ULL;
		}
		if (pass == 0) {
			snprintf(nft->layout, sizeof(nft->layout), "layout_%016llx",
				 (unsigned long long)h);
		}
	}
	int r = netlink_open(&nft->nl, NETLINK_NETFILTER, -1, err);
	if (r < 0) {
		nft_free(nft);
		return r;
	}
	*ret = nft;
	return 0;
}

void nft_free(struct nft *nft)
{
	if (!nft) {
		return;
	}
	netlink_close(&nft->nl);
	map_fini(&nft->chains);
	buf_fini(&nft->text);
	mem_free(nft);
}

void nft_on_change(struct nft *nft, rules_change_fn fn, void *ctx)
{
	nft->on_change = fn;
	nft->on_change_ctx = ctx;
}

struct netlink *nft_netlink(struct nft *nft)
{
	return &nft->nl;
}

int nft_is_loaded(struct nft *nft)
{
	return nft_has_chain(&nft->nl, NFPROTO_IPV4, table_name, nft->layout);
}

int nft_remove_table(struct err *err)
{
	return nft_run(STR("add table ip cox_services\ndelete table ip cox_services\n"), err);
}

static void chain_name(const struct rules_chain *chain, char out[CHAIN_NAME_MAX])
{
	int n = snprintf(out, CHAIN_NAME_MAX, "%s%s%u", chain->node_port ? "np" : "svc",
			 chain->local ? "_local_" : "_", chain->count);
	if (chain->affinity_sec) {
		snprintf(out + n, CHAIN_NAME_MAX - (size_t)n, "_aff%u", chain->affinity_sec);
	}
}

/* One endpoint out of count, by chance: counters in turn would make two Services with equally many endpoints that are always called together meet
 * the same ones forever. */
static void roll(struct buf *out, const char *name, const struct rules_chain *chain)
{
	uint32_t tag = chain->local ? RULES_MARK_LOCAL : RULES_MARK_CLUSTER;

	if (chain->count == 1) {
		buf_printf(out, "add rule ip cox_services %s meta mark set 0x%08x\n", name, tag);
	} else {
		buf_printf(out,
			   "add rule ip cox_services %s meta mark set numgen random mod %u offset "
			   "%u\n",
			   name, chain->count, tag);
	}
}

/* With affinity: who is known goes to whom it went (if that one is still there) and stays known; who is new is rolled. */
static void stick(struct buf *out, const char *name, const struct rules_chain *chain)
{
	static const char client[] = "ip saddr . ip daddr . meta l4proto . th dport";

	buf_printf(out,
		   "add rule ip cox_services %s meta mark set %s map @aff update @aff { %s timeout "
		   "%us : meta mark } jump %s\n"
		   "add rule ip cox_services %s delete @aff { %s : meta mark }\n",
		   name, client, client, chain->affinity_sec,
		   chain->node_port ? "np_sticky" : "sticky", name, client);
	roll(out, name, chain);
	buf_printf(out,
		   "add rule ip cox_services %s meta mark set %s . meta mark map @%s\n"
		   "add rule ip cox_services %s update @aff { %s timeout %us : meta mark }\n",
		   name,
		   chain->node_port ? "meta l4proto . th dport"
				    : "ip daddr . meta l4proto . th dport",
		   chain->node_port ? "np_ids" : "ids", name, client, chain->affinity_sec);
}

static void write_chain(struct buf *out, const char *name, const struct rules_chain *chain)
{
	buf_printf(out, "add chain ip cox_services %s\nflush chain ip cox_services %s\n", name,
		   name);
	if (chain->affinity_sec) {
		stick(out, name, chain);
	} else {
		roll(out, name, chain);
	}
	if (chain->node_port) {
		buf_printf(out,
			   "add rule ip cox_services %s dnat to meta l4proto . th dport . meta "
			   "mark map @np_eps\n",
			   name);
	} else {
		buf_printf(out,
			   "add rule ip cox_services %s dnat to ip daddr . meta l4proto . th dport "
			   ". meta mark map @eps\n",
			   name);
	}
}

struct change {
	bool add;
	struct rules_elem elem;
};

struct pass {
	struct nft *nft;
	bool reload;
	VEC(struct change) changes;
	struct buf text;
};

static void pass_fini(struct pass *pass)
{
	vec_fini(&pass->changes);
	buf_fini(&pass->text);
}

static void take_change(void *ctx, bool add, const struct rules_elem *elem)
{
	struct pass *pass = ctx;
	struct nft *nft = pass->nft;
	struct change *c = vec_push(&pass->changes);
	char name[CHAIN_NAME_MAX];

	c->add = add;
	c->elem = *elem;
	if (nft->on_change) {
		nft->on_change(nft->on_change_ctx, add, elem);
	}
	if (!add || elem->verdict != RULES_CHAIN) {
		return;
	}
	chain_name(&elem->chain, name);
	if (!map_find(&nft->chains, str_of(name))) {
		map_put(&nft->chains, str_of(name), nft);
		write_chain(&pass->text, name, &elem->chain);
	}
}

static int compare_changes(const void *a, const void *b)
{
	const struct change *x = a, *y = b;

	if (x->add != y->add) {
		return (int)x->add - (int)y->add;
	}
	return (int)x->elem.set - (int)y->elem.set;
}

static void add_to_batch(struct nft_batch *b, const struct change *c)
{
	const struct rules_set_desc *set = &rules_sets[c->elem.set];
	struct nft_elem e = {.key = str_make(c->elem.key, set->key_len)};
	char chain[CHAIN_NAME_MAX];
	uint8_t end[sizeof(c->elem.key)];

	if (set->value == VALUE_ENDPOINT) {
		e.data = str_make(c->elem.value, 8);
	} else if (set->value == VALUE_MARK) {
		e.data = str_make(c->elem.value, 4);
	} else if (set->value == VALUE_RANGE) {
		memcpy(end, c->elem.key, set->key_len);
		memcpy(end + set->key_len - 4, c->elem.value, 4);
		e.key_end = str_make(end, set->key_len);
	} else if (set->value == VALUE_VERDICT) {
		e.has_verdict = true;
		e.verdict = c->elem.verdict == RULES_DROP ? NF_DROP : NFT_GOTO;
		if (c->elem.verdict == RULES_CHAIN) {
			chain_name(&c->elem.chain, chain);
			e.chain = chain;
		} else if (c->elem.verdict == RULES_REJECT) {
			e.chain = "reject_fast";
		}
	}
	(c->add ? nft_batch_add : nft_batch_delete)(b, set->name, &e);
}

static void add_locals(struct nft_batch *b, const struct nft_opts *opts)
{
	nft_batch_flush(b, "locals");
	for (size_t i = 0; i < opts->nlocals; i++) {
		const struct proxy_local *l = &opts->locals[i];
		uint8_t key[12] = {0};
		memcpy(key, l->ip.b + 12, 4);
		key[4] = l->protocol;
		key[8] = (uint8_t)(l->port >> 8);
		key[9] = (uint8_t)l->port;
		nft_batch_add(b, "locals", &(struct nft_elem){.key = str_make(key, sizeof(key))});
	}
}

/* Messages carry many elements of one set each: in order of sets, removals before additions. */
static int commit(struct pass *pass, struct err *err)
{
	struct nft_batch b CLEANUP(nft_batch_fini) = {.family = NFPROTO_IPV4, .table = table_name};

	if (pass->text.n > 0) {
		int r = nft_run(buf_str(&pass->text), err);
		if (r < 0) {
			return r;
		}
	}
	if (pass->reload) {
		for (size_t i = 0; i < RULES_SETS_N; i++) {
			nft_batch_flush(&b, rules_sets[i].name);
		}
		add_locals(&b, &pass->nft->opts);
	}
	if (pass->changes.n > 1) {
		qsort(pass->changes.p, pass->changes.n, sizeof(*pass->changes.p), compare_changes);
	}
	for (size_t i = 0; i < pass->changes.n; i++) {
		add_to_batch(&b, &pass->changes.p[i]);
	}
	return nft_batch_commit(&b, &pass->nft->nl, err);
}

static void forget_chains(struct nft *nft)
{
	map_fini(&nft->chains);
	map_init(&nft->chains, 0);
}

int nft_reload(struct nft *nft, struct rules *rules, struct err *err)
{
	struct pass pass CLEANUP(pass_fini) = {.nft = nft, .reload = true};

	forget_chains(nft);
	int loaded = nft_is_loaded(nft);
	if (loaded < 0) {
		return err_set(err, loaded, "cannot tell whether nftables table %s is there: %s",
			       table_name, strerror(nft->nl.error));
	}
	if (!loaded) {
		buf_printf(&pass.text, "add table ip %s\ndelete table ip %s\n", table_name,
			   table_name);
		buf_add_str(&pass.text, buf_str(&nft->text));
	}
	rules_all(rules, take_change, &pass);
	int r = commit(&pass, err);
	if (r < 0) {
		forget_chains(nft);
		return r;
	}
	rules_commit(rules);
	return 0;
}

int nft_apply(struct nft *nft, struct rules *rules, size_t *ret_changes, struct err *err)
{
	struct pass pass CLEANUP(pass_fini) = {.nft = nft};

	rules_diff(rules, take_change, &pass);
	int r = commit(&pass, err);
	if (r < 0) {
		return r;
	}
	rules_commit(rules);
	*ret_changes = pass.changes.n;
	return 0;
}
