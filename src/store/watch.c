/* SPDX-License-Identifier: Apache-2.0 */
#include "store/store_internal.h"

/* A watch first reads history, some changes per turn; when it has seen all, it joins the group of
 * its range. Groups stand in an interval tree, so that a change finds its watchers however many
 * others there are. */

enum { CATCH_UP_CHANGES = 4096 /* looked at per watch and turn */ };

typedef VEC(struct store_event) event_list;

struct watch_group {
	struct tree_node node;
	struct str start, end; /* owned */
	struct str max_end;    /* of the subtree; borrowed */
	struct list watches;
	event_list events;   /* of the batch that is being shown */
	struct list touched; /* has events */
};

struct store_watch {
	struct store *store;
	struct store_watch_opts opts;
	struct watch_group *group; /* NULL: still reads history */
	struct list link;	   /* in the group, or in catching_up */
	struct list all;
	bool stopped;
};

/* An unset end is behind everything. */
static int cmp_end(struct str a, struct str b)
{
	if (a.p && b.p) {
		return str_cmp(a, b);
	}
	return (a.p ? 0 : 1) - (b.p ? 0 : 1);
}

static struct watch_group *of_node(struct tree_node *node)
{
	return node ? CONTAINER_OF(node, struct watch_group, node) : NULL;
}

static void update_max_end(struct tree_node *node)
{
	struct watch_group *group = of_node(node);

	group->max_end = group->end;
	if (node->left && cmp_end(of_node(node->left)->max_end, group->max_end) > 0) {
		group->max_end = of_node(node->left)->max_end;
	}
	if (node->right && cmp_end(of_node(node->right)->max_end, group->max_end) > 0) {
		group->max_end = of_node(node->right)->max_end;
	}
}

static struct str dup_str(struct str s)
{
	return s.p ? str_make(mem_dup_str(s.p, s.n), s.n) : STR_NULL;
}

static struct watch_group *group_find_or_add(struct tree *groups, struct str start, struct str end)
{
	struct tree_node **link = &groups->root;
	struct tree_node *parent = NULL;
	struct watch_group *group;

	while (*link) {
		int cmp = str_cmp(start, of_node(*link)->start);

		cmp = cmp ? cmp : cmp_end(end, of_node(*link)->end);
		if (cmp == 0) {
			return of_node(*link);
		}
		parent = *link;
		link = cmp < 0 ? &parent->left : &parent->right;
	}
	group = NEW(struct watch_group);
	group->start = dup_str(start);
	group->end = dup_str(end);
	list_init(&group->watches);
	tree_insert(groups, parent, link, &group->node);
	return group;
}

static void group_drop(struct tree *groups, struct watch_group *group)
{
	if (!list_is_empty(&group->watches)) {
		return;
	}
	tree_remove(groups, &group->node);
	vec_fini(&group->events);
	mem_free((char *)group->start.p);
	mem_free((char *)group->end.p);
	mem_free(group);
}

static void watch_free(struct store_watch *watch)
{
	list_remove(&watch->link);
	list_remove(&watch->all);
	if (watch->group) {
		group_drop(&watch->store->watchers.groups, watch->group);
	}
	mem_free((char *)watch->opts.start.p);
	mem_free((char *)watch->opts.end.p);
	mem_free(watch);
}

void store_watch_stop(struct store_watch *watch)
{
	if (!watch) {
		return;
	}
	if (watch->store->watchers.dispatching) {
		watch->stopped = true;
		watch->store->watchers.any_stopped = true;
	} else {
		watch_free(watch);
	}
}

/* Between these two, stopped watches stay in their lists. */
static void begin_callbacks(struct store_watchers *watchers)
{
	ASSERT(!watchers->dispatching);
	watchers->dispatching = true;
}

static void end_callbacks(struct store_watchers *watchers)
{
	watchers->dispatching = false;
	if (!watchers->any_stopped) {
		return;
	}
	watchers->any_stopped = false;
	LIST_FOR_EACH_SAFE(l, &watchers->all)
	{
		struct store_watch *watch = CONTAINER_OF(l, struct store_watch, all);

		if (watch->stopped) {
			watch_free(watch);
		}
	}
}

static void watch_end(struct store_watch *watch, int code)
{
	if (!watch->stopped) {
		store_watch_stop(watch);
		watch->opts.ended(watch->opts.ctx, code);
	}
}

static bool is_in_range(const struct store_watch *watch, const struct store_key *key)
{
	struct str name = store_key_str(key);

	return str_cmp(watch->opts.start, name) <= 0 &&
	       (!watch->opts.end.p || str_cmp(name, watch->opts.end) < 0);
}

static struct store_event event_of(const struct store_change *c)
{
	return (struct store_event){c->revision, store_key_str(c->key), c->value, c->prev};
}

/* Reads up to CATCH_UP_CHANGES changes, whole transactions. True: it has seen everything. */
static bool catch_up(struct store_watch *watch, event_list *events)
{
	const struct store_history *history = &watch->store->history;
	size_t i = store_history_find(history, watch->opts.after);

	vec_clear(events);
	for (size_t seen = 0; i < history->n; i++, seen++) {
		const struct store_change *c = store_history_at(history, i);

		if (seen >= CATCH_UP_CHANGES && c->revision.n != watch->opts.after.n) {
			break;
		}
		if (is_in_range(watch, c->key)) {
			*vec_push(events) = event_of(c);
		}
		watch->opts.after = c->revision;
	}
	if (events->n) {
		watch->opts.events(watch->opts.ctx, events->p, events->n);
	}
	return i == history->n;
}

static void join_group(struct store_watch *watch)
{
	watch->opts.after = watch->store->revision;
	watch->group = group_find_or_add(&watch->store->watchers.groups, watch->opts.start,
					 watch->opts.end);
	list_remove(&watch->link);
	list_add_tail(&watch->group->watches, &watch->link);
}

static void post_catch_up(struct store *store)
{
	struct store_watchers *watchers = &store->watchers;

	if (!watchers->posted && !list_is_empty(&watchers->catching_up)) {
		watchers->posted = true;
		env_post(store->env, &watchers->task);
	}
}

static void handle_catch_up(struct env_task *task)
{
	struct store *store = CONTAINER_OF(task, struct store, watchers.task);
	struct store_watchers *watchers = &store->watchers;
	struct store_watch *watch;
	event_list events = {0};
	struct list now; /* those that callbacks start come in the next turn */

	watchers->posted = false;
	if (store->closing) {
		return; /* store_watchers_close tells them */
	}
	list_init(&now);
	while ((watch = LIST_FIRST(&watchers->catching_up, struct store_watch, link))) {
		list_remove(&watch->link);
		list_add_tail(&now, &watch->link);
	}
	begin_callbacks(watchers);
	while ((watch = LIST_FIRST(&now, struct store_watch, link))) {
		list_remove(&watch->link);
		list_add_tail(&watchers->catching_up, &watch->link);
		if (watch->stopped) {
			continue;
		}
		if (watch->opts.after.n < store->history.oldest.n) {
			watch_end(watch, ERR_COMPACTED);
		} else if (catch_up(watch, &events) && !watch->stopped) {
			join_group(watch);
		}
	}
	end_callbacks(watchers);
	vec_fini(&events);
	post_catch_up(store);
}

void store_watchers_init(struct store *store)
{
	store->watchers.groups.update = update_max_end;
	store->watchers.task.fn = handle_catch_up;
	list_init(&store->watchers.all);
	list_init(&store->watchers.catching_up);
}

int store_watch(struct store *store, const struct store_watch_opts *opts, struct store_watch **ret)
{
	struct store_watch *watch;

	ASSERT(opts->events && opts->ended);
	if (store->closing) {
		return ERR_CLOSED;
	}
	if (opts->after.n > store->revision.n) {
		return ERR_FUTURE;
	}
	watch = NEW(struct store_watch);
	watch->store = store;
	watch->opts = *opts;
	watch->opts.start = dup_str(opts->start);
	watch->opts.end = dup_str(opts->end);
	list_add_tail(&store->watchers.all, &watch->all);
	if (opts->after.n == store->revision.n) {
		join_group(watch);
	} else {
		list_add_tail(&store->watchers.catching_up, &watch->link);
		post_catch_up(store);
	}
	*ret = watch;
	return 0;
}

/* Gives the event to each group of the subtree whose range holds the key. */
static void stab(struct tree_node *node, const struct store_change *c, struct list *touched)
{
	struct str name = store_key_str(c->key);

	while (node && (!of_node(node)->max_end.p || str_cmp(name, of_node(node)->max_end) < 0)) {
		struct watch_group *group = of_node(node);

		stab(node->left, c, touched);
		if (str_cmp(name, group->start) < 0) {
			return;
		}
		if (!group->end.p || str_cmp(name, group->end) < 0) {
			*vec_push(&group->events) = event_of(c);
			if (!list_is_linked(&group->touched)) {
				list_add_tail(touched, &group->touched);
			}
		}
		node = node->right;
	}
}

static void show(struct watch_group *group)
{
	struct revision newest = group->events.p[group->events.n - 1].revision;

	LIST_FOR_EACH(l, &group->watches)
	{
		struct store_watch *watch = CONTAINER_OF(l, struct store_watch, link);

		/* One that joined during this round knows these events. */
		if (!watch->stopped && watch->opts.after.n < newest.n) {
			watch->opts.after = newest;
			watch->opts.events(watch->opts.ctx, group->events.p, group->events.n);
		}
	}
}

void store_watchers_dispatch(struct store *store, size_t from)
{
	struct watch_group *group;
	struct list touched;

	if (!store->watchers.groups.root) {
		return;
	}
	list_init(&touched);
	for (size_t i = from; i < store->history.n; i++) {
		stab(store->watchers.groups.root, store_history_at(&store->history, i), &touched);
	}
	begin_callbacks(&store->watchers);
	while ((group = LIST_FIRST(&touched, struct watch_group, touched))) {
		list_remove(&group->touched);
		show(group);
		vec_clear(&group->events);
	}
	end_callbacks(&store->watchers);
}

void store_watchers_close(struct store *store)
{
	begin_callbacks(&store->watchers);
	LIST_FOR_EACH(l, &store->watchers.all)
	{
		watch_end(CONTAINER_OF(l, struct store_watch, all), ERR_CLOSED);
	}
	end_callbacks(&store->watchers);
}
