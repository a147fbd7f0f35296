/* SPDX-License-Identifier: Apache-2.0 */
/* Time of one decode and one encode of typical objects, best of several rounds (the machine is
 * shared). Prints a table; checks nothing. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "object/decode.h"
#include "object/encode.h"
#include "object/object.h"
#include "types/types.h"

static double now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static void make_config_map(struct buf *b)
{
	buf_puts(b, "{\"kind\":\"ConfigMap\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":"
		    "\"settings\",\"namespace\":\"shop\","
		    "\"labels\":{\"app\":\"web\",\"tier\":\"front\"}},\"data\":{");
	for (int i = 0; i < 12; i++) {
		buf_printf(b,
			   "%s\"key-%02d.properties\":\"some.setting.number=%d and quite some text "
			   "to follow\\n\"",
			   i ? "," : "", i, i);
	}
	buf_puts(b, "}}");
}

static void make_pod(struct buf *b)
{
	buf_puts(b, "{\"kind\":\"Pod\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"web-"
		    "5d4f8c7b9-x2x4z\",\"generateName\":\"web-5d4f8c7b9-\","
		    "\"namespace\":\"shop\",\"uid\":\"0e1b4f0a-7b0e-4a87-9d54-0b5a5e1f2a11\","
		    "\"creationTimestamp\":\"2026-03-01T08:15:30Z\","
		    "\"labels\":{\"app\":\"web\",\"pod-template-hash\":\"5d4f8c7b9\"},"
		    "\"ownerReferences\":[{\"apiVersion\":\"apps/v1\","
		    "\"kind\":\"ReplicaSet\",\"name\":\"web-5d4f8c7b9\",\"uid\":\"0e1b4f0a-7b0e-"
		    "4a87-9d54-0b5a5e1f2a12\",\"controller\":true,"
		    "\"blockOwnerDeletion\":true}]},\"spec\":{\"volumes\":[{\"name\":\"token\","
		    "\"projected\":{\"sources\":[{"
		    "\"serviceAccountToken\":{\"expirationSeconds\":3607,\"path\":\"token\"}},{"
		    "\"configMap\":{\"name\":\"kube-root-ca.crt\","
		    "\"items\":[{\"key\":\"ca.crt\",\"path\":\"ca.crt\"}]}}],\"defaultMode\":420}}]"
		    ",\"containers\":[");
	for (int i = 0; i < 3; i++) {
		buf_printf(b,
			   "%s{\"name\":\"c%d\",\"image\":\"registry.example.com/shop/"
			   "web:1.25.%d\",\"command\":[\"/bin/server\",\"--port=8080\"],"
			   "\"ports\":[{\"name\":\"http\",\"containerPort\":%d,\"protocol\":"
			   "\"TCP\"}],\"env\":[{\"name\":\"A\",\"value\":\"1\"},"
			   "{\"name\":\"DATABASE_URL\",\"valueFrom\":{\"secretKeyRef\":{\"name\":"
			   "\"db\",\"key\":\"url\"}}}],\"resources\":{"
			   "\"limits\":{\"cpu\":\"500m\",\"memory\":\"128Mi\"},\"requests\":{"
			   "\"cpu\":\"100m\",\"memory\":\"64Mi\"}},"
			   "\"volumeMounts\":[{\"name\":\"token\",\"readOnly\":true,\"mountPath\":"
			   "\"/var/run/secrets/kubernetes.io/serviceaccount\"}],"
			   "\"livenessProbe\":{\"httpGet\":{\"path\":\"/api/"
			   "health\",\"port\":\"http\",\"scheme\":\"HTTP\"},\"timeoutSeconds\":1,"
			   "\"periodSeconds\":10,\"successThreshold\":1,\"failureThreshold\":3},"
			   "\"terminationMessagePath\":\"/dev/termination-log\","
			   "\"terminationMessagePolicy\":\"File\",\"imagePullPolicy\":"
			   "\"IfNotPresent\"}",
			   i ? "," : "", i, i, 8080 + i);
	}
	buf_puts(b, "],\"restartPolicy\":\"Always\",\"terminationGracePeriodSeconds\":30,"
		    "\"dnsPolicy\":\"ClusterFirst\","
		    "\"serviceAccountName\":\"default\",\"nodeName\":\"worker-1\","
		    "\"securityContext\":{},\"schedulerName\":\"default-scheduler\","
		    "\"tolerations\":[{\"key\":\"node.kubernetes.io/"
		    "not-ready\",\"operator\":\"Exists\",\"effect\":\"NoExecute\","
		    "\"tolerationSeconds\":300}],\"priority\":0,\"enableServiceLinks\":true},"
		    "\"status\":{\"phase\":\"Running\",\"conditions\":[");
	for (int i = 0; i < 4; i++) {
		buf_printf(b,
			   "%s{\"type\":\"Condition%d\",\"status\":\"True\",\"lastProbeTime\":null,"
			   "\"lastTransitionTime\":\"2026-03-01T08:15:3%dZ\"}",
			   i ? "," : "", i, i);
	}
	buf_puts(b, "],\"hostIP\":\"10.0.0.1\",\"podIP\":\"10.244.1.7\",\"podIPs\":[{\"ip\":\"10."
		    "244.1.7\"}],\"qosClass\":\"Burstable\"}}");
}

enum { ROUNDS = 60, PER_ROUND = 500 };

static void bench(const char *name, const struct type_desc *type, struct str text)
{
	double best_decode = 1e9, best_encode = 1e9, best_dup = 1e9, best_dom = 1e9;
	struct arena a CLEANUP_ARENA = {0};
	struct arena keep CLEANUP_ARENA = {0};
	struct buf b CLEANUP_BUF = {0};
	void *obj = arena_alloc(&keep, type->size);
	struct json_value v;

	if (object_decode(&keep, type, text, obj, NULL, NULL) < 0) {
		abort();
	}
	for (int round = 0; round < ROUNDS; round++) {
		double t0 = now_us(), t1, t2, t3, t4;

		for (int i = 0; i < PER_ROUND; i++) {
			void *p = arena_alloc(&a, type->size);

			if (object_decode(&a, type, text, p, NULL, NULL) < 0) {
				abort();
			}
			arena_clear(&a);
		}
		t1 = now_us();
		for (int i = 0; i < PER_ROUND; i++) {
			buf_clear(&b);
			object_encode(&b, type, obj, NULL, NULL);
		}
		t2 = now_us();
		for (int i = 0; i < PER_ROUND; i++) {
			object_dup(&a, type, obj, arena_alloc(&a, type->size));
			arena_clear(&a);
		}
		t3 = now_us();
		for (int i = 0; i < PER_ROUND; i++) {
			if (json_parse(&a, text, NULL, &v, NULL) < 0) {
				abort();
			}
			arena_clear(&a);
		}
		t4 = now_us();
		best_decode = MIN(best_decode, (t1 - t0) / PER_ROUND);
		best_encode = MIN(best_encode, (t2 - t1) / PER_ROUND);
		best_dup = MIN(best_dup, (t3 - t2) / PER_ROUND);
		best_dom = MIN(best_dom, (t4 - t3) / PER_ROUND);
	}
	printf("%-10s %6zu bytes   decode %6.2f us   encode %6.2f us   copy %6.2f us   DOM parse "
	       "%6.2f us\n",
	       name, text.n, best_decode, best_encode, best_dup, best_dom);
}

int main(void)
{
	struct buf config_map CLEANUP_BUF = {0};
	struct buf pod CLEANUP_BUF = {0};

	make_config_map(&config_map);
	make_pod(&pod);
	bench("ConfigMap", &type_core_config_map, buf_str(&config_map));
	bench("Pod", &type_core_pod, buf_str(&pod));
	return 0;
}
