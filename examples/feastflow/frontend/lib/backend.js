// SPDX-License-Identifier: Apache-2.0
// How the server side reaches the backend: the address is the pod's, read when a request comes, never at build time.

const PATIENCE_MS = 5000;
// With something older to show, we wait less than kubelet's probe of the page does (1 s).
const SHORT_PATIENCE_MS = 700;

export function backendUrl(path) {
  const { env } = process;
  const base = env.API_URL || env.NEXT_PUBLIC_API_URL || 'http://localhost:5000/api';
  return base.replace(/\/+$/, '') + path;
}

// Returns the parsed answer, or null for a 404. Anything else is an error with a sentence for people.
export async function askBackend(path, patienceMs = PATIENCE_MS) {
  const response = await fetch(backendUrl(path), { cache: 'no-store', signal: AbortSignal.timeout(patienceMs) });
  if (response.status === 404 || response.status === 400) {
    return null;
  }
  if (!response.ok) {
    throw new Error(`the backend answered ${response.status} to ${path}`);
  }
  return response.json();
}

let newestList = null;

// The restaurants, from the last good answer when there is no new one: a moment without the backend does not empty the
// page. isOld says so; restaurants is null if there never was an answer.
export async function listRestaurants() {
  try {
    newestList = (await askBackend('/restaurants', newestList ? SHORT_PATIENCE_MS : PATIENCE_MS)).restaurants;
    return { restaurants: newestList, isOld: false };
  } catch {
    return { restaurants: newestList, isOld: true };
  }
}
