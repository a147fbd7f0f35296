// SPDX-License-Identifier: Apache-2.0
'use strict';

const assert = require('node:assert/strict');
const test = require('node:test');
const { unavailable } = require('../src/errors');
const { start } = require('./helpers');

const ORDER = { restaurantId: 1, customerName: 'Ann', address: 'Harbour Street 1', items: [{ menuItemId: 7, quantity: 2 }] };

// Answers the statements of one order for restaurant 1, whose only dish is 7.
function orderDatabase(statements, userId = null) {
  const row = { id: 41, status: 'received', totalCents: 2300, createdAt: 'now', userId, customerName: 'Ann', address: 'x' };
  return {
    transaction: (work) =>
      work(async (text, values) => {
        statements.push({ text, values });
        if (text.includes('FROM menu_items')) {
          return values[0] === 1 && values[1].includes(7) ? [{ id: 7, name: 'Pizza', price_cents: 1150 }] : [];
        }
        return text.includes('INSERT INTO orders') ? [{ id: 41 }] : [];
      }),
    read: async (text) => (text.includes('FROM orders') ? [row] : [{ menuItemId: 7, quantity: 2 }]),
  };
}

test('health says 503 and why when the database is down, and the version always', async (t) => {
  let down = true;
  const app = await start(t, { ping: async () => { if (down) throw unavailable('no answer'); } });

  const sick = await app.call('GET', '/api/health');
  assert.equal(sick.status, 503);
  assert.deepEqual([sick.json.database, sick.json.version], ['down', 'test']);
  assert.equal((await app.call('GET', '/health')).status, 200);
  down = false;
  assert.equal((await app.call('GET', '/ready')).status, 200);
});

test('an order is priced by the database, whatever the client says', async (t) => {
  const statements = [];
  const app = await start(t, orderDatabase(statements));

  const answer = await app.call('POST', '/api/orders', { ...ORDER, totalCents: 1, items: [{ menuItemId: 7, quantity: 2, priceCents: 1 }] });
  assert.equal(answer.status, 201);
  assert.equal(answer.json.order.id, 41);
  const insert = statements.find(({ text }) => text.includes('INSERT INTO orders'));
  assert.equal(insert.values[4], 2300);
});

test('a guest order shows neither name nor address', async (t) => {
  const app = await start(t, orderDatabase([]));

  const { json } = await app.call('GET', '/api/orders/41');
  assert.equal(json.order.totalCents, 2300);
  assert.ok(!('customerName' in json.order) && !('address' in json.order) && !('userId' in json.order));
});

test('an order of an account is shown to its owner in full, and to nobody else', async (t) => {
  const app = await start(t, orderDatabase([], 3));
  const as = (id) => ({ authorization: `Bearer ${app.tokens.issue({ id, email: 'ann@example.org' })}` });

  assert.equal((await app.call('POST', '/api/orders', ORDER, as(3))).status, 201);
  assert.equal((await app.call('GET', '/api/orders/41', undefined, as(3))).json.order.address, 'x');
  assert.equal((await app.call('GET', '/api/orders/41', undefined, as(4))).status, 404);
  assert.equal((await app.call('GET', '/api/orders/41')).status, 404);
});

test('bad orders are refused with 400 and the name of the field', async (t) => {
  const app = await start(t, orderDatabase([]));
  const cases = [
    [{ ...ORDER, items: [] }, /items/],
    [{ ...ORDER, items: [{ menuItemId: 7, quantity: 0 }] }, /items\[0\]\.quantity/],
    [{ ...ORDER, items: [{ menuItemId: 7, quantity: 1.5 }] }, /items\[0\]\.quantity/],
    [{ ...ORDER, items: [{ menuItemId: 8, quantity: 1 }] }, /no dish 8/],
    [{ ...ORDER, items: [{ menuItemId: 7, quantity: 60 }, { menuItemId: 7, quantity: 60 }] }, /quantity of dish 7/],
    [{ ...ORDER, customerName: ' ' }, /customerName/],
    [{ ...ORDER, address: 'x'.repeat(301) }, /address/],
    [{ ...ORDER, restaurantId: '1' }, /restaurantId/],
    [[], /body/],
    ['null', /body/],
    ['{', /not valid JSON/],
  ];
  for (const [body, reason] of cases) {
    const answer = await app.call('POST', '/api/orders', body);
    assert.equal(answer.status, 400, JSON.stringify(body));
    assert.match(answer.json.error.message, reason);
  }
  assert.equal((await app.call('POST', '/api/orders', { ...ORDER, address: 'x'.repeat(40_000) })).status, 413);
});

test('a database that does not answer is a 503 that may be tried again', async (t) => {
  const app = await start(t, { read: async () => { throw unavailable('the database does not answer'); } });

  const answer = await app.call('GET', '/api/restaurants');
  assert.equal(answer.status, 503);
  assert.equal(answer.headers.get('retry-after'), '1');
});

test('an unexpected error says nothing about its cause to the client, and all of it to the log', async (t) => {
  const app = await start(t, { read: async () => { throw new Error('column "secret" is missing'); } });

  const answer = await app.call('GET', '/api/restaurants');
  assert.equal(answer.status, 500);
  assert.ok(!answer.text.includes('secret'));
  assert.ok(app.lines.some((line) => line.includes('column \\"secret\\"')));
});

test('a token is needed for own orders, and a forged one is refused everywhere', async (t) => {
  const app = await start(t, { read: async () => [] });
  const good = app.tokens.issue({ id: 3, email: 'ann@example.org' });

  assert.equal((await app.call('GET', '/api/orders')).status, 401);
  assert.equal((await app.call('GET', '/api/orders', undefined, { authorization: `Bearer ${good}` })).status, 200);
  const forged = `${good.slice(0, good.lastIndexOf('.'))}.AAAA`;
  assert.equal((await app.call('GET', '/api/restaurants', undefined, { authorization: `Bearer ${forged}` })).status, 401);
});

test('metrics count requests by route, not by path', async (t) => {
  const app = await start(t, { read: async () => [{ id: 1 }] });
  await app.call('GET', '/api/restaurants/1/menu');
  await app.call('GET', '/api/restaurants/2/menu');

  const { text } = await app.call('GET', '/metrics');
  assert.match(text, /http_request_duration_seconds_count\{method="GET",route="\/api\/restaurants\/:id\/menu",status="200"\} 2/);
});

test('each log line is one JSON object', async (t) => {
  const app = await start(t, { read: async () => [] });
  await app.call('GET', '/api/restaurants', undefined, { 'x-request-id': 'abc-1' });

  const entries = app.lines.map((line) => JSON.parse(line));
  assert.ok(app.lines.every((line) => line.indexOf('\n') === line.length - 1));
  assert.ok(entries.some((entry) => entry.requestId === 'abc-1' && entry.status === 200 && entry.path === '/api/restaurants'));
});
