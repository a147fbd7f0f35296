/* SPDX-License-Identifier: Apache-2.0 */
/* ingress/script.h: the constant Lua script that runs inside nginx (ingress.lua), as it was linked in. */
#pragma once
#include "base/str.h"

struct str script_text(void);
