// SPDX-License-Identifier: Apache-2.0
// The connection pool. A database that restarts costs the requests of that moment, never the process: broken
// connections leave the pool, reads are tried again, and what still fails becomes a 503.
'use strict';

const { setTimeout: sleep } = require('node:timers/promises');
const { Pool } = require('pg');
const { unavailable } = require('./errors');

const READ_ATTEMPTS = 3;
const RETRY_WITHIN_MS = 1500; // what took longer to fail than this has used up the client's patience
const NETWORK_ERRORS = new Set(['ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'ETIMEDOUT', 'EHOSTUNREACH', 'ENETUNREACH', 'ENOTFOUND', 'EAI_AGAIN']);

// SQLSTATE 08: connection lost; 57P: server is stopping or starting; 53300: too many connections.
function isConnectionError(error) {
  const code = error.code || '';
  return (
    NETWORK_ERRORS.has(code) ||
    /^(08|57P0[123]|53300)/.test(code) ||
    /^(Connection terminated|timeout exceeded when trying to connect|Client has encountered a connection error)/.test(error.message)
  );
}

function wrapped(error) {
  return isConnectionError(error) ? Object.assign(unavailable('the database does not answer, try again'), { cause: error }) : error;
}

function createDatabase(config, log) {
  const pool = new Pool({
    ...config,
    application_name: 'feastflow-backend',
    connectionTimeoutMillis: 3000,
    idleTimeoutMillis: 30_000,
    statement_timeout: 5000,
    query_timeout: 6000,
    keepAlive: true,
  });
  pool.on('error', (error) => log.warn('idle database connection lost', { error: error.message }));

  // Only for statements that change nothing: they may run more than once.
  async function read(text, values) {
    const began = Date.now();
    for (let attempt = 1; ; attempt += 1) {
      try {
        return (await pool.query(text, values)).rows;
      } catch (error) {
        if (attempt === READ_ATTEMPTS || !isConnectionError(error) || Date.now() - began > RETRY_WITHIN_MS) {
          throw wrapped(error);
        }
        await sleep(50 * 2 ** attempt);
      }
    }
  }

  async function transaction(work) {
    let client;
    try {
      client = await pool.connect();
    } catch (error) {
      throw wrapped(error);
    }
    let broken;
    try {
      await client.query('BEGIN');
      const result = await work((text, values) => client.query(text, values).then(({ rows }) => rows));
      await client.query('COMMIT');
      return result;
    } catch (error) {
      broken = await client.query('ROLLBACK').then(() => undefined, (failure) => failure);
      throw wrapped(error);
    } finally {
      client.release(broken);
    }
  }

  return {
    read,
    transaction,
    ping: () => pool.query('SELECT 1').catch((error) => Promise.reject(wrapped(error))),
    counts: () => ({ total: pool.totalCount, idle: pool.idleCount, waiting: pool.waitingCount }),
    close: () => pool.end(),
  };
}

module.exports = { createDatabase, isConnectionError };
