/* SPDX-License-Identifier: Apache-2.0 */
/* How long the kernel takes to follow: 1,000 and 10,000 Services of three endpoints each loaded in one transaction, then one endpoint exchanged, the
 * median and the worst of many; memory of the process. In a network namespace of its own; needs root and nft. */
#include <sched.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "../tests/lib/testservice.h"
#include "base/alloc.h"
#include "base/buf.h"
#include "proxy/proxy.h"

enum { CHANGES = 1000 };

static double now_ms(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e3 + (double)ts.tv_nsec / 1e6;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return x < y ? -1 : x > y;
}

static void must(int r, struct err *err)
{
	if (r < 0) {
		fprintf(stderr, "proxy_bench: %s\n", err_msg(err));
		exit(1);
	}
}

static void set_slice(struct proxy *proxy, struct arena *a, int i, int third)
{
	struct str name = arena_printf(a, "s%d", i);
	struct str endpoints = arena_printf(a, "10.244.%d.%d@n%d 10.245.%d.%d@n2 10.%d.%d.%d@n3",
					    i / 250 % 250, i % 250 + 1, i % 3, i / 250 % 250,
					    i % 250 + 1, 246 + third, i / 250 % 250, i % 250 + 1);
	proxy_set_slice(proxy, testservice_slice(a, arena_cstr(a, name), "TCP", 8080,
						 arena_cstr(a, endpoints)));
}

static void run(int services, const char *dir)
{
	struct proxy_opts opts = {.node_name = "n1", .state_dir = dir};
	static double took[CHANGES];
	struct proxy *proxy = NULL;
	struct err err = {0};
	struct arena a = {0};

	must(ip_cidr_parse(STR("10.244.0.0/14"), &opts.pod_cidr), &err);
	must(ip_cidr_parse(STR("10.96.0.0/12"), &opts.service_cidr), &err);
	must(proxy_new(&opts, &proxy, &err), &err);
	for (int i = 0; i < services; i++) {
		char name[16], ip[32];
		snprintf(name, sizeof(name), "s%d", i);
		snprintf(ip, sizeof(ip), "10.96.%d.%d", i / 250, i % 250 + 1);
		proxy_set_service(proxy, testservice_make(&a, (struct service_spec){.name = name,
										    .ip = ip,
										    .port = 80}));
		set_slice(proxy, &a, i, 0);
		arena_clear(&a);
	}
	double start = now_ms();
	must(proxy_apply(proxy, &err), &err);
	double load = now_ms() - start;
	for (int i = 0; i < CHANGES; i++) {
		set_slice(proxy, &a, i * 7 % services, i / services + 1);
		start = now_ms();
		must(proxy_apply(proxy, &err), &err);
		took[i] = now_ms() - start;
		arena_clear(&a);
	}
	qsort(took, CHANGES, sizeof(*took), compare);
	printf("%6d services: load %7.1f ms; one endpoint p50 %.3f ms, p99 %.3f ms, max %.3f ms "
	       "(%llu elements)\n",
	       services, load, took[CHANGES / 2], took[CHANGES * 99 / 100], took[CHANGES - 1],
	       (unsigned long long)proxy_counters(proxy)->changes);
	start = now_ms();
	proxy_free(proxy);
	must(proxy_cleanup(&opts, &err), &err);
	printf("                  removal %.1f ms\n", now_ms() - start);
	arena_fini(&a);
}

int main(void)
{
	char dir[] = "/tmp/proxy_bench.XXXXXX";
	struct rusage usage;

	if (unshare(CLONE_NEWNET) < 0 || !mkdtemp(dir)) {
		fprintf(stderr, "proxy_bench: no network namespace of its own (root is needed)\n");
		return 1;
	}
	run(1000, dir);
	run(10000, dir);
	getrusage(RUSAGE_SELF, &usage);
	printf("peak RSS %ld KB\n", usage.ru_maxrss);
	return rmdir(dir) < 0;
}
