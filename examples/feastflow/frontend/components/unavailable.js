// SPDX-License-Identifier: Apache-2.0

export function Unavailable() {
  return <p className="notice" role="alert">The kitchens cannot be reached at the moment. Please try again in a few seconds.</p>;
}
