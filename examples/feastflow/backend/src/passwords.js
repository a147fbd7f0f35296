// SPDX-License-Identifier: Apache-2.0
// Passwords are kept as scrypt$N$r$p$salt$hash, so that the cost can rise later without locking anyone out.
'use strict';

const { randomBytes, scrypt, timingSafeEqual } = require('node:crypto');
const { promisify } = require('node:util');

const derive = promisify(scrypt);
const COST = { N: 16384, r: 8, p: 1 };
const HASH_BYTES = 32;

async function hashPassword(password) {
  const salt = randomBytes(16);
  const hash = await derive(password, salt, HASH_BYTES, COST);
  return ['scrypt', COST.N, COST.r, COST.p, salt.toString('base64'), hash.toString('base64')].join('$');
}

async function verifyPassword(password, stored) {
  const [scheme, N, r, p, salt, hash] = stored.split('$');
  if (scheme !== 'scrypt') {
    throw new Error(`unknown password scheme "${scheme}"`);
  }
  const expected = Buffer.from(hash, 'base64');
  const actual = await derive(password, Buffer.from(salt, 'base64'), expected.length, { N: +N, r: +r, p: +p });
  return timingSafeEqual(actual, expected);
}

module.exports = { hashPassword, verifyPassword };
