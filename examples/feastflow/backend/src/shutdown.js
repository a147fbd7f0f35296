// SPDX-License-Identifier: Apache-2.0
// What happens at SIGTERM: first every response asks its connection to close, for a moment in which the last
// requests of proxies that have not heard of us leaving still arrive; then no connection is accepted, idle ones are closed,
// running requests end, the pool is closed, and the process exits 0.
'use strict';

function stopOnSignals({ server, database, log, drainMs, limitMs, exit = process.exit }) {
  const running = new Set();
  let stopping = false;

  server.prependListener('request', (_req, res) => {
    running.add(res);
    res.once('close', () => running.delete(res));
    if (stopping) {
      res.setHeader('Connection', 'close');
    }
  });

  async function close() {
    const idle = setInterval(() => server.closeIdleConnections(), 50);
    await new Promise((resolve) => {
      server.close(resolve);
      server.closeIdleConnections();
    });
    clearInterval(idle);
    await database.close();
    log.info('stopped');
    exit(0);
  }

  function stop(signal) {
    if (stopping) {
      return;
    }
    stopping = true;
    for (const res of running) {
      if (!res.headersSent) {
        res.setHeader('Connection', 'close');
      }
    }
    log.info('stopping', { signal });
    setTimeout(close, drainMs);
    setTimeout(() => {
      log.error('requests did not end in time');
      exit(1);
    }, drainMs + limitMs).unref();
  }

  process.once('SIGTERM', stop);
  process.once('SIGINT', stop);
  return stop;
}

module.exports = { stopOnSignals };
