// SPDX-License-Identifier: Apache-2.0
// Starts the standalone server that `next build` made, with two differences. It listens on all addresses: the server
// would take the variable HOSTNAME, which in a container is the pod's name and leaves out loopback (kubectl port-forward).
// And it stops as a pod should: at SIGTERM every response asks its connection to close, then idle connections are
// closed, running requests end, and the process exits 0.
'use strict';

const http = require('node:http');

const DRAIN_MS = Number(process.env.SHUTDOWN_DRAIN_MS || 1500);
const LIMIT_MS = 20_000;

process.env.HOSTNAME = process.env.LISTEN_ADDRESS || '0.0.0.0';
process.env.KEEP_ALIVE_TIMEOUT ||= '75000'; // longer than nginx keeps an idle connection
process.env.NEXT_MANUAL_SIG_HANDLE = 'true'; // Next's way of saying: signals are ours

function log(level, message, more) {
  process.stdout.write(`${JSON.stringify({ timestamp: new Date().toISOString(), level, service: 'frontend', message, ...more })}\n`);
}

function stopOnSignals(server) {
  const running = new Set();
  let stopping = false;

  server.prependListener('request', (_req, res) => {
    running.add(res);
    res.once('close', () => running.delete(res));
    if (stopping) {
      res.setHeader('Connection', 'close');
    }
  });

  function close() {
    server.close(() => {
      log('info', 'stopped');
      process.exit(0);
    });
    server.closeIdleConnections();
    setInterval(() => server.closeIdleConnections(), 50);
  }

  function stop(signal) {
    if (stopping) {
      return;
    }
    stopping = true;
    log('info', 'stopping', { signal });
    for (const res of running) {
      if (!res.headersSent) {
        res.setHeader('Connection', 'close');
      }
    }
    setTimeout(close, DRAIN_MS);
    setTimeout(() => {
      log('error', 'requests did not end in time');
      process.exit(1);
    }, DRAIN_MS + LIMIT_MS).unref();
  }

  process.once('SIGTERM', stop);
  process.once('SIGINT', stop);
}

// server.js makes exactly one server and keeps it to itself.
const { createServer } = http;
http.createServer = (...args) => {
  http.createServer = createServer;
  const server = createServer(...args);
  stopOnSignals(server);
  server.once('listening', () => log('info', 'listening', { port: server.address().port }));
  return server;
};

require('./server.js');
