// SPDX-License-Identifier: Apache-2.0
// Passes the browser's /api calls on to the backend, for a frontend that is reached without the ingress.

import { backendUrl } from '../../../lib/backend';

const PASSED_ON = ['authorization', 'content-type', 'idempotency-key', 'x-request-id'];
const HANDED_BACK = ['content-type', 'location', 'retry-after', 'x-request-id'];

function pick(headers, names) {
  return Object.fromEntries(names.filter((name) => headers.has(name)).map((name) => [name, headers.get(name)]));
}

async function passOn(request, { params }) {
  const path = (await params).path.map(encodeURIComponent).join('/');
  const body = request.method === 'GET' ? undefined : await request.text();
  try {
    const response = await fetch(backendUrl(`/${path}${new URL(request.url).search}`), {
      method: request.method,
      headers: pick(request.headers, PASSED_ON),
      body,
      cache: 'no-store',
      signal: AbortSignal.timeout(10_000),
    });
    return new Response(await response.text(), { status: response.status, headers: pick(response.headers, HANDED_BACK) });
  } catch (error) {
    const message = 'the backend cannot be reached, try again';
    return Response.json({ error: { code: 'unavailable', message } }, { status: 502, headers: { 'retry-after': '1' } });
  }
}

export const dynamic = 'force-dynamic';
export { passOn as GET, passOn as POST };
