#include "shared/process/confinement.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/landlock.h>
#include <linux/sched.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <initializer_list>
#include <memory>
#include <system_error>
#include <type_traits>
#include <utility>
#include <vector>

#include "shared/disk/posix_disk.hpp"
#include "shared/process/leak_checker.hpp"

namespace relayd::process {

namespace {

[[noreturn]] void fail(const std::string& what, int error = errno) {
  throw std::system_error(error, std::generic_category(), what);
}

// --- Landlock: which files
// ----------------------------------------------------------------------------------

// Newer than the headers of Debian 12.
constexpr std::uint64_t truncate_right = 1ULL << 14;  // from version 3
constexpr int version_with_truncate = 3;
// Version 1 cannot allow a file to move from one folder to another, which the queue needs.
constexpr int oldest_version = 2;

// Whatever its kind: what users put into the drop folder is renamed there, which counts as making it.
constexpr std::uint64_t directory_rights =
    LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE |
    LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG |
    LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_BLOCK |
    LANDLOCK_ACCESS_FS_MAKE_SYM | LANDLOCK_ACCESS_FS_REFER;

void allow(const disk::Descriptor& rules, const std::string& path, std::uint64_t rights) {
  const disk::Descriptor place(::open(path.c_str(), O_PATH | O_CLOEXEC));
  // The default drop folder need not be there, nor a sandbox that could not be made.
  if (place.number() < 0 && (errno == ENOENT || errno == ENOTDIR || errno == EACCES)) return;
  if (place.number() < 0) fail("Landlock for " + path);
  const landlock_path_beneath_attr rule{rights, place.number()};
  if (::syscall(SYS_landlock_add_rule, rules.number(), LANDLOCK_RULE_PATH_BENEATH, &rule, 0) != 0)
    fail("Landlock for " + path);
}

enum class Sockets { bind, keep };

// Its folder is nobody else's: what is removed there is ours.
bool is_our_folder(const std::string& folder) {
  struct stat status {};
  return ::stat(folder.c_str(), &status) == 0 && status.st_uid == ::geteuid() && status.st_uid != 0;
}

// The version that is in force. Each call takes away more.
int confine_files(const Needs& needs, Sockets sockets) {
  const long version = ::syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
  if (version < 0) fail("Landlock");
  if (version < oldest_version) fail(fmt::format("Landlock {}, not {}", version, oldest_version), ENOSYS);
  const std::uint64_t newer = version >= version_with_truncate ? truncate_right : 0;
  const std::uint64_t programs = needs.programs ? 0 : LANDLOCK_ACCESS_FS_EXECUTE;
  const landlock_ruleset_attr handled{directory_rights | newer | programs};
  const disk::Descriptor rules(
      static_cast<int>(::syscall(SYS_landlock_create_ruleset, &handled, sizeof handled, 0)));
  if (rules.number() < 0) fail("Landlock");
  for (const std::string& directory : needs.directories) allow(rules, directory, directory_rights | newer);
  for (const std::string& socket : needs.sockets) {
    const std::string folder = std::filesystem::path(socket).parent_path();
    if (sockets == Sockets::bind)
      allow(rules, folder, LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_REMOVE_FILE);
    else if (is_our_folder(folder))
      allow(rules, folder, LANDLOCK_ACCESS_FS_REMOVE_FILE);
  }
  // Where programs send what they have no use for.
  if (needs.programs) allow(rules, "/dev/null", LANDLOCK_ACCESS_FS_WRITE_FILE | newer);
  if (::syscall(SYS_landlock_restrict_self, rules.number(), 0) != 0) fail("Landlock");
  return static_cast<int>(version);
}

// --- seccomp: which system calls
// ----------------------------------------------------------------------------

struct FreeFilter {
  void operator()(void* filter) const { ::seccomp_release(filter); }
};

// No relay and no program that prints a password needs these.
constexpr const char* refused_calls[] = {
    // another process's memory, and its files
    "process_vm_readv",
    "process_vm_writev",
    "process_madvise",
    "kcmp",
    "pidfd_getfd",
    "perf_event_open",
    // file systems
    "mount",
    "umount",
    "umount2",
    "move_mount",
    "open_tree",
    "fsopen",
    "fsconfig",
    "fsmount",
    "fspick",
    "mount_setattr",
    "pivot_root",
    "chroot",
    "swapon",
    "swapoff",
    "quotactl",
    "quotactl_fd",
    "fanotify_init",
    "open_by_handle_at",
    "name_to_handle_at",
    "mknod",
    "mknodat",
    // the kernel
    "init_module",
    "finit_module",
    "delete_module",
    "create_module",
    "kexec_load",
    "kexec_file_load",
    "bpf",
    "reboot",
    "syslog",
    "acct",
    "iopl",
    "ioperm",
    "modify_ldt",
    "vm86",
    "vm86old",
    "personality",
    "userfaultfd",
    "vhangup",
    "lookup_dcookie",
    "nfsservctl",
    "_sysctl",
    "uselib",
    "ustat",
    "sysfs",
    "io_uring_setup",
    "io_uring_enter",
    "io_uring_register",
    "add_key",
    "request_key",
    "keyctl",
    // namespaces and names of the machine
    "setns",
    "unshare",
    "sethostname",
    "setdomainname",
    // the clock
    "settimeofday",
    "clock_settime",
    "clock_settime64",
    "clock_adjtime",
    "clock_adjtime64",
    "adjtimex",
    "stime",
};

// A call that a program would not expect to fail so says that this kernel does not have it.
void refuse(void* filter, const char* call, int error) {
  const int number = ::seccomp_syscall_resolve_name(call);
  if (number == __NR_SCMP_ERROR) return;  // younger than the library, or another machine's
  if (const int result = ::seccomp_rule_add(filter, SCMP_ACT_ERRNO(error), number, 0); result != 0)
    fail(fmt::format("seccomp for {}", call), -result);
}

// Where these arguments have these bits.
struct Bits {
  unsigned argument;
  std::uint64_t bits;
};

void refuse_with(void* filter, int call, std::initializer_list<Bits> with) {
  std::vector<scmp_arg_cmp> arguments;
  for (const Bits& one : with)
    arguments.push_back(SCMP_CMP(one.argument, SCMP_CMP_MASKED_EQ, one.bits, one.bits));
  const int result = ::seccomp_rule_add_array(filter, SCMP_ACT_ERRNO(EPERM), call,
                                              static_cast<unsigned>(arguments.size()), arguments.data());
  if (result != 0) fail(fmt::format("seccomp for system call {}", call), -result);
}

void refuse_namespace_of_users(void* filter) {
  refuse_with(filter, SCMP_SYS(clone), {{0, CLONE_NEWUSER}});
  refuse(filter, "clone3", ENOSYS);  // whose flags a filter cannot see; the C library then calls clone
}

// A file that is set-user-ID would carry what is inside out of the confinement; Landlock leaves modes alone.
void refuse_set_id_files(void* filter) {
  constexpr int fchmodat2 = 452;  // younger than the library
  for (const std::uint64_t bit : {S_ISUID, S_ISGID}) {
    refuse_with(filter, SCMP_SYS(chmod), {{1, bit}});
    refuse_with(filter, SCMP_SYS(fchmod), {{1, bit}});
    refuse_with(filter, SCMP_SYS(fchmodat), {{2, bit}});
    refuse_with(filter, fchmodat2, {{2, bit}});
    refuse_with(filter, SCMP_SYS(mkdir), {{1, bit}});
    refuse_with(filter, SCMP_SYS(mkdirat), {{2, bit}});
    refuse_with(filter, SCMP_SYS(creat), {{1, bit}});
    for (const std::uint64_t how : {std::uint64_t{O_CREAT}, std::uint64_t{O_TMPFILE & ~O_DIRECTORY}}) {
      refuse_with(filter, SCMP_SYS(open), {{1, how}, {2, bit}});
      refuse_with(filter, SCMP_SYS(openat), {{2, how}, {3, bit}});
    }
  }
  refuse(filter, "openat2", ENOSYS);  // whose arguments a filter cannot see
}

// What is written so appears as typed by whoever sits at the terminal that relayd was started from.
void refuse_typing(void* filter) {
  constexpr std::uint64_t command = 0xffffffff;  // the kernel looks at 32 bits
  for (const std::uint64_t type : {std::uint64_t{TIOCSTI}, std::uint64_t{TIOCLINUX}}) {
    const scmp_arg_cmp which = SCMP_A1(SCMP_CMP_MASKED_EQ, command, type);
    const int result = ::seccomp_rule_add_array(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(ioctl), 1, &which);
    if (result != 0) fail("seccomp for ioctl", -result);
  }
}

void confine_calls(const Needs& needs) {
  const std::unique_ptr<std::remove_pointer_t<scmp_filter_ctx>, FreeFilter> filter(
      ::seccomp_init(SCMP_ACT_ALLOW));
  if (!filter) fail("seccomp", ENOMEM);
  // Those of another machine, such as a 32-bit one, would be others.
  ::seccomp_attr_set(filter.get(), SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_ERRNO(ENOSYS));
  ::seccomp_attr_set(filter.get(), SCMP_FLTATR_API_SYSRAWRC, 1);
  for (const char* const call : refused_calls) refuse(filter.get(), call, EPERM);
  refuse_namespace_of_users(filter.get());
  refuse_set_id_files(filter.get());
  refuse_typing(filter.get());
  if (!leak_checker) refuse(filter.get(), "ptrace", EPERM);
  if (!needs.programs)
    for (const char* const call : {"execve", "execveat"}) refuse(filter.get(), call, EPERM);
  if (const int result = ::seccomp_load(filter.get()); result != 0) fail("seccomp", -result);
}

bool is_beneath(const std::string& path, const std::string& directory) {
  return path == directory || path.starts_with(directory.ends_with('/') ? directory : directory + "/");
}

}  // namespace

Confinement confine(Needs needs) {
  Confinement made;
  const auto attempt = [&made](auto what) {
    try {
      what();
    } catch (const std::system_error& error) {
      made.lacks += fmt::format("{}{}", made.lacks.empty() ? "" : "; ", error.what());
    }
  };
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) made.lacks = "no_new_privs";
  attempt([&] { made.landlock = confine_files(needs, Sockets::bind); });
  attempt([&] {
    confine_calls(needs);
    made.seccomp = true;
  });
  made.needs = std::move(needs);
  return made;
}

void forbid_new_unix_sockets(const Confinement& confinement) {
  if (confinement.landlock > 0) confine_files(confinement.needs, Sockets::keep);
}

std::string to_string(const Confinement& confinement) {
  std::string text = confinement.landlock > 0 ? fmt::format("Landlock {}", confinement.landlock) : "";
  if (confinement.seccomp) text += text.empty() ? "seccomp" : ", seccomp";
  if (!confinement.lacks.empty())
    text += fmt::format("{}without {}", text.empty() ? "" : "; ", confinement.lacks);
  return text;
}

std::vector<std::string> beyond(const Needs& granted, const Needs& wanted) {
  std::vector<std::string> missing;
  for (const std::string& directory : wanted.directories)
    if (std::ranges::none_of(granted.directories,
                             [&](const std::string& one) { return is_beneath(directory, one); }))
      missing.push_back(directory);
  if (wanted.programs && !granted.programs) missing.push_back("command");
  return missing;
}

}  // namespace relayd::process
