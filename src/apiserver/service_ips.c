/* SPDX-License-Identifier: Apache-2.0 */
#include "apiserver/service_ips.h"

#include <arpa/inet.h>

#include "apiserver/apiserver_internal.h"
#include "apiserver/codec.h"
#include "base/map.h"

struct service_ips {
	struct env *env;
	struct store *store;
	uint32_t base; /* network address, host order */
	uint32_t size;
	int port_min, port_max;
	struct map owners; /* "10.96.0.1" or "30080/TCP" -> char *owner */
	struct store_watch *watch;
};

static int parse_cidr(struct str cidr, uint32_t *ret_base, uint32_t *ret_size)
{
	char text[16] = {0};
	struct in_addr addr;
	struct str ip;
	int64_t bits;

	str_cut(&cidr, '/', &ip);
	if (!cidr.p || ip.n >= sizeof(text) || str_to_int64(cidr, &bits) < 0 || bits < 12 ||
	    bits > 28) {
		return ERR_INVALID;
	}
	memcpy(text, ip.p, ip.n);
	if (inet_pton(AF_INET, text, &addr) != 1) {
		return ERR_INVALID;
	}
	*ret_size = 1u << (32 - bits);
	*ret_base = ntohl(addr.s_addr) & ~(*ret_size - 1);
	return 0;
}

static int take(struct service_ips *ips, struct str key, struct str owner)
{
	const char *now = map_find(&ips->owners, key);

	if (now) {
		return str_eq(str_of(now), owner) ? 0 : ERR_EXISTS;
	}
	map_put(&ips->owners, key, str_dup_cstr(owner));
	return 0;
}

static void release_owner(struct service_ips *ips, struct str owner)
{
	struct str key;
	void *value;

	for (size_t i = 0; map_next(&ips->owners, &i, &key, &value);) {
		if (str_eq(str_of(value), owner)) {
			map_remove(&ips->owners, key);
			mem_free(value);
		}
	}
}

static struct str port_key(char buf[32], int32_t port, struct str protocol)
{
	snprintf(buf, 32, "%d/%.*s", port, STR_ARG(protocol));
	return str_of(buf);
}

static void take_all(struct service_ips *ips, struct str owner, const struct store_value *value)
{
	struct arena a CLEANUP_ARENA = {0};
	const struct core_service *svc =
		(const void *)codec_decode_value(&a, &resource_core_services, value);
	char buf[32];
	int r = 0;

	if (svc->spec.cluster_ip.n && !str_is(svc->spec.cluster_ip, "None")) {
		r |= take(ips, svc->spec.cluster_ip, owner);
	}
	for (size_t i = 0; i < svc->spec.ports.n; i++) {
		if (svc->spec.ports.p[i].node_port) {
			r |= take(ips,
				  port_key(buf, svc->spec.ports.p[i].node_port,
					   svc->spec.ports.p[i].protocol),
				  owner);
		}
	}
	(void)r; /* two Services with one address are a fault of the past; the first keeps it */
}

static bool load_one(void *ctx, const struct store_item *item)
{
	take_all(ctx, registry_key_tail(&resource_core_services, item->key), item->value);
	return true;
}

static void on_events(void *ctx, const struct store_event *events, size_t n)
{
	struct service_ips *ips = ctx;

	for (size_t i = 0; i < n; i++) {
		struct str owner = registry_key_tail(&resource_core_services, events[i].key);

		if (!events[i].value) {
			release_owner(ips, owner);
		}
	}
}

static void on_ended(void *ctx, int code UNUSED)
{
	((struct service_ips *)ctx)->watch = NULL; /* the store closes */
}

int service_ips_new(struct env *env, struct store *store, struct str cidr, int port_min,
		    int port_max, struct service_ips **ret, struct err *err)
{
	struct service_ips *ips = NEW(struct service_ips);
	struct store_watch_opts opts = {
		.after = store_revision(store), .events = on_events, .ended = on_ended, .ctx = ips};
	struct arena a CLEANUP_ARENA = {0};
	int r;

	ips->env = env;
	ips->store = store;
	ips->port_min = port_min;
	ips->port_max = port_max;
	map_init(&ips->owners, 0);
	if (parse_cidr(cidr, &ips->base, &ips->size) < 0) {
		service_ips_free(ips);
		return err_set(err, ERR_INVALID,
			       "service CIDR \"%.*s\": an IPv4 network from /12 to /28 is needed, "
			       "such as 10.96.0.0/12",
			       STR_ARG(cidr));
	}
	registry_range(&a, &resource_core_services, STR_NULL, &opts.start, &opts.end);
	r = store_range(store, opts.start, opts.end, (struct revision){0}, load_one, ips);
	if (r == 0) {
		r = store_watch(store, &opts, &ips->watch);
	}
	if (r < 0) {
		service_ips_free(ips);
		return err_set(err, r, "cannot read the Services");
	}
	*ret = ips;
	return 0;
}

void service_ips_free(struct service_ips *ips)
{
	struct str key;
	void *value;

	if (!ips) {
		return;
	}
	store_watch_stop(ips->watch);
	for (size_t i = 0; map_next(&ips->owners, &i, &key, &value);) {
		mem_free(value);
	}
	map_fini(&ips->owners);
	mem_free(ips);
}

static void print_ip(uint32_t ip, char ret[16])
{
	snprintf(ret, 16, "%u.%u.%u.%u", ip >> 24, ip >> 16 & 255, ip >> 8 & 255, ip & 255);
}

int service_ips_take_any(struct service_ips *ips, struct str owner, char ret[16])
{
	uint32_t low = MIN(MAX(16u, ips->size / 16), 256u); /* kept for chosen addresses */
	uint32_t high = ips->size - 1;			    /* without broadcast */
	uint32_t start;

	env_random(ips->env, &start, sizeof(start));
	low = low < high ? low : 1;
	for (uint32_t i = 0; i < ips->size - 2; i++) {
		/* The upper part from a random place round, then the lower one. */
		uint32_t upper = high - low;
		uint32_t offset = i < upper ? low + (start + i) % upper : 1 + (i - upper);

		print_ip(ips->base + offset, ret);
		if (!map_find(&ips->owners, str_of(ret))) {
			return take(ips, str_of(ret), owner);
		}
	}
	return ERR_LIMIT;
}

int service_ips_take(struct service_ips *ips, struct str ip, struct str owner)
{
	char text[16] = {0};
	struct in_addr addr;
	uint32_t offset;

	if (ip.n >= sizeof(text)) {
		return ERR_RANGE;
	}
	memcpy(text, ip.p, ip.n);
	if (inet_pton(AF_INET, text, &addr) != 1) {
		return ERR_RANGE;
	}
	offset = ntohl(addr.s_addr) - ips->base;
	if (offset == 0 || offset >= ips->size - 1) {
		return ERR_RANGE;
	}
	return take(ips, ip, owner);
}

int service_ips_take_any_port(struct service_ips *ips, struct str owner, struct str protocol,
			      int32_t *ret)
{
	int n = ips->port_max - ips->port_min + 1;
	uint32_t start;
	char buf[32];

	env_random(ips->env, &start, sizeof(start));
	for (int i = 0; i < n; i++) {
		int32_t port = ips->port_min + (int32_t)((start + (uint32_t)i) % (uint32_t)n);

		if (!map_find(&ips->owners, port_key(buf, port, protocol))) {
			*ret = port;
			return take(ips, str_of(buf), owner);
		}
	}
	return ERR_LIMIT;
}

int service_ips_take_port(struct service_ips *ips, int32_t port, struct str protocol,
			  struct str owner)
{
	char buf[32];

	if (port < ips->port_min || port > ips->port_max) {
		return ERR_RANGE;
	}
	return take(ips, port_key(buf, port, protocol), owner);
}

void service_ips_restore(struct service_ips *ips, struct str owner)
{
	struct arena a CLEANUP_ARENA = {0};
	struct str prefix = registry_prefix(&a, &resource_core_services);
	const struct store_value *value = store_get(
		ips->store, arena_printf(&a, "%.*s%.*s", STR_ARG(prefix), STR_ARG(owner)));

	release_owner(ips, owner);
	if (value) {
		take_all(ips, owner, value);
	}
}
