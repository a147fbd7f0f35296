/* SPDX-License-Identifier: Apache-2.0 */
/* base/list.h: an intrusive doubly linked ring. The head is a struct list of its own; list_init before use.
 *     LIST_FOR_EACH(l, &head) { struct conn *c = CONTAINER_OF(l, struct conn, link); ... }
 * The safe form allows removing the current element. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"

struct list {
	struct list *prev, *next;
};

static inline void list_init(struct list *head)
{
	head->prev = head->next = head;
}

static inline bool list_is_empty(const struct list *head)
{
	return head->next == head;
}

/* True for an element that stands in a list (after list_remove or for a zeroed one: false). */
static inline bool list_is_linked(const struct list *l)
{
	return l->next && l->next != l;
}

static inline void list_add_tail(struct list *head, struct list *l)
{
	l->prev = head->prev;
	l->next = head;
	head->prev->next = l;
	head->prev = l;
}

static inline void list_add_head(struct list *head, struct list *l)
{
	list_add_tail(head->next, l);
}

/* Harmless for an element that is in no list. */
static inline void list_remove(struct list *l)
{
	if (l->next) {
		l->prev->next = l->next;
		l->next->prev = l->prev;
	}
	l->prev = l->next = NULL;
}

#define LIST_FOR_EACH(it, head) for (struct list *it = (head)->next; it != (head); it = it->next)
#define LIST_FOR_EACH_SAFE(it, head)                                                               \
	for (struct list *it = (head)->next, *it##_next = it->next; it != (head);                  \
	     it = it##_next, it##_next = it->next)
#define LIST_FIRST(head, type, member)                                                             \
	(list_is_empty(head) ? NULL : CONTAINER_OF((head)->next, type, member))
