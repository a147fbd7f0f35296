// SPDX-License-Identifier: Apache-2.0
'use client';

import Link from 'next/link';
import { useEffect, useState } from 'react';
import { callApi, dropToken, keepToken, readToken } from '../../lib/api';
import { money } from '../../lib/money';

function Login({ onDone }) {
  const [isNew, setIsNew] = useState(false);
  const [error, setError] = useState('');

  async function submit(event) {
    event.preventDefault();
    const form = Object.fromEntries(new FormData(event.currentTarget));
    try {
      keepToken((await callApi('POST', isNew ? '/auth/register' : '/auth/login', form)).token);
      onDone();
    } catch (failure) {
      setError(`${failure.message}.`);
    }
  }

  return (
    <form className="basket narrow" onSubmit={submit}>
      <h1>{isNew ? 'Create an account' : 'Log in'}</h1>
      {isNew ? <label>Name<input name="name" required maxLength={100} autoComplete="name" /></label> : null}
      <label>Email<input name="email" type="email" required autoComplete="email" /></label>
      <label>Password<input name="password" type="password" required minLength={8} maxLength={200} autoComplete={isNew ? 'new-password' : 'current-password'} /></label>
      {error ? <p className="notice" role="alert">{error}</p> : null}
      <button type="submit" className="button">{isNew ? 'Create account' : 'Log in'}</button>
      <button type="button" className="link" onClick={() => setIsNew(!isNew)}>{isNew ? 'I have an account' : 'I am new here'}</button>
    </form>
  );
}

function Orders({ orders, onLeave }) {
  return (
    <section className="receipt">
      <h1>Your orders</h1>
      {orders.length === 0 ? <p className="quiet">None yet.</p> : null}
      <ul>
        {orders.map((order) => (
          <li key={order.id}>
            <Link href={`/orders/${order.id}`} prefetch={false}>#{order.id} {order.restaurantName}</Link>
            <span>{money(order.totalCents)}</span>
          </li>
        ))}
      </ul>
      <button type="button" className="link" onClick={onLeave}>Log out</button>
    </section>
  );
}

export default function Account() {
  const [state, setState] = useState({});

  function load() {
    if (!readToken()) {
      setState({ isGuest: true });
      return;
    }
    callApi('GET', '/orders').then(
      ({ orders }) => setState({ orders }),
      (failure) => setState(readToken() ? { error: failure.message } : { isGuest: true }),
    );
  }

  useEffect(load, []);

  if (state.error) {
    return <p className="notice" role="alert">Your account cannot be shown: {state.error}.</p>;
  }
  if (state.orders) {
    return <Orders orders={state.orders} onLeave={() => { dropToken(); load(); }} />;
  }
  return state.isGuest ? <Login onDone={load} /> : <p className="quiet">One moment…</p>;
}
