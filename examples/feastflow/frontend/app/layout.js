// SPDX-License-Identifier: Apache-2.0

import Link from 'next/link';
import './style.css';

export const metadata = {
  title: 'FeastFlow',
  description: 'Good food from the kitchens around you',
};

export const viewport = { themeColor: '#b5402a' };

export default function Layout({ children }) {
  return (
    <html lang="en">
      <body>
        <header className="bar">
          <Link href="/" className="brand" prefetch={false}>
            Feast<span>Flow</span>
          </Link>
          <nav>
            <Link href="/" prefetch={false}>Restaurants</Link>
            <Link href="/account" prefetch={false}>Account</Link>
          </nav>
        </header>
        <main>{children}</main>
        <footer>FeastFlow, the first application of Coxswain</footer>
      </body>
    </html>
  );
}
