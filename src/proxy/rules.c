/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/rules.h"

#include <endian.h>
#include <netinet/in.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "proxy/rules_internal.h"

const struct rules_set_desc rules_sets[RULES_SETS_N] = {
#define SET_DESC(name, text, key, value) [RULES_##name] = {text, key, value},
	RULES_SETS(SET_DESC)
#undef SET_DESC
};

struct rules *rules_new(const char *node_name, const struct log *log)
{
	struct rules *rules = NEW(struct rules);

	rules->node_name = node_name;
	rules->log = log;
	map_init(&rules->services, MAP_BORROW_KEYS);
	map_init(&rules->frontends, MAP_BORROW_KEYS);
	map_init(&rules->hairpins, 0);
	list_init(&rules->queue);
	list_init(&rules->dirty);
	return rules;
}

void rules_free(struct rules *rules)
{
	struct str key;
	void *value;

	if (!rules) {
		return;
	}
	for (size_t i = 0; map_next(&rules->services, &i, &key, &value);) {
		service_free(value);
	}
	for (size_t i = 0; map_next(&rules->frontends, &i, &key, &value);) {
		mem_free(value);
	}
	map_fini(&rules->services);
	map_fini(&rules->frontends);
	map_fini(&rules->hairpins);
	mem_free(rules);
}

/* --- elements --- */

/* Builds keys field by field: each takes four bytes, network order; marks stay in host order. */
struct key {
	uint8_t b[16];
	size_t n;
};

static void key_v4(struct key *k, uint32_t v4)
{
	v4 = htobe32(v4);
	memcpy(k->b + k->n, &v4, 4);
	k->n += 4;
}

static void key_protocol_port(struct key *k, uint8_t protocol, uint16_t port)
{
	k->b[k->n] = protocol;
	k->b[k->n + 4] = (uint8_t)(port >> 8);
	k->b[k->n + 5] = (uint8_t)port;
	k->n += 8;
}

static void key_mark(struct key *k, uint32_t mark)
{
	memcpy(k->b + k->n, &mark, 4);
	k->n += 4;
}

static struct rules_elem *add_elem(struct service *s, enum rules_set set, const struct key *key)
{
	struct rules_elem *e = vec_push(&s->wanted);

	e->set = (uint8_t)set;
	ASSERT(key->n == rules_sets[set].key_len);
	memcpy(e->key, key->b, key->n);
	return e;
}

static void add_endpoint(struct service *s, enum rules_set set, const struct key *front,
			 uint32_t mark, struct endpoint to)
{
	struct key key = *front;

	key_mark(&key, mark);
	struct rules_elem *e = add_elem(s, set, &key);
	uint32_t v4 = htobe32(to.v4);
	memcpy(e->value, &v4, 4);
	e->value[4] = (uint8_t)(to.port >> 8);
	e->value[5] = (uint8_t)to.port;
}

static void add_mark(struct service *s, enum rules_set set, const struct key *front, uint32_t mark,
		     uint32_t value)
{
	struct key key = *front;

	key_mark(&key, mark);
	memcpy(add_elem(s, set, &key)->value, &value, 4);
}

/* A number for an endpoint that does not change as others come and go, nor over restarts: a client's affinity is to it. 24 bits; where two
 * of one list meet, the later place takes the next free one. */
static uint32_t stable_id(const struct endpoints *list, size_t place, const uint32_t *taken)
{
	uint64_t h =
		((uint64_t)list->p[place].v4 << 16 | list->p[place].port) * 0x9e3779b97f4a7c15ULL;
	uint32_t id = (uint32_t)(h >> 40);

	for (size_t i = 0; i < place;) {
		if (taken[i] == id) {
			id = (id + 1) & ~RULES_MARK_MASK;
			i = 0;
		} else {
			i++;
		}
	}
	return id;
}

struct target {
	enum rules_set verdicts;
	bool node_port, local;
};

static void add_balancing(struct service *s, const struct key *front, struct target t,
			  const struct endpoints *list)
{
	uint32_t tag = t.local ? RULES_MARK_LOCAL : RULES_MARK_CLUSTER;
	enum rules_set eps = t.node_port ? RULES_NP_EPS : RULES_EPS;
	uint32_t *ids = s->affinity_sec ? mem_new_array(list->n, sizeof(*ids)) : NULL;

	struct rules_elem *e = add_elem(s, t.verdicts, front);
	e->verdict = RULES_CHAIN;
	e->chain = (struct rules_chain){.count = (uint32_t)list->n,
					.affinity_sec = s->affinity_sec,
					.node_port = t.node_port,
					.local = t.local};
	for (size_t i = 0; i < list->n; i++) {
		uint32_t mark = tag | (uint32_t)i;
		if (ids) {
			ids[i] = stable_id(list, i, ids);
			add_mark(s, t.node_port ? RULES_NP_IDS : RULES_IDS, front, mark,
				 tag | ids[i]);
			mark = tag | ids[i];
		}
		add_endpoint(s, eps, front, mark, list->p[i]);
	}
	mem_free(ids);
}

static void add_verdict(struct service *s, enum rules_set set, const struct key *front,
			enum rules_verdict verdict)
{
	add_elem(s, set, front)->verdict = (uint8_t)verdict;
}

/* Upstream: nobody at all is refused, so that clients see it at once; a policy Local without a local endpoint drops, so that a balancer
 * before it tries the next node. */
static void add_cluster_ip(struct service *s, const struct service_port *port,
			   const struct key *front)
{
	const struct endpoints *list = s->internal_local ? &port->local : &port->cluster;

	if (list->n > 0) {
		add_balancing(s, front, (struct target){RULES_SVC, false, false}, list);
	} else {
		add_verdict(s, RULES_NOEP, front, port->cluster.n > 0 ? RULES_DROP : RULES_REJECT);
	}
}

/* A VIP or node port for the outside. Pods and the node itself reach all endpoints through it whatever the policy, as they would by the
 * ClusterIP; from outside, policy Local keeps the source and stays on the node. */
static void add_external(struct service *s, const struct service_port *port,
			 const struct key *front, bool node_port)
{
	if (port->cluster.n == 0) {
		add_verdict(s, node_port ? RULES_NP_NOEP : RULES_NOEP, front, RULES_REJECT);
		return;
	}
	add_balancing(s, front, (struct target){node_port ? RULES_NP : RULES_SVC, node_port, false},
		      &port->cluster);
	if (!s->external_local) {
		return;
	}
	enum rules_set set = node_port ? RULES_NP_LOCAL : RULES_EXT_LOCAL;
	if (port->local.n > 0) {
		add_balancing(s, front, (struct target){set, node_port, true}, &port->local);
	} else {
		add_verdict(s, set, front, RULES_DROP);
	}
}

static void add_firewall(struct service *s, const struct key *front)
{
	add_elem(s, RULES_FW, front);
	for (size_t i = 0; i < s->nranges; i++) {
		struct key key = *front;
		key_v4(&key, ip_v4(ip_cidr_first(s->ranges[i])));
		struct rules_elem *e = add_elem(s, RULES_FW_ALLOW, &key);
		memcpy(e->value, ip_cidr_last(s->ranges[i]).b + 12, 4);
	}
}

static void add_hairpins(struct service *s, const struct endpoints *local)
{
	for (size_t i = 0; i < local->n; i++) {
		struct key key = {0};
		key_v4(&key, local->p[i].v4);
		key_v4(&key, local->p[i].v4);
		add_elem(s, RULES_HAIRPIN, &key);
	}
}

/* --- who owns an address and port --- */

static struct frontend frontend_make(enum frontend_class class, uint32_t v4, uint8_t protocol,
				     uint16_t port)
{
	struct frontend f = {.class = (uint8_t) class};

	v4 = htobe32(v4);
	memcpy(f.key, &v4, 4);
	f.key[4] = protocol;
	f.key[6] = (uint8_t)(port >> 8);
	f.key[7] = (uint8_t)port;
	return f;
}

static bool is_stronger(const struct frontend *f, const struct service *s,
			const struct frontend *holder)
{
	if (f->class != holder->class) {
		return f->class < holder->class;
	}
	if (s->created_sec != holder->owner->created_sec) {
		return s->created_sec < holder->owner->created_sec;
	}
	return strcmp(s->key, holder->owner->key) < 0;
}

static void forget_claim(struct service *s, const struct frontend *f)
{
	for (size_t i = 0; i < s->claims.n; i++) {
		if (s->claims.p[i] == f) {
			vec_remove(&s->claims, i);
			return;
		}
	}
}

/* True if the frontend is the Service's now. The loser of a conflict is computed again without it. */
static bool claim(struct rules *rules, struct service *s, size_t port,
		  const struct frontend *wanted)
{
	struct str key = str_make(wanted->key, sizeof(wanted->key));
	struct frontend *f = map_find(&rules->frontends, key);

	if (f && f->owner == s) {
		return false; /* the same address twice in one Service */
	}
	if (s->claims.n >= RULES_FRONTENDS_MAX) {
		log_warning(rules->log,
			    "service %s has more than %d addresses and ports, the rest is left out",
			    s->key, RULES_FRONTENDS_MAX);
		return false;
	}
	if (f && !is_stronger(wanted, s, f)) {
		log_warning(rules->log,
			    "service %s wants an address and port that is service %s's: left out",
			    s->key, f->owner->key);
		s->blocked = true;
		return false;
	}
	if (f) {
		forget_claim(f->owner, f);
		f->owner->blocked = true;
		rules_touch(rules, f->owner);
	} else {
		f = mem_dup(wanted, sizeof(*wanted));
		map_put(&rules->frontends, str_make(f->key, sizeof(f->key)), f);
	}
	f->class = wanted->class;
	f->owner = s;
	f->port = port;
	*vec_push(&s->claims) = f;
	return true;
}

static void release_claims(struct rules *rules, struct service *s)
{
	for (size_t i = 0; i < s->claims.n; i++) {
		struct frontend *f = s->claims.p[i];
		map_remove(&rules->frontends, str_make(f->key, sizeof(f->key)));
		mem_free(f);
	}
	vec_clear(&s->claims);
}

static void compute_vips(struct rules *rules, struct service *s, size_t at,
			 enum frontend_class class, const uint32_t *ips, size_t n)
{
	const struct service_port *port = &s->ports[at];

	for (size_t i = 0; i < n; i++) {
		struct frontend f = frontend_make(class, ips[i], port->protocol, port->port);
		struct key front = {0};
		if (!claim(rules, s, at, &f)) {
			continue;
		}
		key_v4(&front, ips[i]);
		key_protocol_port(&front, port->protocol, port->port);
		if (class == FRONTEND_CLUSTER_IP) {
			add_cluster_ip(s, port, &front);
		} else {
			add_external(s, port, &front, false);
		}
		if (class == FRONTEND_LOAD_BALANCER && s->restricted) {
			add_firewall(s, &front);
		}
	}
}

static void compute_port(struct rules *rules, struct service *s, size_t at)
{
	struct service_port *port = &s->ports[at];

	service_compute_endpoints(rules, s, port);
	compute_vips(rules, s, at, FRONTEND_CLUSTER_IP, s->cluster_ips, s->ncluster_ips);
	compute_vips(rules, s, at, FRONTEND_LOAD_BALANCER, s->load_balancer_ips,
		     s->nload_balancer_ips);
	compute_vips(rules, s, at, FRONTEND_EXTERNAL, s->external_ips, s->nexternal_ips);
	add_hairpins(s, &port->local);
	if (port->node_port) {
		struct frontend f =
			frontend_make(FRONTEND_NODE_PORT, 0, port->protocol, port->node_port);
		struct key front = {0};
		key_protocol_port(&front, port->protocol, port->node_port);
		if (claim(rules, s, at, &f)) {
			add_external(s, port, &front, true);
		}
	}
}

static int compare_elems(const void *a, const void *b)
{
	const struct rules_elem *x = a, *y = b;

	if (x->set != y->set) {
		return (int)x->set - (int)y->set;
	}
	return memcmp(x->key, y->key, sizeof(x->key));
}

static void sort_elems(struct elems *list)
{
	size_t n = 0;

	if (list->n > 1) {
		qsort(list->p, list->n, sizeof(*list->p), compare_elems);
	}
	for (size_t i = 0; i < list->n; i++) {
		if (n == 0 || compare_elems(&list->p[n - 1], &list->p[i]) != 0) {
			list->p[n++] = list->p[i];
		}
	}
	list->n = n;
}

/* Whether some frontend that s held before is nobody's now. */
static bool has_released(const struct rules *rules, const uint8_t *keys, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (!map_find(&rules->frontends, str_make(keys + i * 8, 8))) {
			return true;
		}
	}
	return false;
}

static void wake_blocked(struct rules *rules)
{
	struct str key;
	void *value;

	for (size_t i = 0; map_next(&rules->services, &i, &key, &value);) {
		struct service *s = value;
		if (s->blocked) {
			s->blocked = false;
			rules_touch(rules, s);
		}
	}
}

static void compute(struct rules *rules, struct service *s)
{
	size_t held = s->claims.n;
	uint8_t *keys = mem_new(held * 8);

	for (size_t i = 0; i < held; i++) {
		memcpy(keys + i * 8, s->claims.p[i]->key, 8);
	}
	release_claims(rules, s);
	vec_clear(&s->wanted);
	s->blocked = false;
	for (size_t i = 0; s->exists && i < s->nports; i++) {
		compute_port(rules, s, i);
	}
	sort_elems(&s->wanted);
	if (has_released(rules, keys, held)) {
		wake_blocked(rules);
	}
	mem_free(keys);
}

/* A Service may be queued again by losing a conflict; the order of strength is total, so this ends. */
static void compute_queue(struct rules *rules)
{
	while (!list_is_empty(&rules->queue)) {
		struct service *s = CONTAINER_OF(rules->queue.next, struct service, link);
		list_remove(&s->link);
		s->queued = false;
		s->dirty = true;
		list_add_tail(&rules->dirty, &s->link);
		compute(rules, s);
	}
}

/* --- changes --- */

struct emit {
	struct rules *rules;
	rules_change_fn change;
	void *ctx;
};

static struct str elem_key(const struct rules_elem *e)
{
	return str_make(e->key, rules_sets[e->set].key_len);
}

/* Several Services may share an endpoint; its hairpin element is there while any needs it. */
static bool count_hairpin(struct rules *rules, const struct rules_elem *e, bool add)
{
	uintptr_t n = (uintptr_t)map_find(&rules->hairpins, elem_key(e));

	if (add) {
		map_put(&rules->hairpins, elem_key(e), (void *)(n + 1));
		return n == 0;
	}
	ASSERT(n > 0);
	if (n == 1) {
		map_remove(&rules->hairpins, elem_key(e));
		return true;
	}
	map_put(&rules->hairpins, elem_key(e), (void *)(n - 1));
	return false;
}

static void emit(const struct emit *to, bool add, const struct rules_elem *e)
{
	if (e->set != RULES_HAIRPIN || count_hairpin(to->rules, e, add)) {
		to->change(to->ctx, add, e);
	}
}

static bool same_value(const struct rules_elem *a, const struct rules_elem *b)
{
	return a->verdict == b->verdict && memcmp(a->value, b->value, sizeof(a->value)) == 0 &&
	       a->chain.count == b->chain.count && a->chain.affinity_sec == b->chain.affinity_sec &&
	       a->chain.node_port == b->chain.node_port && a->chain.local == b->chain.local;
}

/* Walks old and new side by side, both sorted; speaks of removals or of additions. */
static void diff_service(const struct emit *to, const struct service *s, bool add)
{
	const struct elems *old = &s->applied, *now = &s->wanted;
	size_t i = 0, k = 0;

	while (i < old->n || k < now->n) {
		int order = i == old->n	  ? 1
			    : k == now->n ? -1
					  : compare_elems(&old->p[i], &now->p[k]);
		bool changed = order == 0 && !same_value(&old->p[i], &now->p[k]);
		if (!add && (order < 0 || changed)) {
			emit(to, false, &old->p[i]);
		}
		if (add && (order > 0 || changed)) {
			emit(to, true, &now->p[k]);
		}
		i += order <= 0;
		k += order >= 0;
	}
}

void rules_diff(struct rules *rules, rules_change_fn change, void *ctx)
{
	struct emit to = {rules, change, ctx};

	compute_queue(rules);
	for (int add = 0; add < 2; add++) {
		LIST_FOR_EACH(l, &rules->dirty)
		{
			diff_service(&to, CONTAINER_OF(l, struct service, link), add);
		}
	}
}

void rules_all(struct rules *rules, rules_change_fn change, void *ctx)
{
	struct emit to = {rules, change, ctx};
	struct str key;
	void *value;

	compute_queue(rules);
	map_fini(&rules->hairpins);
	map_init(&rules->hairpins, 0);
	for (size_t i = 0; map_next(&rules->services, &i, &key, &value);) {
		const struct service *s = value;
		const struct elems *list = s->dirty ? &s->wanted : &s->applied;
		for (size_t k = 0; k < list->n; k++) {
			emit(&to, true, &list->p[k]);
		}
	}
}

void rules_commit(struct rules *rules)
{
	LIST_FOR_EACH_SAFE(l, &rules->dirty)
	{
		struct service *s = CONTAINER_OF(l, struct service, link);
		list_remove(l);
		s->dirty = false;
		rules->nproxied += (s->wanted.n > 0) - (s->applied.n > 0);
		vec_fini(&s->applied);
		s->applied = s->wanted;
		s->wanted = (struct elems){0};
		if (!s->exists && list_is_empty(&s->slices)) {
			map_remove(&rules->services, str_of(s->key));
			service_free(s);
		}
	}
}

bool rules_is_clean(const struct rules *rules)
{
	return list_is_empty(&rules->queue) && list_is_empty(&rules->dirty);
}

size_t rules_count(const struct rules *rules)
{
	return rules->nproxied;
}

static bool has_endpoint(const struct endpoints *list, struct endpoint e)
{
	for (size_t i = 0; i < list->n; i++) {
		if (list->p[i].v4 == e.v4 && list->p[i].port == e.port) {
			return true;
		}
	}
	return false;
}

bool rules_is_stale(const struct rules *rules, uint8_t protocol, struct ip_addr dst, uint16_t port,
		    struct ip_addr reply_src, uint16_t reply_port, bool source_translated,
		    bool *ret_known)
{
	struct frontend vip = frontend_make(FRONTEND_CLUSTER_IP, ip_v4(dst), protocol, port);
	struct frontend node = frontend_make(FRONTEND_NODE_PORT, 0, protocol, port);
	const struct frontend *f = map_find(&rules->frontends, str_make(vip.key, sizeof(vip.key)));

	if (!f) {
		/* The node port of the same number on somebody else's address is none of ours: such a flow leaves masqueraded, not redirected. */
		if (ip_eq(dst, reply_src) && source_translated) {
			*ret_known = false;
			return false;
		}
		f = map_find(&rules->frontends, str_make(node.key, sizeof(node.key)));
	}
	*ret_known = f;
	if (!f) {
		return false;
	}
	const struct service_port *p = &f->owner->ports[f->port];
	struct endpoint e = {ip_v4(reply_src), reply_port};
	return !has_endpoint(&p->cluster, e) && !has_endpoint(&p->local, e);
}
