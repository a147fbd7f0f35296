// SPDX-License-Identifier: Apache-2.0
// The application on a free port of loopback, with a database that a test makes up.
'use strict';

const http = require('node:http');
const { createApp } = require('../src/app');
const { createLog } = require('../src/log');
const { createMetrics } = require('../src/metrics');
const { createTokens } = require('../src/tokens');

async function start(t, database) {
  const lines = [];
  const parts = {
    config: { version: 'test' },
    log: createLog('debug', {}, (line) => lines.push(line)),
    database: { counts: () => ({ total: 0, idle: 0, waiting: 0 }), ...database },
    tokens: createTokens({ secret: 'a secret for the tests', expiresIn: '1h' }),
  };
  parts.metrics = createMetrics(parts.database);
  const server = http.createServer(createApp(parts));
  await new Promise((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  const base = `http://127.0.0.1:${server.address().port}`;
  async function call(method, path, body, headers) {
    const text = typeof body === 'string' ? body : JSON.stringify(body);
    const response = await fetch(base + path, { method, body: text, headers: { 'content-type': 'application/json', ...headers } });
    const answer = await response.text();
    return { status: response.status, headers: response.headers, text: answer, json: answer.startsWith('{') ? JSON.parse(answer) : undefined };
  }
  return { ...parts, server, lines, base, call };
}

module.exports = { start };
