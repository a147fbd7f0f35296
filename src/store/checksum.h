/* SPDX-License-Identifier: Apache-2.0 */
/* store/checksum.h: XXH64 (Yann Collet's public specification): about 10 GB/s in portable C, so
 * that every row can be verified at open. It finds damage, not forgery. */
#pragma once
#include "base/str.h"

/* Longer texts are summed in parts: the sum of one part is the seed of the next. */
uint64_t checksum(struct str bytes, uint64_t seed);
