// SPDX-License-Identifier: Apache-2.0
'use strict';

const { Router } = require('express');
const { notFound } = require('../errors');
const validate = require('../validate');

const RESTAURANTS = 'SELECT id, name, cuisine, description, rating::float, delivery_minutes AS "deliveryMinutes" FROM restaurants';
const MENU = 'SELECT id, name, description, price_cents AS "priceCents" FROM menu_items WHERE restaurant_id = $1 AND available ORDER BY id';

function restaurantRoutes({ database }) {
  const router = Router();

  router.get('/restaurants', async (_req, res) => {
    res.json({ restaurants: await database.read(`${RESTAURANTS} ORDER BY rating DESC, id`) });
  });

  router.get('/restaurants/:id/menu', async (req, res) => {
    const id = validate.id(req.params.id, 'restaurant id');
    const [restaurant] = await database.read(`${RESTAURANTS} WHERE id = $1`, [id]);
    if (!restaurant) {
      throw notFound(`there is no restaurant ${id}`);
    }
    res.json({ restaurant, menu: await database.read(MENU, [id]) });
  });
  return router;
}

module.exports = { restaurantRoutes };
