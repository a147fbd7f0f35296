/* SPDX-License-Identifier: Apache-2.0 */
/* base/banned.h: calls that have no place here, each with what to use instead. Included by base/str.h, so everywhere. The
 * headers that declare them come first, so that only a use is an error. */
#pragma once
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BANNED(call, instead) banned_##call##_use_##instead

#undef strcpy
#define strcpy(...) BANNED(strcpy, struct_buf)
#undef strcat
#define strcat(...) BANNED(strcat, struct_buf)
#undef strncpy
#define strncpy(...) BANNED(strncpy, struct_buf)
#undef strncat
#define strncat(...) BANNED(strncat, struct_buf)
#undef sprintf
#define sprintf(...) BANNED(sprintf, arena_printf)
#undef vsprintf
#define vsprintf(...) BANNED(vsprintf, arena_vprintf)
#undef strtok
#define strtok(...) BANNED(strtok, str_cut)
#undef atoi
#define atoi(...) BANNED(atoi, str_to_int64)
#undef atol
#define atol(...) BANNED(atol, str_to_int64)
#undef gets
#define gets(...) BANNED(gets, struct_buf)
#undef alloca
#define alloca(...) BANNED(alloca, arena_alloc)
