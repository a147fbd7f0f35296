// SPDX-License-Identifier: Apache-2.0
// /health: the process answers. /ready and /api/health: it can also serve, because the database answers.
'use strict';

const os = require('node:os');
const { Router } = require('express');

function healthRoutes({ config, database, metrics }) {
  const router = Router();
  const about = { service: 'feastflow-backend', version: config.version, host: os.hostname() };

  async function withDatabase(_req, res) {
    res.setHeader('Cache-Control', 'no-store');
    try {
      await database.ping();
      res.json({ status: 'ok', database: 'up', ...about });
    } catch (error) {
      res.status(503).json({ status: 'unavailable', database: 'down', error: String(error.cause?.message || error.message), ...about });
    }
  }

  router.get('/', (_req, res) => res.json({ ...about, api: '/api', pages: config.frontendUrl }));
  router.get('/health', (_req, res) => res.json({ status: 'ok', ...about }));
  router.get('/ready', withDatabase);
  router.get('/api/health', withDatabase);
  router.get('/metrics', async (_req, res) => {
    res.setHeader('Content-Type', metrics.contentType);
    res.end(await metrics.text());
  });
  return router;
}

module.exports = { healthRoutes };
