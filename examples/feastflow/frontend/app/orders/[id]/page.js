// SPDX-License-Identifier: Apache-2.0
'use client';

import { useParams } from 'next/navigation';
import { useEffect, useState } from 'react';
import { callApi } from '../../../lib/api';
import { money } from '../../../lib/money';

// Asked for by the browser, because an order of an account is shown to its owner only.
export default function Order() {
  const { id } = useParams();
  const [order, setOrder] = useState(null);
  const [error, setError] = useState('');

  useEffect(() => {
    callApi('GET', `/orders/${encodeURIComponent(id)}`).then((answer) => setOrder(answer.order), (failure) => setError(failure.message));
  }, [id]);

  if (error) {
    return <p className="notice" role="alert">This order cannot be shown: {error}.</p>;
  }
  if (!order) {
    return <p className="quiet">Looking up order #{id}…</p>;
  }
  return (
    <section className="receipt">
      <h1>Order #{order.id}</h1>
      <p>{order.restaurantName} · <strong>{order.status}</strong></p>
      <ul>
        {order.items.map((item) => (
          <li key={item.menuItemId}>
            <span>{item.quantity} × {item.name}</span>
            <span>{money(item.quantity * item.priceCents)}</span>
          </li>
        ))}
      </ul>
      <p className="total"><span>Total</span><span>{money(order.totalCents)}</span></p>
    </section>
  );
}
