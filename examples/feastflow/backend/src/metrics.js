// SPDX-License-Identifier: Apache-2.0
'use strict';

const prometheus = require('prom-client');

function createMetrics(database) {
  const registry = new prometheus.Registry();
  const registers = [registry];
  prometheus.collectDefaultMetrics({ register: registry });

  const duration = new prometheus.Histogram({
    name: 'http_request_duration_seconds',
    help: 'Time from a request to the end of its response.',
    labelNames: ['method', 'route', 'status'],
    buckets: [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5],
    registers,
  });
  const orders = new prometheus.Counter({ name: 'feastflow_orders_total', help: 'Orders placed.', registers });
  const revenue = new prometheus.Counter({ name: 'feastflow_order_cents_total', help: 'Sum of all placed orders, in cents.', registers });
  new prometheus.Gauge({
    name: 'feastflow_database_connections',
    help: 'Database connections by state; waiting: requests that wait for one.',
    labelNames: ['state'],
    registers,
    collect() {
      for (const [state, count] of Object.entries(database.counts())) {
        this.set({ state }, count);
      }
    },
  });

  return {
    contentType: registry.contentType,
    text: () => registry.metrics(),
    // Routes are patterns, not paths: the number of series stays small whatever clients ask for.
    request: (method, route, status, seconds) => duration.observe({ method, route, status }, seconds),
    order(totalCents) {
      orders.inc();
      revenue.inc(totalCents);
    },
  };
}

module.exports = { createMetrics };
