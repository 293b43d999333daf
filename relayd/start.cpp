#include "start.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "drop/folder.hpp"
#include "relay/needs.hpp"
#include "shared/disk/posix_disk.hpp"
#include "shared/process/privileges.hpp"
#include "shown.hpp"

namespace relayd::command {

namespace {

namespace fs = std::filesystem;
using ConfigFile = std::optional<fs::path>;

// --- places
// --------------------------------------------------------------------------------------------------

// Whether root owns each directory and link of the path, and nobody else can replace one. A sticky directory
// such as /tmp counts.
bool is_roots_own(const fs::path& folder) {
  fs::path way;
  for (const fs::path& part : folder) {
    way /= part;
    struct stat status {};
    if (::lstat(way.c_str(), &status) != 0 || status.st_uid != 0) return false;
    if (S_ISLNK(status.st_mode)) continue;  // has the rights of all
    if ((status.st_mode & (S_IWGRP | S_IWOTH)) != 0 && (status.st_mode & S_ISVTX) == 0) return false;
  }
  return true;
}

// Makes it and what is missing above it, which stays whoever's we are. Goes by descriptors and follows no
// link.
void make_place(const std::string& place, mode_t mode, const process::User& user) {
  std::error_code absent;
  fs::path there = fs::absolute(place, absent).lexically_normal();
  if (!there.has_filename()) there = there.parent_path();  // "queue/"
  std::vector<fs::path> missing;
  while (!fs::exists(there, absent) && there.has_relative_path()) {
    missing.insert(missing.begin(), there.filename());
    there = there.parent_path();
  }
  const fs::path known = fs::canonical(there, absent);
  const bool gives_away = user.uid != ::geteuid();
  if (absent || missing.empty() || (gives_away && !(is_roots_own(there) && is_roots_own(known)))) return;
  disk::Descriptor folder(::open(known.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  for (const fs::path& name : missing) {
    if (::mkdirat(folder.number(), name.c_str(), 0755) != 0) return;
    folder = disk::Descriptor(
        ::openat(folder.number(), name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (folder.number() < 0) return;
  }
  // The mode last: a change of owner takes the set-group-ID bit.
  if (gives_away && ::fchown(folder.number(), user.uid, user.gid) != 0) return;
  static_cast<void>(::fchmod(folder.number(), mode) == 0);
}

void make_places(const config::Config& config, const process::User& user) {
  const mode_t before = ::umask(022);
  make_place(config.queue.directory, 0700, user);
  if (!config.queue.drop.empty()) make_place(config.queue.drop, drop::folder_mode, user);
  for (const config::Upstream& upstream : config.upstreams) {
    if (upstream.sandbox_directory) make_place(*upstream.sandbox_directory, 0700, user);
    if (upstream.maildir) make_place(upstream.maildir->directory, 0700, user);
  }
  for (const std::string& socket : needs_of(config).sockets)
    make_place(fs::path(socket).parent_path(), 0755, user);
  ::umask(before);
}

// --- the user
// ------------------------------------------------------------------------------------------------

Result<process::User> user_for(const config::Config& config, const std::string& as) {
  if (!as.empty()) return process::find_user(as);
  if (!config.user.empty()) return process::find_user(config.user);
  if (!process::may_become()) return process::this_user();
  const std::optional<process::User> owner = process::owner_of(config.queue.directory);
  if (owner && owner->uid != 0) return *owner;
  if (Result<process::User> relayd = process::find_user("relayd")) return relayd;
  return process::this_user();
}

// False: it failed, and the reason was printed. If nobody has named the user, the process stays root instead.
bool become(const config::Config& config, process::User& user, bool is_named) {
  try {
    process::become(user);
    return true;
  } catch (const std::system_error& error) {
    const bool is_guessed = !is_named && ::geteuid() == 0;
    if (is_guessed && user.uid != 0) {
      user = process::this_user();
      return become(config, user, is_named);
    }
    print({{config.file, {}, fmt::format("cannot run as the user {}: {}", user.name, error.what())}});
    return false;
  }
}

config::Loaded load(const ConfigFile& file, bool secrets) {
  const config::Environment environment = config::process_environment();
  const config::Demands demands{.secrets = secrets};
  return file ? config::load_file(*file, environment, demands)
              : config::load_environment(environment, demands);
}

// The configuration as root sees it, which only says whom to become: secrets are for that user to look at.
std::shared_ptr<const config::Config> load_as_root(const ConfigFile& file) {
  std::error_code absent;
  if (file && fs::exists(*file, absent) && !fs::is_regular_file(*file, absent)) {
    print({{file->string(),
            {},
            "it is no file, and what root reads is read twice: once more as the user that it becomes"}});
    return nullptr;
  }
  std::shared_ptr<const config::Config> config = load(file, false).config;
  if (config) return config;
  const config::Loaded whole = load(file, true);  // every error in one pass
  print(whole.errors, whole.warnings);
  return nullptr;
}

// Whether somebody who is not root is that user. False: the reason was printed.
bool may_be(const std::string& name) {
  if (name.empty()) return true;
  const Result<process::User> user = process::find_user(name);
  if (user && user->uid == ::geteuid()) return true;
  print({{"--as", {}, user ? "only root can become another user" : user.error()}});
  return false;
}

}  // namespace

bool become_daemon_user(const config::Config& config, process::User& user, bool makes_places,
                        const std::string& as) {
  process::drop_ambient_capabilities();
  user = process::this_user();
  if (user.uid == 0) {
    Result<process::User> chosen = user_for(config, as);
    if (!chosen) {
      print({{config.file, {}, fmt::format("{}: {}", as.empty() ? "user" : "--as", chosen.error())}});
      return false;
    }
    user = std::move(*chosen);
    if (makes_places) make_places(config, user);
    if (!become(config, user, !config.user.empty() || !as.empty())) return false;
  }
  process::close_to_others();
  return true;
}

std::optional<Start> make_start(const Options& options, bool makes_places) {
  const ConfigFile file = config_file(options);
  process::User user = process::this_user();
  const bool is_root = user.uid == 0;
  if (!is_root && !may_be(options.as)) return std::nullopt;
  if (is_root) {
    const std::shared_ptr<const config::Config> config = load_as_root(file);
    if (!config || !become_daemon_user(*config, user, makes_places, options.as)) return std::nullopt;
  } else {
    process::drop_ambient_capabilities();
    process::close_to_others();
  }

  Start start;
  if (file) start.files[file->string()] = disk::file_stamp(file->string());
  config::Loaded loaded = load(file, true);
  start.standing.user = user;
  if (loaded.config) {
    if (makes_places) make_places(*loaded.config, user);
    if (loaded.config->confinement) start.standing.confinement = process::confine(needs_of(*loaded.config));
  }
  SetupResult result = make_setup(std::move(loaded));
  if (!result.setup) {
    print(result.errors, result.warnings);
    if (is_root && user.uid != 0)
      fmt::print(stderr, "relayd reads files as the user {} (uid {}), whom root becomes here\n",
                 shown(user.name), user.uid);
    return std::nullopt;
  }
  start.setup = std::move(*result.setup);
  start.warnings = std::move(result.warnings);
  start.files.merge(result.files);
  return start;
}

}  // namespace relayd::command
