// SPDX-License-Identifier: Apache-2.0
// One line of JSON for each thing that happened.
'use strict';

const LEVELS = ['debug', 'info', 'warn', 'error'];

function createLog(level, fields, write = (line) => process.stdout.write(line)) {
  const threshold = LEVELS.indexOf(level);
  if (threshold < 0) {
    throw new Error(`LOG_LEVEL must be one of ${LEVELS.join(', ')}, not "${level}"`);
  }
  const log = {};
  LEVELS.forEach((name, rank) => {
    log[name] = (message, more) => {
      if (rank >= threshold) {
        write(`${JSON.stringify({ timestamp: new Date().toISOString(), level: name, ...fields, message, ...more })}\n`);
      }
    };
  });
  return log;
}

module.exports = { createLog };
