#include "running_user.hpp"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "drop/folder.hpp"
#include "relay/needs.hpp"
#include "shared/process/privileges.hpp"
#include "shared/process/user.hpp"

namespace relayd::command {

namespace {

namespace fs = std::filesystem;

Result<process::User> user_for(const config::Config& config) {
  if (!config.user.empty()) return process::find_user(config.user);
  if (!process::may_become()) return process::this_user();
  if (Result<process::User> relayd = process::find_user("relayd")) return relayd;
  const std::optional<process::User> owner = process::owner_of(config.queue.directory);
  return owner ? *owner : process::this_user();
}

void give(const fs::path& path, const process::User& user) {
  if (::lchown(path.c_str(), user.uid, user.gid) != 0)
    throw std::system_error(errno, std::generic_category(), path.string());
}

void make_directory(const fs::path& path, fs::perms mode, const process::User& user) {
  if (!fs::create_directories(path)) return;
  give(path, user);
  fs::permissions(path, mode);
}

void make_drop_folder(const config::Config& config, const process::User& user) {
  const std::string& path = config.queue.drop;
  if (path.empty() || fs::exists(path)) return;
  drop::make_folder(path);
  give(path, user);
  if (::chmod(path.c_str(), drop::folder_mode) != 0)  // the change of owner has taken the set-group-ID bit
    throw std::system_error(errno, std::generic_category(), path);
}

void make_places_for(const process::User& user, const config::Config& config) {
  constexpr fs::perms others_enter = fs::perms::owner_all | fs::perms(0055);
  make_directory(config.queue.directory, fs::perms::owner_all, user);
  make_drop_folder(config, user);
  for (const config::Upstream& upstream : config.upstreams)
    if (upstream.sandbox_directory) make_directory(*upstream.sandbox_directory, fs::perms::owner_all, user);
  for (const std::string& socket : needs_of(config).sockets)
    make_directory(fs::path(socket).parent_path(), others_enter, user);
}

}  // namespace

bool become_running_user(const Options& options, bool make_places) {
  const std::shared_ptr<const config::Config> config = load_config(options).config;
  if (!config) return true;
  const bool is_root = ::geteuid() == 0;
  const Result<process::User> user = is_root ? user_for(*config) : process::this_user();
  if (!user) {
    print({{config->file, {}, fmt::format("user: {}", user.error())}});
    return false;
  }
  try {
    if (make_places) make_places_for(*user, *config);
    if (is_root) process::become(*user);
  } catch (const std::system_error& error) {
    if (!is_root) return true;
    print({{config->file, {}, fmt::format("cannot run as the user {}: {}", user->name, error.what())}});
    return false;
  }
  return true;
}

}  // namespace relayd::command
