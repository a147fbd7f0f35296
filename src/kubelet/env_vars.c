/* SPDX-License-Identifier: Apache-2.0 */
#include "kubelet/kubelet_internal.h"

static const struct runtime_pair *find(const struct env_list *vars, struct str name)
{
	for (size_t i = vars->n; i-- > 0;) {
		if (str_eq(vars->p[i].key, name)) {
			return &vars->p[i];
		}
	}
	return NULL;
}

struct str env_expand(struct arena *a, struct str text, const struct env_list *vars)
{
	struct buf out CLEANUP_BUF = {0};

	for (size_t i = 0; i < text.n; i++) {
		struct str rest = str_from(text, i + 1);
		ptrdiff_t end;
		const struct runtime_pair *var;

		if (text.p[i] != '$' || !rest.n || (rest.p[0] != '$' && rest.p[0] != '(')) {
			buf_add_char(&out, text.p[i]);
			continue;
		}
		if (rest.p[0] == '$') {
			buf_add_char(&out, '$');
			i++;
			continue;
		}
		end = str_find_char(rest, ')');
		if (end < 0) {
			buf_add_char(&out, '$');
			continue;
		}
		var = find(vars, str_sub(rest, 1, (size_t)end - 1));
		buf_add_str(&out, var ? var->value : str_sub(text, i, (size_t)end + 2));
		i += (size_t)end + 1;
	}
	return arena_str(a, buf_str(&out));
}
