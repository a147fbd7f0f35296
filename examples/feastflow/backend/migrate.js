// SPDX-License-Identifier: Apache-2.0
// Brings the database to the newest schema: runs the files of migrations/ that have not run yet, in the order of their
// names, each in one transaction. Any number of pods may run it at once: one at a time gets the lock, the others find
// nothing left to do. Waits for a database that is still starting.
'use strict';

const fs = require('node:fs');
const path = require('node:path');
const { setTimeout: sleep } = require('node:timers/promises');
const { Client } = require('pg');
const { readDatabaseConfig } = require('./src/config');
const { isConnectionError } = require('./src/database');
const { createLog } = require('./src/log');

const FOLDER = path.join(__dirname, 'migrations');
const LOCK = 0x0fea57; // any number that no other user of this database takes
const PATIENCE_MS = 120_000;

async function connect(config, log) {
  const deadline = Date.now() + PATIENCE_MS;
  for (let wait = 200; ; wait = Math.min(wait * 1.5, 2000)) {
    const client = new Client({ ...config, application_name: 'feastflow-migrate', connectionTimeoutMillis: 5000 });
    client.on('error', (error) => log.warn('database connection lost', { error: error.message }));
    try {
      await client.connect();
      return client;
    } catch (error) {
      await client.end().catch(() => {});
      if (!isConnectionError(error) || Date.now() > deadline) {
        throw error;
      }
      log.info('waiting for the database', { host: config.host, port: config.port, error: error.message });
      await sleep(wait);
    }
  }
}

async function apply(client, name) {
  await client.query('BEGIN');
  try {
    await client.query(fs.readFileSync(path.join(FOLDER, name), 'utf8'));
    await client.query('INSERT INTO migrations (name) VALUES ($1)', [name]);
    await client.query('COMMIT');
  } catch (error) {
    await client.query('ROLLBACK');
    throw new Error(`${name}: ${error.message}`);
  }
}

async function migrate(client, log) {
  await client.query('SELECT pg_advisory_lock($1)', [LOCK]);
  await client.query('CREATE TABLE IF NOT EXISTS migrations (name text PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT now())');
  const { rows } = await client.query('SELECT name FROM migrations');
  const done = new Set(rows.map((row) => row.name));
  const missing = fs.readdirSync(FOLDER).filter((name) => name.endsWith('.sql') && !done.has(name)).sort();
  for (const name of missing) {
    await apply(client, name);
    log.info('migration applied', { name });
  }
  log.info('database is up to date', { applied: missing.length, before: done.size });
}

async function main() {
  const log = createLog(process.env.LOG_LEVEL || 'info', { service: 'migrate' });
  try {
    const client = await connect(readDatabaseConfig(process.env), log);
    await migrate(client, log);
    await client.end();
  } catch (error) {
    log.error('migration failed', { error: error.message });
    process.exitCode = 1;
  }
}

for (const signal of ['SIGTERM', 'SIGINT']) {
  process.once(signal, () => process.exit(1)); // as the first process of a container, no signal stops us by default
}
main();
