/* SPDX-License-Identifier: Apache-2.0 */
/* codec/json_scan.h: finding the next byte of a string that needs a closer look, 16 bytes at a time
 * where the machine can. For the reader and the writer only. Never reads beyond `end`. */
#pragma once
#include <stddef.h>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

/* The first of: quote, backslash, control character, byte above 0x7f; `end` if there is none. */
static inline const char *json_scan_plain(const char *p, const char *end)
{
#if defined(__SSE2__)
	const __m128i quote = _mm_set1_epi8('"');
	const __m128i backslash = _mm_set1_epi8('\\');
	const __m128i space = _mm_set1_epi8(' ');

	while (end - p >= 16) {
		__m128i x = _mm_loadu_si128((const __m128i *)p);
		/* Signed: below the space stand the controls and everything above 0x7f. */
		__m128i hit = _mm_or_si128(
			_mm_cmplt_epi8(x, space),
			_mm_or_si128(_mm_cmpeq_epi8(x, quote), _mm_cmpeq_epi8(x, backslash)));
		int mask = _mm_movemask_epi8(hit);

		if (mask) {
			return p + __builtin_ctz((unsigned)mask);
		}
		p += 16;
	}
#endif
	while (p < end && (signed char)*p >= ' ' && *p != '"' && *p != '\\') {
		p++;
	}
	return p;
}

/* Like json_scan_plain, and stops at < > & as well: what the writer may copy as it is. */
static inline const char *json_scan_copyable(const char *p, const char *end)
{
#if defined(__SSE2__)
	const __m128i quote = _mm_set1_epi8('"');
	const __m128i backslash = _mm_set1_epi8('\\');
	const __m128i space = _mm_set1_epi8(' ');
	const __m128i amp = _mm_set1_epi8('&');
	const __m128i two = _mm_set1_epi8(2);
	const __m128i angle = _mm_set1_epi8('>');

	while (end - p >= 16) {
		__m128i x = _mm_loadu_si128((const __m128i *)p);
		/* '<' | 2 is '>', and so is '>' | 2; nothing else above 0x1f is. */
		__m128i hit =
			_mm_or_si128(_mm_or_si128(_mm_cmplt_epi8(x, space),
						  _mm_cmpeq_epi8(_mm_or_si128(x, two), angle)),
				     _mm_or_si128(_mm_cmpeq_epi8(x, amp),
						  _mm_or_si128(_mm_cmpeq_epi8(x, quote),
							       _mm_cmpeq_epi8(x, backslash))));
		int mask = _mm_movemask_epi8(hit);

		if (mask) {
			return p + __builtin_ctz((unsigned)mask);
		}
		p += 16;
	}
#endif
	while (p < end && (signed char)*p >= ' ' && *p != '"' && *p != '\\' && *p != '<' &&
	       *p != '>' && *p != '&') {
		p++;
	}
	return p;
}

/* The first byte that may keep JSON text from being compact already: white space, control
 * character, byte above 0x7f, < > &. */
static inline const char *json_scan_compact(const char *p, const char *end)
{
#if defined(__SSE2__)
	const __m128i graphic = _mm_set1_epi8('!');
	const __m128i amp = _mm_set1_epi8('&');
	const __m128i two = _mm_set1_epi8(2);
	const __m128i angle = _mm_set1_epi8('>');

	while (end - p >= 16) {
		__m128i x = _mm_loadu_si128((const __m128i *)p);
		__m128i hit =
			_mm_or_si128(_mm_or_si128(_mm_cmplt_epi8(x, graphic),
						  _mm_cmpeq_epi8(_mm_or_si128(x, two), angle)),
				     _mm_cmpeq_epi8(x, amp));
		int mask = _mm_movemask_epi8(hit);

		if (mask) {
			return p + __builtin_ctz((unsigned)mask);
		}
		p += 16;
	}
#endif
	while (p < end && (signed char)*p > ' ' && *p != '<' && *p != '>' && *p != '&') {
		p++;
	}
	return p;
}
