// SPDX-License-Identifier: Apache-2.0
// Checks what clients send. Each function returns the clean value or throws a 400 that names the field.
'use strict';

const { invalid } = require('./errors');

const MAX_LINES = 50;
const MAX_QUANTITY = 99;
const MAX_ID = 2 ** 31 - 1;

function object(value, name) {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) {
    throw invalid(`${name} must be a JSON object`);
  }
  return value;
}

function text(value, name, max) {
  if (typeof value !== 'string' || value.trim() === '') {
    throw invalid(`${name} must be a text that is not empty`);
  }
  const clean = value.trim();
  if (clean.length > max) {
    throw invalid(`${name} is too long: at most ${max} characters`);
  }
  // eslint-disable-next-line no-control-regex
  if (/[\u0000-\u0008\u000b\u000c\u000e-\u001f]/.test(clean)) {
    throw invalid(`${name} contains control characters`);
  }
  return clean;
}

function whole(value, name, max) {
  if (!Number.isInteger(value) || value < 1 || value > max) {
    throw invalid(`${name} must be a whole number from 1 to ${max}`);
  }
  return value;
}

// A path parameter: digits only.
function id(value, name) {
  return whole(/^[0-9]{1,10}$/.test(value) ? Number(value) : NaN, name, MAX_ID);
}

function email(value) {
  const clean = text(value, 'email', 254).toLowerCase();
  if (!/^[^\s@]+@[^\s@]+$/.test(clean)) {
    throw invalid('email must be an address such as ann@example.org');
  }
  return clean;
}

function password(value) {
  if (typeof value !== 'string' || value.length < 8 || value.length > 200) {
    throw invalid('password must have 8 to 200 characters');
  }
  return value;
}

function orderLine(value, index) {
  const line = object(value, `items[${index}]`);
  return {
    menuItemId: whole(line.menuItemId, `items[${index}].menuItemId`, MAX_ID),
    quantity: whole(line.quantity, `items[${index}].quantity`, MAX_QUANTITY),
  };
}

// Lines of the same dish are added up.
function orderLines(value) {
  if (!Array.isArray(value) || value.length === 0 || value.length > MAX_LINES) {
    throw invalid(`items must be a list of 1 to ${MAX_LINES} lines`);
  }
  const quantities = new Map();
  for (const { menuItemId, quantity } of value.map(orderLine)) {
    quantities.set(menuItemId, whole((quantities.get(menuItemId) || 0) + quantity, `quantity of dish ${menuItemId}`, MAX_QUANTITY));
  }
  return [...quantities].map(([menuItemId, quantity]) => ({ menuItemId, quantity }));
}

function order(value) {
  const body = object(value, 'the body');
  return {
    restaurantId: whole(body.restaurantId, 'restaurantId', MAX_ID),
    customerName: text(body.customerName, 'customerName', 100),
    address: text(body.address, 'address', 300),
    items: orderLines(body.items),
  };
}

// Clients that may repeat a request name it, so that it makes one order only.
function idempotencyKey(value) {
  if (value === undefined) {
    return null;
  }
  if (!/^[A-Za-z0-9_-]{8,64}$/.test(value)) {
    throw invalid('Idempotency-Key must have 8 to 64 letters, digits, - or _');
  }
  return value;
}

module.exports = { email, id, idempotencyKey, object, order, password, text };
