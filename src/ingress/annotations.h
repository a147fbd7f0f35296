/* SPDX-License-Identifier: Apache-2.0 */
/* ingress/annotations.h: the nginx.ingress.kubernetes.io annotations as typed, bounded values. Meaning and defaults are those that ingress-nginx documents.
 * Only what stands in struct annotations is ever rendered, and every text in it is made of characters that mean nothing to
 * nginx inside double quotes: no value of an annotation can become configuration.
 *
 * An annotation we know with a value we don't understand, and one that we don't have but that guards something (auth-*,
 * denylist-source-range, snippets, ...), deny the Ingress: its paths answer 503 until it is mended, because serving
 * without the guard would be worse. Every other unknown annotation is named in an event and not acted on. */
#pragma once
#include <netinet/in.h>

#include "ingress/problem.h"
#include "object/scalar.h"

#define ANNOTATION_PREFIX "nginx.ingress.kubernetes.io/"
/* Longest value that is looked at; more is an invalid value. */
#define ANNOTATION_VALUE_MAX 4096
#define ANNOTATION_ITEMS_MAX 256 /* of a list */

/* An address block; family AF_INET or AF_INET6, host bits zero. */
struct cidr {
	int family;
	unsigned prefix;
	unsigned char addr[16];
};

struct cidrs {
	struct cidr *p;
	size_t n;
};

enum backend_protocol { BACKEND_HTTP, BACKEND_HTTPS };

struct annotations {
	bool denied; /* 503 for every path */
	bool enable_cors;
	bool cors_allow_credentials;
	struct str
		cors_allow_origin; /* "*", or origins separated by one space, lower case; "*." stands for one label or more */
	struct str cors_allow_methods;
	struct str cors_allow_headers;
	struct str cors_expose_headers; /* empty: none */
	int64_t cors_max_age_s;
	/* 0: no limit. Per client address. */
	int64_t limit_rps;
	int64_t limit_rpm;
	int64_t limit_connections;
	int64_t limit_burst_multiplier;
	int64_t limit_rate_kib; /* bandwidth of a response, KiB/s */
	int64_t limit_rate_after_kib;
	struct cidrs limit_whitelist; /* not limited */
	struct cidrs source_range;    /* empty: everybody; others get 403 */
	int64_t body_bytes_max;	      /* 0: no limit */
	int64_t connect_timeout_s;
	int64_t send_timeout_s;
	int64_t read_timeout_s;
	bool ssl_redirect;
	bool force_ssl_redirect;
	int64_t backend_protocol; /* enum backend_protocol */
};

/* Never fails: what is wrong is in `problems`. Texts and lists live in the arena. */
void annotations_parse(const struct str_map *map, struct arena *arena, struct annotations *ret,
		       struct problems *problems);
