/* SPDX-License-Identifier: Apache-2.0 */
/* `cox image-unpack`: internal: the sandboxed child that unpacks one layer (invariant I1). */
#include "cli/applet.h"
#include "kubelet/images/unpack.h"

int cli_image_unpack(int argc, char **argv)
{
	image_unpack_main(argc, argv);
}
