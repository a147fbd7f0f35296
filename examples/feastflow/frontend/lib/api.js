// SPDX-License-Identifier: Apache-2.0
// How the browser reaches the API: same origin. Behind an ingress /api goes straight to the backend, without one
// the frontend passes it on.

const TOKEN = 'feastflow.token';

export const readToken = () => window.localStorage.getItem(TOKEN);
export const keepToken = (token) => window.localStorage.setItem(TOKEN, token);
export const dropToken = () => window.localStorage.removeItem(TOKEN);

// crypto.randomUUID exists on https pages only.
export function newKey() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('');
}

export async function callApi(method, path, body, headers) {
  const token = readToken();
  const response = await fetch(`/api${path}`, {
    method,
    headers: { 'Content-Type': 'application/json', ...(token && { Authorization: `Bearer ${token}` }), ...headers },
    body: body && JSON.stringify(body),
  });
  const answer = await response.json().catch(() => null);
  if (response.status === 401 && token) {
    dropToken(); // expired: the next try is that of a guest
  }
  if (!response.ok) {
    throw new Error(answer?.error?.message || `the server answered ${response.status}`);
  }
  return answer;
}
