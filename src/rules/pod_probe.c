/* SPDX-License-Identifier: Apache-2.0 */
/* Probes and lifecycle hooks: what is run, asked or waited for. */
#include "rules/pod_spec_internal.h"

/* What probes and hooks have in common. */
struct handler {
	const struct core_exec_action *exec;
	const struct core_http_get_action *http_get;
	const struct core_tcp_socket_action *tcp_socket;
	const struct core_grpc_action *grpc;
	const struct core_sleep_action *sleep;
};

/* True for the first handler; the others are refused. */
static bool is_first(struct pod_check *c, const struct path *at, size_t *n)
{
	if ((*n)++ == 0) {
		return true;
	}
	field_forbidden(c->errs, at, "may not specify more than 1 handler type");
	return false;
}

static void check_http_get(struct pod_check *c, const struct path *at,
			   const struct core_http_get_action *http)
{
	check_port_or_name(c->errs, AT(at, "port"), http->port);
	for (size_t i = 0; i < http->http_headers.n; i++) {
		check_name(c->errs, AT(at, "httpHeaders"), http->http_headers.p[i].name,
			   http_header_name_faults);
	}
}

static void check_sleep(struct pod_check *c, const struct path *at,
			const struct core_sleep_action *sleep)
{
	const int64_t *grace = c->spec->termination_grace_period_seconds;

	if (grace && (sleep->seconds < 0 || sleep->seconds > *grace)) {
		field_invalid(
			c->errs, at, field_int(sleep->seconds),
			"must be non-negative and less than terminationGracePeriodSeconds (%lld)",
			(long long)*grace);
	}
}

static void check_handler(struct pod_check *c, const struct path *at, const struct handler *h)
{
	size_t n = 0;

	if (h->exec && is_first(c, AT(at, "exec"), &n) && !h->exec->command.n) {
		field_required(c->errs, AT(AT(at, "exec"), "command"), NULL);
	}
	if (h->http_get && is_first(c, AT(at, "httpGet"), &n)) {
		check_http_get(c, AT(at, "httpGet"), h->http_get);
	}
	if (h->tcp_socket && is_first(c, AT(at, "tcpSocket"), &n)) {
		check_port_or_name(c->errs, AT(AT(at, "tcpSocket"), "port"), h->tcp_socket->port);
	}
	if (h->grpc && is_first(c, AT(at, "grpc"), &n)) {
		check_port(c->errs, AT(AT(at, "grpc"), "port"), h->grpc->port);
	}
	if (h->sleep && is_first(c, AT(at, "sleep"), &n)) {
		check_sleep(c, AT(at, "sleep"), h->sleep);
	}
	if (n == 0) {
		field_required(c->errs, at, "must specify a handler type");
	}
}

void pod_check_probe(struct pod_check *c, const struct path *at, const struct core_probe *p,
		     enum probe_kind kind)
{
	struct handler h;
	const int64_t *grace;

	if (!p) {
		return;
	}
	h = (struct handler){.exec = p->exec,
			     .http_get = p->http_get,
			     .tcp_socket = p->tcp_socket,
			     .grpc = p->grpc};
	check_handler(c, at, &h);
	check_not_negative(c->errs, AT(at, "initialDelaySeconds"), p->initial_delay_seconds);
	check_not_negative(c->errs, AT(at, "timeoutSeconds"), p->timeout_seconds);
	check_not_negative(c->errs, AT(at, "periodSeconds"), p->period_seconds);
	check_not_negative(c->errs, AT(at, "successThreshold"), p->success_threshold);
	check_not_negative(c->errs, AT(at, "failureThreshold"), p->failure_threshold);
	grace = p->termination_grace_period_seconds;
	if (grace && *grace <= 0) {
		field_invalid(c->errs, AT(at, "terminationGracePeriodSeconds"), field_int(*grace),
			      "must be greater than 0");
	}
	if (kind == PROBE_READINESS && grace) {
		field_invalid(c->errs, AT(at, "terminationGracePeriodSeconds"), field_int(*grace),
			      "must not be set for readinessProbes");
	}
	if (kind != PROBE_READINESS && p->success_threshold != 1) {
		field_invalid(c->errs, AT(at, "successThreshold"), field_int(p->success_threshold),
			      "must be 1");
	}
}

static void check_hook(struct pod_check *c, const struct path *at,
		       const struct core_lifecycle_handler *hook)
{
	struct handler h = {.exec = hook->exec,
			    .http_get = hook->http_get,
			    .tcp_socket = hook->tcp_socket,
			    .sleep = hook->sleep};

	check_handler(c, at, &h);
}

void pod_check_lifecycle(struct pod_check *c, const struct path *at,
			 const struct core_lifecycle *lifecycle)
{
	if (!lifecycle) {
		return;
	}
	if (lifecycle->post_start) {
		check_hook(c, AT(at, "postStart"), lifecycle->post_start);
	}
	if (lifecycle->pre_stop) {
		check_hook(c, AT(at, "preStop"), lifecycle->pre_stop);
	}
}
