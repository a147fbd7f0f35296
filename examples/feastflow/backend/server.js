// SPDX-License-Identifier: Apache-2.0
'use strict';

const http = require('node:http');
const { createApp } = require('./src/app');
const { readConfig } = require('./src/config');
const { createDatabase } = require('./src/database');
const { createLog } = require('./src/log');
const { createMetrics } = require('./src/metrics');
const { createTokens } = require('./src/tokens');
const { stopOnSignals } = require('./src/shutdown');

function main() {
  const config = readConfig(process.env);
  const log = createLog(config.logLevel, { service: 'backend', version: config.version });
  const database = createDatabase(config.database, log);
  const metrics = createMetrics(database);
  const tokens = createTokens(config.jwt);
  const server = http.createServer(createApp({ config, log, database, metrics, tokens }));

  // Longer than the 60 s for which nginx keeps an idle connection: the side that sends requests closes first.
  server.keepAliveTimeout = 75_000;
  stopOnSignals({ server, database, log, ...config.shutdown });
  server.once('error', (error) => {
    log.error('cannot listen', { port: config.port, error: error.message });
    process.exit(1);
  });
  server.listen(config.port, () => log.info('listening', { port: config.port }));
}

try {
  main();
} catch (error) {
  console.error(JSON.stringify({ level: 'error', service: 'backend', message: error.message }));
  process.exit(1);
}
