#include "shared/process/privileges.hpp"

#include <fmt/format.h>
#include <grp.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <memory>
#include <span>
#include <system_error>
#include <type_traits>

#include "shared/process/leak_checker.hpp"

namespace relayd::process {

namespace {

void demand(bool done, const std::string& what) {
  if (!done) throw std::system_error(errno, std::generic_category(), what);
}

struct FreeCapabilities {
  void operator()(cap_t capabilities) const { ::cap_free(capabilities); }
};

// Has these and no others.
void keep(std::span<const cap_value_t> kept) {
  const std::unique_ptr<std::remove_pointer_t<cap_t>, FreeCapabilities> set(::cap_init());
  demand(set != nullptr, "capabilities");
  const int count = static_cast<int>(kept.size());
  if (count > 0) {
    ::cap_set_flag(set.get(), CAP_PERMITTED, count, kept.data(), CAP_SET);
    ::cap_set_flag(set.get(), CAP_EFFECTIVE, count, kept.data(), CAP_SET);
  }
  // Some services may not even ask for what they have already.
  const std::unique_ptr<std::remove_pointer_t<cap_t>, FreeCapabilities> present(::cap_get_proc());
  if (present && ::cap_compare(present.get(), set.get()) == 0) return;
  demand(::cap_set_proc(set.get()) == 0, "give up capabilities");
}

// What the kernel would give back to a program of root's that is started.
void empty_bounding_set() {
  for (cap_value_t one = 0; one < ::cap_max_bits(); ++one)
    demand(::cap_drop_bound(one) == 0, "give up capabilities of programs");
}

bool has(cap_value_t capability) {
  const std::unique_ptr<std::remove_pointer_t<cap_t>, FreeCapabilities> set(::cap_get_proc());
  cap_flag_value_t value = CAP_CLEAR;
  return set && ::cap_get_flag(set.get(), capability, CAP_EFFECTIVE, &value) == 0 && value == CAP_SET;
}

}  // namespace

bool may_become() {
  return has(CAP_SETUID) && has(CAP_SETGID);
}

void become(const User& user) {
  // A container may have taken some of root's capabilities; the bounding set is then the container's matter.
  if (has(CAP_SETPCAP)) empty_bounding_set();
  const bool may_bind = has(CAP_NET_BIND_SERVICE);
  if (user.uid != 0) {
    const std::string what = fmt::format("become the user {}", user.name);
    demand(::initgroups(user.name.c_str(), user.gid) == 0, what);
    demand(::setresgid(user.gid, user.gid, user.gid) == 0, what);
    demand(::prctl(PR_SET_KEEPCAPS, 1) == 0, what);
    demand(::setresuid(user.uid, user.uid, user.uid) == 0, what);
    for (const char* const name : {"XDG_RUNTIME_DIR", "TMPDIR"}) ::unsetenv(name);  // they are root's
    ::setenv("HOME", user.home.c_str(), 1);
    ::setenv("USER", user.name.c_str(), 1);
    ::setenv("LOGNAME", user.name.c_str(), 1);
  }
  static constexpr cap_value_t bind[] = {CAP_NET_BIND_SERVICE};
  keep(may_bind ? std::span<const cap_value_t>(bind) : std::span<const cap_value_t>());
}

void drop_ambient_capabilities() {
  ::cap_reset_ambient();  // old kernels have none
}

void drop_capabilities() {
  drop_ambient_capabilities();
  keep({});
}

void close_to_others() {
  ::umask(077);
  if (leak_checker) return;
  const rlimit none{0, 0};
  ::setrlimit(RLIMIT_CORE, &none);
  ::prctl(PR_SET_DUMPABLE, 0);
}

}  // namespace relayd::process
