/* SPDX-License-Identifier: Apache-2.0 */
#include "linux/caps.h"

#include <errno.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/err.h"

/* In the kernel's order: the index is the bit. */
static const char *const names[] = {
	"CAP_CHOWN",
	"CAP_DAC_OVERRIDE",
	"CAP_DAC_READ_SEARCH",
	"CAP_FOWNER",
	"CAP_FSETID",
	"CAP_KILL",
	"CAP_SETGID",
	"CAP_SETUID",
	"CAP_SETPCAP",
	"CAP_LINUX_IMMUTABLE",
	"CAP_NET_BIND_SERVICE",
	"CAP_NET_BROADCAST",
	"CAP_NET_ADMIN",
	"CAP_NET_RAW",
	"CAP_IPC_LOCK",
	"CAP_IPC_OWNER",
	"CAP_SYS_MODULE",
	"CAP_SYS_RAWIO",
	"CAP_SYS_CHROOT",
	"CAP_SYS_PTRACE",
	"CAP_SYS_PACCT",
	"CAP_SYS_ADMIN",
	"CAP_SYS_BOOT",
	"CAP_SYS_NICE",
	"CAP_SYS_RESOURCE",
	"CAP_SYS_TIME",
	"CAP_SYS_TTY_CONFIG",
	"CAP_MKNOD",
	"CAP_LEASE",
	"CAP_AUDIT_WRITE",
	"CAP_AUDIT_CONTROL",
	"CAP_SETFCAP",
	"CAP_MAC_OVERRIDE",
	"CAP_MAC_ADMIN",
	"CAP_SYSLOG",
	"CAP_WAKE_ALARM",
	"CAP_BLOCK_SUSPEND",
	"CAP_AUDIT_READ",
	"CAP_PERFMON",
	"CAP_BPF",
	"CAP_CHECKPOINT_RESTORE",
};

#define BIT(cap) (UINT64_C(1) << (cap))

uint64_t caps_default(void)
{
	return BIT(CAP_CHOWN) | BIT(CAP_DAC_OVERRIDE) | BIT(CAP_FSETID) | BIT(CAP_FOWNER) |
	       BIT(CAP_MKNOD) | BIT(CAP_NET_RAW) | BIT(CAP_SETGID) | BIT(CAP_SETUID) |
	       BIT(CAP_SETFCAP) | BIT(CAP_SETPCAP) | BIT(CAP_NET_BIND_SERVICE) |
	       BIT(CAP_SYS_CHROOT) | BIT(CAP_KILL) | BIT(CAP_AUDIT_WRITE);
}

uint64_t caps_bounding(void)
{
	uint64_t mask = 0;

	for (unsigned bit = 0; bit < ARRAY_LEN(names); bit++) {
		if (prctl(PR_CAPBSET_READ, bit, 0, 0, 0) == 1) {
			mask |= BIT(bit);
		}
	}
	return mask;
}

int caps_parse(struct str name, uint64_t *ret_mask)
{
	if (str_eq_nocase(name, STR("ALL"))) {
		*ret_mask = BIT(ARRAY_LEN(names)) - 1;
		return 0;
	}
	for (unsigned bit = 0; bit < ARRAY_LEN(names); bit++) {
		struct str full = str_of(names[bit]);

		if (str_eq_nocase(name, full) ||
		    str_eq_nocase(name, str_from(full, strlen("CAP_")))) {
			*ret_mask = BIT(bit);
			return 0;
		}
	}
	return ERR_NOT_FOUND;
}

const char *caps_name(unsigned bit)
{
	return bit < ARRAY_LEN(names) ? names[bit] : NULL;
}

int caps_keep_only(uint64_t mask)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {
		{(uint32_t)mask, (uint32_t)mask, 0},
		{(uint32_t)(mask >> 32), (uint32_t)(mask >> 32), 0},
	};

	for (unsigned bit = 0; bit < 64; bit++) {
		if (!(mask & BIT(bit)) && prctl(PR_CAPBSET_READ, bit, 0, 0, 0) == 1 &&
		    prctl(PR_CAPBSET_DROP, bit, 0, 0, 0) < 0) {
			return -errno;
		}
	}
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0) {
		return -errno;
	}
	return syscall(SYS_capset, &header, data) < 0 ? -errno : 0;
}

static const struct {
	const char *name;
	int resource;
} rlimits[] = {
	{"RLIMIT_AS", RLIMIT_AS},
	{"RLIMIT_CORE", RLIMIT_CORE},
	{"RLIMIT_CPU", RLIMIT_CPU},
	{"RLIMIT_DATA", RLIMIT_DATA},
	{"RLIMIT_FSIZE", RLIMIT_FSIZE},
	{"RLIMIT_LOCKS", RLIMIT_LOCKS},
	{"RLIMIT_MEMLOCK", RLIMIT_MEMLOCK},
	{"RLIMIT_MSGQUEUE", RLIMIT_MSGQUEUE},
	{"RLIMIT_NICE", RLIMIT_NICE},
	{"RLIMIT_NOFILE", RLIMIT_NOFILE},
	{"RLIMIT_NPROC", RLIMIT_NPROC},
	{"RLIMIT_RSS", RLIMIT_RSS},
	{"RLIMIT_RTPRIO", RLIMIT_RTPRIO},
	{"RLIMIT_RTTIME", RLIMIT_RTTIME},
	{"RLIMIT_SIGPENDING", RLIMIT_SIGPENDING},
	{"RLIMIT_STACK", RLIMIT_STACK},
};

int rlimit_parse(struct str name)
{
	for (size_t i = 0; i < ARRAY_LEN(rlimits); i++) {
		struct str full = str_of(rlimits[i].name);

		if (str_eq_nocase(name, full) ||
		    str_eq_nocase(name, str_from(full, strlen("RLIMIT_")))) {
			return rlimits[i].resource;
		}
	}
	return ERR_NOT_FOUND;
}

struct rlimit rlimit_clamp(int resource, struct rlimit want)
{
	struct rlimit own;

	if (getrlimit((__rlimit_resource_t)resource, &own) == 0) {
		want.rlim_max = MIN(want.rlim_max, own.rlim_max);
	}
	want.rlim_cur = MIN(want.rlim_cur, want.rlim_max);
	return want;
}
