/* SPDX-License-Identifier: Apache-2.0 */
#include "store/checksum.h"

#include <endian.h>

static const uint64_t P1 = 0x9e3779b185ebca87, P2 = 0xc2b2ae3d27d4eb4f, P3 = 0x165667b19e3779f9,
		      P4 = 0x85ebca77c2b2ae63, P5 = 0x27d4eb2f165667c5;

static uint64_t rotl(uint64_t v, int bits)
{
	return v << bits | v >> (64 - bits);
}

static uint64_t read64(const char *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return le64toh(v);
}

static uint64_t read32(const char *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return le32toh(v);
}

static uint64_t lane_round(uint64_t lane, uint64_t input)
{
	return rotl(lane + input * P2, 31) * P1;
}

static uint64_t merge(uint64_t sum, uint64_t lane)
{
	return (sum ^ lane_round(0, lane)) * P1 + P4;
}

/* The whole stripes of 32 bytes, in four independent lanes. */
static uint64_t sum_stripes(const char **p, const char *end, uint64_t seed)
{
	uint64_t a = seed + P1 + P2, b = seed + P2, c = seed, d = seed - P1;
	uint64_t sum;

	for (; end - *p >= 32; *p += 32) {
		a = lane_round(a, read64(*p));
		b = lane_round(b, read64(*p + 8));
		c = lane_round(c, read64(*p + 16));
		d = lane_round(d, read64(*p + 24));
	}
	sum = rotl(a, 1) + rotl(b, 7) + rotl(c, 12) + rotl(d, 18);
	return merge(merge(merge(merge(sum, a), b), c), d);
}

uint64_t checksum(struct str bytes, uint64_t seed)
{
	const char *p = bytes.p;
	const char *end = bytes.n ? p + bytes.n : p;
	uint64_t sum = (bytes.n >= 32 ? sum_stripes(&p, end, seed) : seed + P5) + bytes.n;

	for (; end - p >= 8; p += 8) {
		sum = rotl(sum ^ lane_round(0, read64(p)), 27) * P1 + P4;
	}
	if (end - p >= 4) {
		sum = rotl(sum ^ (read32(p) * P1), 23) * P2 + P3;
		p += 4;
	}
	for (; p < end; p++) {
		sum = rotl(sum ^ ((unsigned char)*p * P5), 11) * P1;
	}
	sum = (sum ^ sum >> 33) * P2;
	sum = (sum ^ sum >> 29) * P3;
	return sum ^ sum >> 32;
}
