// SPDX-License-Identifier: Apache-2.0
// An order is written in one transaction with the prices of that moment. An order of an account is for its owner only; an
// order of a guest can be followed by its number, which shows no name and no address.
'use strict';

const { Router } = require('express');
const { invalid, notFound } = require('../errors');
const validate = require('../validate');

const ORDER = `
  SELECT o.id, o.status, o.total_cents AS "totalCents", o.created_at AS "createdAt", o.user_id AS "userId",
         o.customer_name AS "customerName", o.address, r.id AS "restaurantId", r.name AS "restaurantName"
  FROM orders o JOIN restaurants r ON r.id = o.restaurant_id`;
const LINES = `
  SELECT menu_item_id AS "menuItemId", name, quantity, price_cents AS "priceCents"
  FROM order_items WHERE order_id = $1 ORDER BY menu_item_id`;
const PRICES = `
  SELECT id, name, price_cents FROM menu_items
  WHERE restaurant_id = $1 AND id = ANY($2) AND available FOR SHARE`;
const INSERT_ORDER = `
  INSERT INTO orders (user_id, restaurant_id, customer_name, address, total_cents, idempotency_key)
  VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (idempotency_key) DO NOTHING RETURNING id`;
const INSERT_LINES = `
  INSERT INTO order_items (order_id, menu_item_id, name, quantity, price_cents)
  SELECT $1, * FROM unnest($2::int[], $3::text[], $4::int[], $5::int[])`;

async function priceLines(query, restaurantId, items) {
  const found = await query(PRICES, [restaurantId, items.map((item) => item.menuItemId)]);
  const dishes = new Map(found.map((dish) => [dish.id, dish]));
  return items.map(({ menuItemId, quantity }) => {
    const dish = dishes.get(menuItemId);
    if (!dish) {
      throw invalid(`restaurant ${restaurantId} has no dish ${menuItemId}`);
    }
    return { menuItemId, quantity, name: dish.name, priceCents: dish.price_cents };
  });
}

// Returns the id, and whether this request made the order or an earlier one with the same key did.
async function placeOrder(query, order, user, key) {
  const lines = await priceLines(query, order.restaurantId, order.items);
  const totalCents = lines.reduce((sum, line) => sum + line.quantity * line.priceCents, 0);
  const [made] = await query(INSERT_ORDER, [user ? user.id : null, order.restaurantId, order.customerName, order.address, totalCents, key]);
  if (!made) {
    const [earlier] = await query('SELECT id FROM orders WHERE idempotency_key = $1', [key]);
    return { id: earlier.id, isNew: false };
  }
  const column = (name) => lines.map((line) => line[name]);
  await query(INSERT_LINES, [made.id, column('menuItemId'), column('name'), column('quantity'), column('priceCents')]);
  return { id: made.id, isNew: true };
}

function present({ userId, customerName, address, ...order }, isOwner) {
  return isOwner ? { ...order, customerName, address } : order;
}

function orderRoutes({ database, log, metrics, tokens }) {
  const router = Router();

  async function load(id, user) {
    const [order] = await database.read(`${ORDER} WHERE o.id = $1`, [id]);
    const isOwner = Boolean(order && user && order.userId === user.id);
    if (!order || (order.userId !== null && !isOwner)) {
      throw notFound(`there is no order ${id}`);
    }
    return { ...present(order, isOwner), items: await database.read(LINES, [id]) };
  }

  router.post('/orders', async (req, res) => {
    const order = validate.order(req.body);
    const key = validate.idempotencyKey(req.get('idempotency-key'));
    const { id, isNew } = await database.transaction((query) => placeOrder(query, order, req.user, key));
    const placed = await load(id, req.user);
    if (isNew) {
      metrics.order(placed.totalCents);
      log.info('order placed', { requestId: req.id, orderId: id, totalCents: placed.totalCents });
    }
    res.status(isNew ? 201 : 200).location(`/api/orders/${id}`).json({ order: placed });
  });

  router.get('/orders', tokens.requireUser, async (req, res) => {
    const orders = await database.read(`${ORDER} WHERE o.user_id = $1 ORDER BY o.id DESC LIMIT 50`, [req.user.id]);
    res.json({ orders: orders.map((order) => present(order, true)) });
  });

  router.get('/orders/:id', async (req, res) => {
    res.json({ order: await load(validate.id(req.params.id, 'order id'), req.user) });
  });
  return router;
}

module.exports = { orderRoutes };
