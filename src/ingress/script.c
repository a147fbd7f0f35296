/* SPDX-License-Identifier: Apache-2.0 */
#include "ingress/script.h"

/* The file itself, so that it stays a Lua file for editors and reviewers; the path is from the top of the tree, where make runs. */
__asm__(".pushsection .rodata\n"
	".global ingress_script_begin, ingress_script_end\n"
	"ingress_script_begin:\n"
	".incbin \"src/ingress/ingress.lua\"\n"
	"ingress_script_end:\n"
	".byte 0\n"
	".popsection\n");

extern const char ingress_script_begin[] __attribute__((visibility("hidden")));
extern const char ingress_script_end[] __attribute__((visibility("hidden")));

struct str script_text(void)
{
	return str_make(ingress_script_begin, (size_t)(ingress_script_end - ingress_script_begin));
}
