/* SPDX-License-Identifier: Apache-2.0 */
/* rules/condition.h: condition lists of any kind (pods, nodes, Deployments ... have a type each, with the same members). */
#pragma once
#include <stdbool.h>
#include <string.h>

#include "base/arena.h"

/* The condition of that type, or NULL: condition_find(&pod->status.conditions, STR("Ready")). */
#define condition_find(list, type_)                                                                \
	({                                                                                         \
		__typeof__(list) cond_list_ = (list);                                              \
		struct str cond_type_ = (type_);                                                   \
		__typeof__(cond_list_->p + 0) cond_found_ = NULL;                                  \
		for (size_t cond_i_ = 0; cond_i_ < cond_list_->n && !cond_found_; cond_i_++) {     \
			if (str_eq(cond_list_->p[cond_i_].type, cond_type_)) {                     \
				cond_found_ = &cond_list_->p[cond_i_];                             \
			}                                                                          \
		}                                                                                  \
		cond_found_;                                                                       \
	})

#define condition_is_true(list, type_)                                                             \
	({                                                                                         \
		__typeof__((list)->p + 0) cond_true_ = condition_find(list, type_);                \
		cond_true_ ? str_is(cond_true_->status, "True") : false;                           \
	})

/* Puts *value in the place of the condition of its type, or behind the others. The list is made anew in the arena, so it may
 * belong to a frozen object. While the status stays, so does last_transition_time. True if status, reason or message
 * changed; if none did, the list is left as it is. */
#define condition_set(arena, list, value)                                                          \
	({                                                                                         \
		__typeof__(list) cset_list_ = (list);                                              \
		__typeof__(*cset_list_->p) cset_new_ = *(value);                                   \
		__typeof__(cset_list_->p) cset_old_ = condition_find(cset_list_, cset_new_.type);  \
		bool cset_changed_ = !cset_old_ || !str_eq(cset_old_->status, cset_new_.status) || \
				     !str_eq(cset_old_->reason, cset_new_.reason) ||               \
				     !str_eq(cset_old_->message, cset_new_.message);               \
		if (cset_changed_) {                                                               \
			size_t cset_at_ =                                                          \
				cset_old_ ? (size_t)(cset_old_ - cset_list_->p) : cset_list_->n;   \
			size_t cset_n_ = cset_list_->n + !cset_old_;                               \
			__typeof__(cset_list_->p) cset_p_ =                                        \
				arena_alloc_array((arena), cset_n_, sizeof(*cset_p_));             \
			if (cset_list_->n) {                                                       \
				memcpy(cset_p_, cset_list_->p, cset_list_->n * sizeof(*cset_p_));  \
			}                                                                          \
			if (cset_old_ && str_eq(cset_old_->status, cset_new_.status)) {            \
				cset_new_.last_transition_time = cset_old_->last_transition_time;  \
			}                                                                          \
			cset_p_[cset_at_] = cset_new_;                                             \
			cset_list_->p = cset_p_;                                                   \
			cset_list_->n = cset_n_;                                                   \
		}                                                                                  \
		cset_changed_;                                                                     \
	})
