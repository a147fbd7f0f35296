// SPDX-License-Identifier: Apache-2.0
// GET / counts a visit in Redis and answers {"visits": N, "host": NAME}; GET /healthz says whether Redis answers.
// Redis is asked over one connection per request, so that a Redis that comes back is found again at once.
'use strict';

const http = require('node:http');
const net = require('node:net');
const os = require('node:os');

// One command whose reply is a single line: +OK, :12 or -ERR text.
function redis(command) {
  const { REDIS_HOST: host, REDIS_PORT: port } = process.env;
  return new Promise((resolve, reject) => {
    let reply = '';
    const socket = net.connect({ host, port, timeout: 2000 }, () => socket.write(`${command}\r\n`));
    socket.setEncoding('utf8');
    socket.on('data', (text) => {
      reply += text;
      if (reply.endsWith('\r\n')) {
        socket.end();
        const line = reply.slice(1, -2);
        if (reply[0] === '-') {
          reject(new Error(line));
        } else {
          resolve(line);
        }
      }
    });
    socket.on('timeout', () => socket.destroy(new Error('redis does not answer')));
    socket.on('error', reject);
    socket.on('close', () => reject(new Error('redis closed the connection')));
  });
}

async function answer(req, res) {
  const host = os.hostname();
  try {
    const body = req.url === '/healthz' ? { redis: await redis('PING') } : { visits: Number(await redis('INCR visits')), host };
    res.writeHead(200, { 'Content-Type': 'application/json' }).end(`${JSON.stringify(body)}\n`);
  } catch (error) {
    res.writeHead(503, { 'Content-Type': 'application/json' }).end(`${JSON.stringify({ error: error.message, host })}\n`);
  }
}

const server = http.createServer(answer);
server.listen(process.env.PORT, () => console.log(`listening on ${process.env.PORT}`));
for (const signal of ['SIGTERM', 'SIGINT']) {
  process.once(signal, () => {
    server.close(() => process.exit(0));
    server.closeIdleConnections();
  });
}
