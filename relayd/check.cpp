// relayd check: the configuration as run would read it, and whether the queue is sound.
#include <fmt/format.h>
#include <sysexits.h>
#include <unistd.h>

#include <filesystem>

#include "commands.hpp"
#include "queue/inspect.hpp"
#include "shared/base/counted.hpp"
#include "shared/disk/posix_disk.hpp"
#include "shown.hpp"
#include "start.hpp"

namespace relayd::command {
namespace {

namespace fs = std::filesystem;

void warn(const fs::path& where, const std::string& text) {
  fmt::print(stderr, "{}: warning: {}\n", shown(where.string()), shown(text));
}

void list_quarantine(const fs::path& queue) {
  std::error_code absent;
  for (const auto& entry : fs::directory_iterator(queue / "quarantine", absent))
    warn(entry.path(), "damaged bytes were set aside here; relayd's log of that start says why");
}

// Says what the next start would find unsound. Changes nothing, and has nothing to say of a queue that is not
// there yet.
void inspect_queue(const fs::path& queue) {
  std::error_code absent;
  if (!fs::exists(queue / "lock", absent)) return;
  try {
    disk::PosixDisk disk;
    const queue::Inspection inspection(disk, queue.string());
    for (const std::string& line : inspection.found().set_aside)
      warn(queue, fmt::format("the next start will set aside or report {}", line));
  } catch (const queue::QueueError& error) {
    if (error.kind() != queue::QueueError::Kind::locked) return warn(queue, error.what());
    fmt::print("{}: in use by a running relayd; `relayd queue check` examines a queue that none uses\n",
               shown(queue.string()));
  } catch (const disk::DiskError& error) {
    warn(queue, fmt::format("cannot be examined: {}", error.what()));
  }
}

}  // namespace

int check(const Options& options) {
  const bool is_root = ::geteuid() == 0;
  const std::optional<Start> start = make_start(options, false);
  if (!start) return EX_CONFIG;
  print({}, start->warnings);
  const config::Config& config = *start->setup.config;
  list_quarantine(config.queue.directory);
  inspect_queue(config.queue.directory);
  if (config.staging)
    warn(config.file, fmt::format("staging is on: all mail goes to {}, but for recipients that 'allow' names",
                                  config.staging->redirect));
  const std::string reader = is_root || !options.as.empty()
                                 ? fmt::format(", read as the user {}", shown(start->standing.user.name))
                                 : "";
  fmt::print("{}: ok, {}, {}{}\n", shown(config.file), counted(config.upstreams.size(), "upstream"),
             counted(config.senders.size() + config.recipients.size(), "rule"), reader);
  return EX_OK;
}

}  // namespace relayd::command
