// SPDX-License-Identifier: Apache-2.0

import { notFound } from 'next/navigation';
import { OrderForm } from '../../../components/order-form';
import { Unavailable } from '../../../components/unavailable';
import { askBackend } from '../../../lib/backend';

export const dynamic = 'force-dynamic';

export default async function Restaurant({ params }) {
  const { id } = await params;
  const answer = await askBackend(`/restaurants/${encodeURIComponent(id)}/menu`).catch((error) => ({ error }));
  if (answer === null) {
    notFound();
  }
  if (answer.error) {
    return <Unavailable />;
  }
  const { restaurant, menu } = answer;
  return (
    <>
      <section className="title">
        <h1>{restaurant.name}</h1>
        <p>{restaurant.description}</p>
        <p className="facts">
          <span>{restaurant.cuisine}</span>
          <span>★ {restaurant.rating.toFixed(1)}</span>
          <span>{restaurant.deliveryMinutes} min</span>
        </p>
      </section>
      <OrderForm restaurantId={restaurant.id} menu={menu} />
    </>
  );
}
