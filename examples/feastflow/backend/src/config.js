// SPDX-License-Identifier: Apache-2.0
// Every setting comes from the environment. What is missing or malformed stops the start, by name.
'use strict';

function number(env, name, fallback, min, max) {
  const text = env[name] || String(fallback);
  const value = Number(text);
  if (!Number.isInteger(value) || value < min || value > max) {
    throw new Error(`${name} must be a whole number from ${min} to ${max}, not "${text}"`);
  }
  return value;
}

function required(env, name, reason) {
  if (!env[name]) {
    throw new Error(`${name} is not set: ${reason}`);
  }
  return env[name];
}

function readDatabaseConfig(env) {
  return {
    host: env.DB_HOST || 'localhost',
    port: number(env, 'DB_PORT', 5432, 1, 65535),
    database: env.DB_NAME || 'feastflow',
    user: env.DB_USER || 'postgres',
    password: required(env, 'DB_PASSWORD', 'the password of the database user'),
    max: number(env, 'DB_POOL_SIZE', 5, 1, 100),
  };
}

function readConfig(env) {
  const secret = required(env, 'JWT_SECRET', 'the key that signs login tokens');
  if (secret.length < 16) {
    throw new Error('JWT_SECRET is too short: at least 16 characters');
  }
  return {
    version: env.APP_VERSION || 'dev',
    port: number(env, 'PORT', 5000, 1, 65535),
    frontendUrl: env.FRONTEND_URL || null,
    logLevel: env.LOG_LEVEL || 'info',
    database: readDatabaseConfig(env),
    jwt: { secret, expiresIn: env.JWT_EXPIRES_IN || '24h' },
    shutdown: {
      drainMs: number(env, 'SHUTDOWN_DRAIN_MS', 1500, 0, 60_000),
      limitMs: number(env, 'SHUTDOWN_LIMIT_MS', 20_000, 100, 600_000),
    },
  };
}

module.exports = { readConfig, readDatabaseConfig };
