/* SPDX-License-Identifier: Apache-2.0 */
/* base/version.h: who we are. */
#pragma once

#define COX_VERSION "0.1.0"
/* What /version says: the release whose behaviour we keep. */
#define KUBERNETES_MAJOR "1"
#define KUBERNETES_MINOR "36"
#define KUBERNETES_VERSION "v1.36.2+cox." COX_VERSION
