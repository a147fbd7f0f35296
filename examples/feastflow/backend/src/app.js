// SPDX-License-Identifier: Apache-2.0
'use strict';

const { randomUUID } = require('node:crypto');
const express = require('express');
const { ApiError, invalid, notFound } = require('./errors');
const { accountRoutes } = require('./routes/accounts');
const { healthRoutes } = require('./routes/health');
const { orderRoutes } = require('./routes/orders');
const { restaurantRoutes } = require('./routes/restaurants');

// Asked for every few seconds by kubelet and Prometheus: not worth a line each.
const QUIET = new Set(['/health', '/ready', '/api/health', '/metrics']);

function observe({ log, metrics }) {
  return (req, res, next) => {
    const began = process.hrtime.bigint();
    const { path } = req;
    req.id = /^[\w-]{1,64}$/.test(req.get('x-request-id') || '') ? req.get('x-request-id') : randomUUID();
    res.setHeader('X-Request-Id', req.id);
    res.once('finish', () => {
      const seconds = Number(process.hrtime.bigint() - began) / 1e9;
      const route = req.route ? req.baseUrl + req.route.path : 'none';
      metrics.request(req.method, route, res.statusCode, seconds);
      const level = QUIET.has(path) && res.statusCode < 500 ? 'debug' : 'info';
      log[level]('request', { requestId: req.id, method: req.method, path, status: res.statusCode, ms: Math.round(seconds * 1000) });
    });
    next();
  };
}

// What express and its body parser raise, as an answer of ours.
function asApiError(error) {
  if (error instanceof ApiError) {
    return error;
  }
  if (error.type === 'entity.too.large') {
    return new ApiError(413, 'too_large', 'the body is too large: at most 32 kB');
  }
  if (error.status >= 400 && error.status < 500) {
    return invalid(error.type === 'entity.parse.failed' ? 'the body is not valid JSON' : error.message);
  }
  return new ApiError(500, 'internal', 'something went wrong here; the log has more under this request id');
}

function answerError(log) {
  return (error, req, res, next) => {
    const answer = asApiError(error);
    if (answer.status >= 500) {
      log.error('request failed', { requestId: req.id, error: String(error.cause || error), stack: answer.status === 500 ? error.stack : undefined });
    }
    if (res.headersSent) {
      next(error);
      return;
    }
    if (answer.status === 503) {
      res.setHeader('Retry-After', '1');
    }
    res.status(answer.status).json({ error: { code: answer.code, message: answer.message, requestId: req.id } });
  };
}

function createApp(parts) {
  const app = express();

  app.disable('x-powered-by');
  app.disable('etag');
  app.use(observe(parts));
  app.use(express.json({ limit: '32kb', strict: false }));
  app.use(healthRoutes(parts));
  app.use('/api', parts.tokens.identify);
  app.use('/api', accountRoutes(parts));
  app.use('/api', restaurantRoutes(parts));
  app.use('/api', orderRoutes(parts));
  app.use((req) => {
    throw notFound(`there is no ${req.method} ${req.path}`);
  });
  app.use(answerError(parts.log));
  return app;
}

module.exports = { createApp };
