// SPDX-License-Identifier: Apache-2.0

export const money = (cents) => `€${(cents / 100).toFixed(2)}`;
