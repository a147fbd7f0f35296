// SPDX-License-Identifier: Apache-2.0
'use strict';

const { Router } = require('express');
const { conflict, unauthorized } = require('../errors');
const { hashPassword, verifyPassword } = require('../passwords');
const validate = require('../validate');

const UNIQUE_VIOLATION = '23505';

function accountRoutes({ database, tokens }) {
  const router = Router();
  // Compared with when the address is unknown, so that the answer takes as long as for a known one.
  const nobody = hashPassword('no such account');

  router.post('/auth/register', async (req, res) => {
    const body = validate.object(req.body, 'the body');
    const email = validate.email(body.email);
    const name = validate.text(body.name, 'name', 100);
    const hash = await hashPassword(validate.password(body.password));
    const insert = 'INSERT INTO users (email, name, password_hash) VALUES ($1, $2, $3) RETURNING id, email, name';
    const user = await database.transaction(async (query) => (await query(insert, [email, name, hash]))[0]).catch((error) => {
      throw error.code === UNIQUE_VIOLATION ? conflict('there is an account with this email already') : error;
    });
    res.status(201).json({ user, token: tokens.issue(user) });
  });

  router.post('/auth/login', async (req, res) => {
    const body = validate.object(req.body, 'the body');
    const email = validate.email(body.email);
    const [found] = await database.read('SELECT id, email, name, password_hash FROM users WHERE email = $1', [email]);
    const matches = await verifyPassword(validate.password(body.password), found ? found.password_hash : await nobody);
    if (!found || !matches) {
      throw unauthorized('email or password is wrong');
    }
    const user = { id: found.id, email: found.email, name: found.name };
    res.json({ user, token: tokens.issue(user) });
  });

  router.get('/auth/me', tokens.requireUser, (req, res) => res.json({ user: req.user }));
  return router;
}

module.exports = { accountRoutes };
