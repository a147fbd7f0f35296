/* SPDX-License-Identifier: Apache-2.0 */
#include "apiserver/metrics.h"

#include "apiserver/apiserver_internal.h"

static void gauge(struct buf *b, const char *name, const char *help, const char *type, double value)
{
	buf_printf(b, "# HELP %s %s\n# TYPE %s %s\n%s %.17g\n", name, help, name, type, name,
		   value);
}

void metrics_write(struct apiserver *api, struct buf *out)
{
	struct store_stats s;

	store_get_stats(api->store, &s);
	gauge(out, "apiserver_storage_objects_total_all", "Objects in the store.", "gauge",
	      (double)s.keys);
	gauge(out, "apiserver_storage_size_bytes",
	      "Size of the storage database file physically allocated in bytes.", "gauge",
	      (double)s.file_bytes);
	gauge(out, "cox_store_live_bytes", "Bytes of live values.", "gauge", (double)s.live_bytes);
	gauge(out, "cox_store_history_bytes", "Bytes of history held in memory.", "gauge",
	      (double)s.history_bytes);
	gauge(out, "cox_store_commits_total", "Transactions committed since start.", "counter",
	      (double)s.commits);
	gauge(out, "cox_store_batches_total", "Batches made durable since start.", "counter",
	      (double)s.batches);
	gauge(out, "cox_store_syncs_total", "fdatasync calls since start.", "counter",
	      (double)s.syncs);
	buf_puts(out, "# HELP apiserver_request_total Counter of apiserver requests broken out for "
		      "each verb and HTTP response code class.\n"
		      "# TYPE apiserver_request_total counter\n");
	for (size_t v = 0; v < METRIC_VERBS; v++) {
		for (size_t c = 1; c < 6; c++) {
			if (api->requests[v][c]) {
				buf_printf(out,
					   "apiserver_request_total{verb=\"%s\",code=\"%zuxx\"} "
					   "%llu\n",
					   metric_verb_names[v], c,
					   (unsigned long long)api->requests[v][c]);
			}
		}
	}
}

const char *const metric_verb_names[METRIC_VERBS] = {
	"OTHER", "GET", "LIST", "WATCH", "POST", "PUT", "PATCH", "DELETE", "DELETECOLLECTION"};

void metrics_request(struct apiserver *api, const struct request *r)
{
	static const char *const verbs[METRIC_VERBS] = {"",	 "get",	   "list",
							"watch", "create", "update",
							"patch", "delete", "deletecollection"};
	const char *verb = r->info.verb ? r->info.verb : ""; /* refused before it was looked at */
	size_t code = (size_t)r->answer.http_status / 100;

	for (size_t i = METRIC_VERBS; i-- > 0;) {
		if (i == 0 || strcmp(verbs[i], verb) == 0) {
			api->requests[i][code < 6 ? code : 5]++;
			return;
		}
	}
}
