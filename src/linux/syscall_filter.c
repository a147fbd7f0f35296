/* SPDX-License-Identifier: Apache-2.0 */
#include "linux/syscall_filter.h"

#include <errno.h>
#include <linux/capability.h>
#include <linux/sched.h>
#include <seccomp.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include "base/str.h"

/* Calls every container may make, by subject. What is missing reaches beyond the container (clocks, modules, keys, mounts, tracing of
 * others, swap, quotas, NUMA placement of others) or is a known source of kernel bugs that containers do not need (userfaultfd,
 * io_uring, obsolete calls). */
static const char *const always[] = {
	/* files */
	"access",
	"chdir",
	"chmod",
	"chown",
	"chown32",
	"close",
	"close_range",
	"copy_file_range",
	"creat",
	"dup",
	"dup2",
	"dup3",
	"faccessat",
	"faccessat2",
	"fadvise64",
	"fadvise64_64",
	"fallocate",
	"fchdir",
	"fchmod",
	"fchmodat",
	"fchmodat2",
	"fchown",
	"fchown32",
	"fchownat",
	"fcntl",
	"fcntl64",
	"fdatasync",
	"fgetxattr",
	"flistxattr",
	"flock",
	"fremovexattr",
	"fsetxattr",
	"fstat",
	"fstat64",
	"fstatat64",
	"fstatfs",
	"fstatfs64",
	"fsync",
	"ftruncate",
	"ftruncate64",
	"futimesat",
	"getcwd",
	"getdents",
	"getdents64",
	"getxattr",
	"getxattrat",
	"inotify_add_watch",
	"inotify_init",
	"inotify_init1",
	"inotify_rm_watch",
	"ioctl",
	"lchown",
	"lchown32",
	"lgetxattr",
	"link",
	"linkat",
	"listxattr",
	"listxattrat",
	"llistxattr",
	"lremovexattr",
	"lseek",
	"lsetxattr",
	"lstat",
	"lstat64",
	"_llseek",
	"mkdir",
	"mkdirat",
	"mknod",
	"mknodat",
	"newfstatat",
	"open",
	"openat",
	"openat2",
	"pread64",
	"preadv",
	"preadv2",
	"pwrite64",
	"pwritev",
	"pwritev2",
	"read",
	"readahead",
	"readlink",
	"readlinkat",
	"readv",
	"removexattr",
	"removexattrat",
	"rename",
	"renameat",
	"renameat2",
	"rmdir",
	"sendfile",
	"sendfile64",
	"setxattr",
	"setxattrat",
	"splice",
	"stat",
	"stat64",
	"statfs",
	"statfs64",
	"statx",
	"symlink",
	"symlinkat",
	"sync",
	"sync_file_range",
	"sync_file_range2",
	"syncfs",
	"tee",
	"truncate",
	"truncate64",
	"umask",
	"unlink",
	"unlinkat",
	"utime",
	"utimensat",
	"utimensat_time64",
	"utimes",
	"vmsplice",
	"write",
	"writev",
	"cachestat",
	"fanotify_mark",
	"name_to_handle_at",
	"_newselect",
	"file_getattr",
	"file_setattr",
	/* memory */
	"brk",
	"get_thread_area",
	"set_thread_area",
	"madvise",
	"map_shadow_stack",
	"membarrier",
	"memfd_create",
	"memfd_secret",
	"mincore",
	"mlock",
	"mlock2",
	"mlockall",
	"mmap",
	"mmap2",
	"mprotect",
	"mremap",
	"mseal",
	"msync",
	"munlock",
	"munlockall",
	"munmap",
	"pkey_alloc",
	"pkey_free",
	"pkey_mprotect",
	"process_madvise",
	"process_mrelease",
	"remap_file_pages",
	/* processes and threads */
	"arch_prctl",
	"capget",
	"capset",
	"execve",
	"execveat",
	"exit",
	"exit_group",
	"fork",
	"futex",
	"futex_requeue",
	"futex_time64",
	"futex_wait",
	"futex_waitv",
	"futex_wake",
	"get_robust_list",
	"getcpu",
	"getegid",
	"getegid32",
	"geteuid",
	"geteuid32",
	"getgid",
	"getgid32",
	"getgroups",
	"getgroups32",
	"getpgid",
	"getpgrp",
	"getpid",
	"getppid",
	"getpriority",
	"getresgid",
	"getresgid32",
	"getresuid",
	"getresuid32",
	"getrlimit",
	"getrusage",
	"getsid",
	"gettid",
	"getuid",
	"getuid32",
	"ioprio_get",
	"ioprio_set",
	"kill",
	"landlock_add_rule",
	"landlock_create_ruleset",
	"landlock_restrict_self",
	"modify_ldt",
	"nanosleep",
	"pause",
	"pidfd_open",
	"pidfd_send_signal",
	"prctl",
	"prlimit64",
	"restart_syscall",
	"rseq",
	"sched_get_priority_max",
	"sched_get_priority_min",
	"sched_getaffinity",
	"sched_getattr",
	"sched_getparam",
	"sched_getscheduler",
	"sched_rr_get_interval",
	"sched_rr_get_interval_time64",
	"sched_setaffinity",
	"sched_setattr",
	"sched_setparam",
	"sched_setscheduler",
	"sched_yield",
	"seccomp",
	"set_robust_list",
	"set_tid_address",
	"setfsgid",
	"setfsgid32",
	"setfsuid",
	"setfsuid32",
	"setgid",
	"setgid32",
	"setgroups",
	"setgroups32",
	"setpgid",
	"setpriority",
	"setregid",
	"setregid32",
	"setresgid",
	"setresgid32",
	"setresuid",
	"setresuid32",
	"setreuid",
	"setreuid32",
	"setrlimit",
	"setsid",
	"setuid",
	"setuid32",
	"sysinfo",
	"tgkill",
	"tkill",
	"ugetrlimit",
	"uname",
	"vfork",
	"wait4",
	"waitid",
	"waitpid",
	/* signals, time, events */
	"alarm",
	"clock_getres",
	"clock_getres_time64",
	"clock_gettime",
	"clock_gettime64",
	"clock_nanosleep",
	"clock_nanosleep_time64",
	"epoll_create",
	"epoll_create1",
	"epoll_ctl",
	"epoll_ctl_old",
	"epoll_pwait",
	"epoll_pwait2",
	"epoll_wait",
	"epoll_wait_old",
	"eventfd",
	"eventfd2",
	"getitimer",
	"gettimeofday",
	"io_cancel",
	"io_destroy",
	"io_getevents",
	"io_pgetevents",
	"io_pgetevents_time64",
	"io_setup",
	"io_submit",
	"poll",
	"ppoll",
	"ppoll_time64",
	"pselect6",
	"pselect6_time64",
	"rt_sigaction",
	"rt_sigpending",
	"rt_sigprocmask",
	"rt_sigqueueinfo",
	"rt_sigreturn",
	"rt_sigsuspend",
	"rt_sigtimedwait",
	"rt_sigtimedwait_time64",
	"rt_tgsigqueueinfo",
	"select",
	"setitimer",
	"sigaltstack",
	"signalfd",
	"signalfd4",
	"sigprocmask",
	"sigreturn",
	"time",
	"timer_create",
	"timer_delete",
	"timer_getoverrun",
	"timer_gettime",
	"timer_gettime64",
	"timer_settime",
	"timer_settime64",
	"timerfd_create",
	"timerfd_gettime",
	"timerfd_gettime64",
	"timerfd_settime",
	"timerfd_settime64",
	"times",
	"adjtimex",
	"clock_adjtime",
	"clock_adjtime64",
	"getrandom",
	/* sockets, pipes, System V and POSIX queues */
	"accept",
	"accept4",
	"bind",
	"connect",
	"getpeername",
	"getsockname",
	"getsockopt",
	"ipc",
	"listen",
	"mq_getsetattr",
	"mq_notify",
	"mq_open",
	"mq_timedreceive",
	"mq_timedreceive_time64",
	"mq_timedsend",
	"mq_timedsend_time64",
	"mq_unlink",
	"msgctl",
	"msgget",
	"msgrcv",
	"msgsnd",
	"pipe",
	"pipe2",
	"recv",
	"recvfrom",
	"recvmmsg",
	"recvmmsg_time64",
	"recvmsg",
	"semctl",
	"semget",
	"semop",
	"semtimedop",
	"semtimedop_time64",
	"send",
	"sendmmsg",
	"sendmsg",
	"sendto",
	"setsockopt",
	"shmat",
	"shmctl",
	"shmdt",
	"shmget",
	"shutdown",
	"socketcall",
	"socketpair",
	/* within the container; since Linux 4.8 a tracer cannot get past the filter with it */
	"ptrace",
	"process_vm_readv",
	"process_vm_writev",
};

static const char *const with_sys_admin[] = {
	"bpf",	     "clone",	      "clone3",	       "fanotify_init", "fsconfig",
	"fsmount",   "fsopen",	      "fspick",	       "listmount",	"lookup_dcookie",
	"mount",     "mount_setattr", "move_mount",    "open_tree",	"perf_event_open",
	"quotactl",  "quotactl_fd",   "setdomainname", "sethostname",	"setns",
	"statmount", "syslog",	      "umount",	       "umount2",	"unshare",
};
static const char *const with_sys_time[] = {"settimeofday", "stime", "clock_settime",
					    "clock_settime64"};
static const char *const with_sys_module[] = {"delete_module", "init_module", "finit_module"};
static const char *const with_sys_rawio[] = {"iopl", "ioperm"};
static const char *const with_sys_nice[] = {"get_mempolicy", "mbind",
					    "migrate_pages", "move_pages",
					    "set_mempolicy", "set_mempolicy_home_node"};
static const char *const with_sys_ptrace[] = {"kcmp", "pidfd_getfd"};
static const char *const with_chroot[] = {"chroot"};
static const char *const with_boot[] = {"reboot"};
static const char *const with_pacct[] = {"acct"};
static const char *const with_tty[] = {"vhangup"};
static const char *const with_syslog[] = {"syslog"};
static const char *const with_read_search[] = {"open_by_handle_at"};
static const char *const with_bpf[] = {"bpf"};
static const char *const with_perfmon[] = {"perf_event_open"};

static const struct {
	unsigned cap;
	const char *const *names;
	size_t n;
} conditional[] = {
	{CAP_SYS_ADMIN, with_sys_admin, ARRAY_LEN(with_sys_admin)},
	{CAP_SYS_TIME, with_sys_time, ARRAY_LEN(with_sys_time)},
	{CAP_SYS_MODULE, with_sys_module, ARRAY_LEN(with_sys_module)},
	{CAP_SYS_RAWIO, with_sys_rawio, ARRAY_LEN(with_sys_rawio)},
	{CAP_SYS_NICE, with_sys_nice, ARRAY_LEN(with_sys_nice)},
	{CAP_SYS_PTRACE, with_sys_ptrace, ARRAY_LEN(with_sys_ptrace)},
	{CAP_SYS_CHROOT, with_chroot, ARRAY_LEN(with_chroot)},
	{CAP_SYS_BOOT, with_boot, ARRAY_LEN(with_boot)},
	{CAP_SYS_PACCT, with_pacct, ARRAY_LEN(with_pacct)},
	{CAP_SYS_TTY_CONFIG, with_tty, ARRAY_LEN(with_tty)},
	{CAP_SYSLOG, with_syslog, ARRAY_LEN(with_syslog)},
	{CAP_DAC_READ_SEARCH, with_read_search, ARRAY_LEN(with_read_search)},
	{CAP_BPF, with_bpf, ARRAY_LEN(with_bpf)},
	{CAP_PERFMON, with_perfmon, ARRAY_LEN(with_perfmon)},
};

static bool has(uint64_t caps, unsigned cap)
{
	return caps >> cap & 1;
}

static void write_rule(struct buf *out, const char *const *names, size_t n)
{
	buf_puts(out, "{\"names\":[");
	for (size_t i = 0; i < n; i++) {
		buf_printf(out, "%s\"%s\"", i ? "," : "", names[i]);
	}
	buf_puts(out, "],\"action\":\"SCMP_ACT_ALLOW\"}");
}

/* clone without making namespaces; clone3 hides its flags in memory, so it "does not exist" and libc falls back to clone. */
static void write_clone(struct buf *out)
{
	unsigned long namespaces = CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC |
				   CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET;

	buf_printf(out,
		   ",{\"names\":[\"clone\"],\"action\":\"SCMP_ACT_ALLOW\",\"args\":[{\"index\":0,"
		   "\"value\":%lu,\"valueTwo\":0,"
		   "\"op\":\"SCMP_CMP_MASKED_EQ\"}]}",
		   namespaces);
	buf_printf(out, ",{\"names\":[\"clone3\"],\"action\":\"SCMP_ACT_ERRNO\",\"errnoRet\":%d}",
		   ENOSYS);
}

void syscall_filter_write_default(struct buf *out, uint64_t caps)
{
	/* the harmless personalities: PER_LINUX, PER_LINUX32, UNAME26 of both, and "tell me" */
	static const unsigned personalities[] = {0x0, 0x8, 0x20000, 0x20008, 0xffffffff};

	buf_printf(out, "{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"defaultErrnoRet\":%d,", EPERM);
	buf_puts(out, "\"architectures\":[\"SCMP_ARCH_X86_64\",\"SCMP_ARCH_X86\",\"SCMP_ARCH_X32\"]"
		      ",\"syscalls\":[");
	write_rule(out, always, ARRAY_LEN(always));
	for (size_t i = 0; i < ARRAY_LEN(personalities); i++) {
		buf_printf(out,
			   ",{\"names\":[\"personality\"],\"action\":\"SCMP_ACT_ALLOW\",\"args\":[{"
			   "\"index\":0,\"value\":%u,"
			   "\"op\":\"SCMP_CMP_EQ\"}]}",
			   personalities[i]);
	}
	/* vsock reaches the hypervisor, past every network rule */
	buf_printf(out,
		   ",{\"names\":[\"socket\"],\"action\":\"SCMP_ACT_ALLOW\",\"args\":[{\"index\":0,"
		   "\"value\":%d,"
		   "\"op\":\"SCMP_CMP_NE\"}]}",
		   AF_VSOCK);
	for (size_t i = 0; i < ARRAY_LEN(conditional); i++) {
		if (has(caps, conditional[i].cap)) {
			buf_add_char(out, ',');
			write_rule(out, conditional[i].names, conditional[i].n);
		}
	}
	if (!has(caps, CAP_SYS_ADMIN)) {
		write_clone(out);
	}
	buf_puts(out, "]}");
}

int syscall_filter_allow_only(const char *const *names, size_t n)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_KILL_PROCESS);
	int r = ctx ? 0 : -ENOMEM;

	for (size_t i = 0; r == 0 && i < n; i++) {
		int nr = seccomp_syscall_resolve_name(names[i]);

		if (nr != __NR_SCMP_ERROR && nr >= 0) {
			r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, nr, 0);
		}
	}
	if (r == 0) {
		r = seccomp_load(ctx); /* sets no_new_privs */
	}
	seccomp_release(ctx);
	return r;
}
