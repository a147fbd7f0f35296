/* SPDX-License-Identifier: Apache-2.0 */
#include "rules/strategy.h"

#include "rules/check.h"

#define STRATEGIES(name) extern const struct strategy_list strategies_##name;
#include "rules/strategies.def"
#undef STRATEGIES

static const struct strategy_list *const lists[] = {
#define STRATEGIES(name) &strategies_##name,
#include "rules/strategies.def"
#undef STRATEGIES
};

const struct strategy *strategy_find(const struct resource_desc *resource)
{
	static const struct strategy plain = {.name = NAME_DNS_SUBDOMAIN};

	for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
		for (size_t j = 0; j < lists[i]->n; j++) {
			if (lists[i]->p[j].resource == resource) {
				return &lists[i]->p[j];
			}
		}
	}
	return &plain;
}

void strategy_check_name(const struct strategy *s, struct field_errors *errs, struct str name,
			 struct str generate_name)
{
	const struct path *meta = AT(NULL, "metadata");

	if (generate_name.n) {
		check_object_name(errs, AT(meta, "generateName"), generate_name, s->name, true);
	}
	if (!name.n) {
		field_required(errs, AT(meta, "name"), "name or generateName is required");
		return;
	}
	check_object_name(errs, AT(meta, "name"), name, s->name, false);
	if (s->name_max && name.n > s->name_max) {
		field_invalid(errs, AT(meta, "name"), field_str(name),
			      "must be no more than %d characters", s->name_max);
	}
}

void warn_at(const struct warn_sink *sink, const struct path *at, const char *fmt, ...)
{
	struct buf b CLEANUP_BUF = {0};
	va_list ap;

	if (at) {
		path_write(&b, at, PATH_STYLE_API);
		buf_puts(&b, ": ");
	}
	va_start(ap, fmt);
	buf_vprintf(&b, fmt, ap);
	va_end(ap);
	sink->add(sink->ctx, arena_str(sink->arena, buf_str(&b)));
}
