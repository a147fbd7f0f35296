// SPDX-License-Identifier: Apache-2.0
'use client';

import Link from 'next/link';
import { useRef, useState } from 'react';
import { callApi, newKey } from '../lib/api';
import { money } from '../lib/money';

const MAX_QUANTITY = 99;

function Dish({ dish, quantity, onChange }) {
  return (
    <li className="dish">
      <div>
        <h3>{dish.name}</h3>
        <p>{dish.description}</p>
      </div>
      <span className="price">{money(dish.priceCents)}</span>
      <div className="stepper">
        <button type="button" aria-label={`one ${dish.name} less`} disabled={quantity === 0} onClick={() => onChange(quantity - 1)}>−</button>
        <output aria-label={`number of ${dish.name}`}>{quantity}</output>
        <button type="button" aria-label={`one ${dish.name} more`} disabled={quantity === MAX_QUANTITY} onClick={() => onChange(quantity + 1)}>+</button>
      </div>
    </li>
  );
}

function Placed({ order }) {
  return (
    <section className="placed" role="status">
      <h2>Thank you!</h2>
      <p>Your order <strong id="order-number">#{order.id}</strong> was received: {money(order.totalCents)}.</p>
      <Link href={`/orders/${order.id}`} className="button" prefetch={false}>Follow your order</Link>
    </section>
  );
}

export function OrderForm({ restaurantId, menu }) {
  const [quantities, setQuantities] = useState({});
  const [placed, setPlaced] = useState(null);
  const [error, setError] = useState('');
  const [busy, setBusy] = useState(false);
  const key = useRef(null); // the same for every try of one order, so that a repeated try makes no second one

  const chosen = menu.filter((dish) => quantities[dish.id] > 0);
  const total = chosen.reduce((sum, dish) => sum + dish.priceCents * quantities[dish.id], 0);

  function change(dish, quantity) {
    key.current = null;
    setQuantities({ ...quantities, [dish.id]: quantity });
  }

  async function submit(event) {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const order = {
      restaurantId,
      customerName: form.get('name'),
      address: form.get('address'),
      items: chosen.map((dish) => ({ menuItemId: dish.id, quantity: quantities[dish.id] })),
    };
    key.current ??= newKey();
    setBusy(true);
    setError('');
    try {
      setPlaced((await callApi('POST', '/orders', order, { 'Idempotency-Key': key.current })).order);
    } catch (failure) {
      setError(`The order was not placed: ${failure.message}.`);
    } finally {
      setBusy(false);
    }
  }

  if (placed) {
    return <Placed order={placed} />;
  }
  return (
    <div className="menu">
      <ul className="dishes">
        {menu.map((dish) => (
          <Dish key={dish.id} dish={dish} quantity={quantities[dish.id] || 0} onChange={(quantity) => change(dish, quantity)} />
        ))}
      </ul>
      <form className="basket" onSubmit={submit}>
        <h2>Your order</h2>
        {chosen.length === 0 ? <p className="quiet">Nothing picked yet.</p> : null}
        <ul>
          {chosen.map((dish) => (
            <li key={dish.id}>
              <span>{quantities[dish.id]} × {dish.name}</span>
              <span>{money(quantities[dish.id] * dish.priceCents)}</span>
            </li>
          ))}
        </ul>
        <p className="total"><span>Total</span><span>{money(total)}</span></p>
        <label>Name<input name="name" required maxLength={100} autoComplete="name" onChange={() => { key.current = null; }} /></label>
        <label>Address<input name="address" required maxLength={300} autoComplete="street-address" onChange={() => { key.current = null; }} /></label>
        {error ? <p className="notice" role="alert">{error}</p> : null}
        <button type="submit" className="button" disabled={busy || chosen.length === 0}>{busy ? 'Placing…' : 'Place order'}</button>
      </form>
    </div>
  );
}
