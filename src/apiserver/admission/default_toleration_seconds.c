/* SPDX-License-Identifier: Apache-2.0 */
/* DefaultTolerationSeconds: a pod stays five minutes on a node that is not ready or not reachable, unless it says otherwise. */
#include "apiserver/admission/admission.h"

enum { DEFAULT_SECONDS = 300 };

static bool tolerates(const struct core_pod *pod, struct str key)
{
	for (size_t i = 0; i < pod->spec.tolerations.n; i++) {
		const struct core_toleration *t = &pod->spec.tolerations.p[i];

		if ((str_eq(t->key, key) || !t->key.n) &&
		    (str_is(t->effect, "NoExecute") || !t->effect.n)) {
			return true;
		}
	}
	return false;
}

static void add(struct arena *a, struct core_pod *pod, struct str key)
{
	struct core_toleration *t;

	if (tolerates(pod, key)) {
		return;
	}
	t = ADMISSION_APPEND(a, &pod->spec.tolerations);
	*t = (struct core_toleration){
		.key = key, .operator= STR("Exists"), .effect = STR("NoExecute")};
	t->toleration_seconds = ARENA_NEW(a, int64_t);
	*t->toleration_seconds = DEFAULT_SECONDS;
}

struct meta_status *admit_default_toleration_seconds(struct write *w)
{
	struct core_pod *pod = admitted_pod(w, WRITE_CREATE);

	if (pod) {
		add(&w->r->arena, pod, STR("node.kubernetes.io/not-ready"));
		add(&w->r->arena, pod, STR("node.kubernetes.io/unreachable"));
	}
	return NULL;
}
