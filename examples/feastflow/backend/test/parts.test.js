// SPDX-License-Identifier: Apache-2.0
'use strict';

const assert = require('node:assert/strict');
const http = require('node:http');
const test = require('node:test');
const { readConfig } = require('../src/config');
const { isConnectionError } = require('../src/database');
const { hashPassword, verifyPassword } = require('../src/passwords');
const { stopOnSignals } = require('../src/shutdown');

const ENV = { DB_PASSWORD: 'x', JWT_SECRET: '0123456789abcdef' };

test('configuration names what is missing or malformed', () => {
  assert.equal(readConfig({ ...ENV, DB_HOST: 'postgres' }).database.host, 'postgres');
  assert.throws(() => readConfig({ ...ENV, DB_PASSWORD: '' }), /DB_PASSWORD/);
  assert.throws(() => readConfig({ ...ENV, JWT_SECRET: 'short' }), /JWT_SECRET/);
  assert.throws(() => readConfig({ ...ENV, DB_PORT: 'tcp://10.96.0.7:5432' }), /DB_PORT/);
});

test('a password is kept as a salted hash that only the password matches', async () => {
  const [one, two] = await Promise.all([hashPassword('correct horse'), hashPassword('correct horse')]);
  assert.notEqual(one, two);
  assert.ok(!one.includes('horse'));
  assert.equal(await verifyPassword('correct horse', one), true);
  assert.equal(await verifyPassword('correct hors', one), false);
});

test('a lost connection is told from a wrong statement', () => {
  assert.ok(isConnectionError(Object.assign(new Error('refused'), { code: 'ECONNREFUSED' })));
  assert.ok(isConnectionError(Object.assign(new Error('terminating connection'), { code: '57P01' })));
  assert.ok(isConnectionError(new Error('Connection terminated unexpectedly')));
  assert.ok(!isConnectionError(Object.assign(new Error('duplicate key'), { code: '23505' })));
});

test('stopping answers all requests with Connection: close, the running one too, then exits 0', async () => {
  let finish;
  const server = http.createServer((req, res) => {
    if (req.url === '/slow') {
      finish = () => res.end('done');
    } else {
      res.end('fast');
    }
  });
  await new Promise((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const agent = new http.Agent({ keepAlive: true });
  const get = (path) =>
    new Promise((resolve, reject) => {
      http.get({ port: server.address().port, host: '127.0.0.1', path, agent }, (res) => res.resume().on('end', () => resolve(res))).on('error', reject);
    });
  const order = [];
  const log = { info: (message) => order.push(message), error: (message) => order.push(message) };
  const exited = new Promise((resolve) => {
    const stop = stopOnSignals({ server, log, drainMs: 10, limitMs: 5000, exit: resolve, database: { close: async () => order.push('pool closed') } });
    const arrived = new Promise((ready) => {
      server.on('request', (req) => req.url === '/slow' && ready());
    });
    get('/fast').then(() => {
      const slow = get('/slow').then((res) => order.push(`slow ${res.headers.connection}`));
      arrived.then(async () => {
        stop('SIGTERM');
        await get('/fast').then((res) => order.push(`fast ${res.headers.connection}`));
        finish();
        await slow;
      });
    });
  });

  assert.equal(await exited, 0);
  assert.deepEqual(order, ['stopping', 'fast close', 'slow close', 'pool closed', 'stopped']);
  agent.destroy();
});
