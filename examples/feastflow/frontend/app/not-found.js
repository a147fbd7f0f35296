// SPDX-License-Identifier: Apache-2.0

import Link from 'next/link';

export default function NotFound() {
  return (
    <section className="title">
      <h1>Nothing on this plate</h1>
      <p>This page does not exist. <Link href="/" prefetch={false}>Back to the restaurants</Link></p>
    </section>
  );
}
