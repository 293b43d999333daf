// relayd queue check, relayd queue export: a queue that no daemon uses, read from its files and left as it
// is.
#include <fmt/format.h>
#include <sysexits.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "commands.hpp"
#include "progress.hpp"
#include "queue/inspect.hpp"
#include "shared/base/counted.hpp"
#include "shared/disk/posix_disk.hpp"
#include "shown.hpp"
#include "watch/answer.hpp"

namespace relayd::command {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

// The directory that the operator named, else that of the configuration; empty: there is none, and an error
// was printed.
std::string directory_of(const Options& options) {
  if (!options.directory.empty()) return options.directory;
  const std::shared_ptr<const config::Config> config = usable_config(options);
  return config ? config->queue.directory : std::string();
}

// Calls `work` with the queue, and prints why it cannot be read.
template <class Work>
int with_queue(const Options& options, Work work) {
  const std::string directory = directory_of(options);
  if (directory.empty()) return EX_CONFIG;
  std::error_code absent;
  if (!fs::is_directory(fs::path(directory) / "journal", absent)) {
    fmt::print(stderr, "{}: there is no queue: it has no folder 'journal'\n", shown(directory));
    return EX_NOINPUT;
  }
  try {
    disk::PosixDisk disk;
    queue::Inspection inspection(disk, directory);
    return work(directory, inspection);
  } catch (const queue::QueueError& error) {
    fmt::print(
        stderr, "{}: {}{}\n", shown(directory), shown(error.what()),
        error.kind() == queue::QueueError::Kind::locked ? ": stop relayd first, or look at a copy" : "");
    return error.kind() == queue::QueueError::Kind::locked ? EX_TEMPFAIL : EX_DATAERR;
  } catch (const std::system_error& error) {
    fmt::print(stderr, "{}: {}\n", shown(directory), shown(error.what()));
    return EX_IOERR;
  }
}

std::string describe(const queue::InspectedMessage& inspected) {
  const queue::Message& message = inspected.message;
  json object = {{"id", queue::to_string(message.id())},    {"state", queue::to_string(message.state)},
                 {"sender", inspected.envelope.sender},     {"routing_sender", message.routing_sender},
                 {"client", inspected.envelope.client},     {"account", inspected.envelope.account},
                 {"listener", inspected.envelope.listener}, {"accepted", watch::time_text(message.accepted)},
                 {"attempts", message.attempts()},          {"size", message.size}};
  if (!inspected.problem.empty()) object["problem"] = inspected.problem;
  message.for_each_shipment([&object](const queue::Shipment& shipment) {
    if (shipment.in_doubt()) object["doubted"].push_back(shipment.doubted);
  });
  for (std::size_t i = 0; i < inspected.states.size(); ++i) {
    json recipient = {{"state", queue::to_string(inspected.states[i])}};
    if (i < inspected.envelope.recipients.size()) recipient["to"] = inspected.envelope.recipients[i].address;
    object["recipients"].push_back(std::move(recipient));
  }
  for (const queue::HistoryEvent& event : inspected.history)
    for (const queue::RecipientOutcome& reply : event.outcome.recipients)
      object["replies"].push_back({{"time", watch::time_text(event.when)},
                                   {"upstream", event.outcome.upstream},
                                   {"recipient", reply.recipient},
                                   {"code", reply.code},
                                   {"response", reply.text}});
  return object.dump(2, ' ', false, json::error_handler_t::replace) + "\n";
}

void write(const fs::path& path, const std::string& bytes) {
  std::ofstream file(path, std::ios::binary);
  file << bytes;
  file.close();
  if (!file) throw std::system_error(EIO, std::generic_category(), "write " + path.string());
}

// The folder is new, and for nobody else to read.
bool make_folder(const fs::path& folder) {
  std::error_code failure;
  if (fs::create_directory(folder, failure)) {
    fs::permissions(folder, fs::perms::owner_all);
    return true;
  }
  fmt::print(stderr, "{}: {}\n", shown(folder.string()),
             failure ? failure.message() : "it is there already; name a folder that is not");
  return false;
}

}  // namespace

int queue_check(const Options& options) {
  return with_queue(options, [](const std::string& directory, queue::Inspection& inspection) {
    const queue::Recovery& found = inspection.found();
    std::size_t problems = found.set_aside.size();
    for (const std::string& line : found.set_aside) fmt::print("{}\n", shown(line));
    std::size_t octets = 0;
    Progress progress(false);
    inspection.for_each([&](const queue::InspectedMessage& inspected) {
      progress.step();
      octets += inspected.content.size();
      if (inspected.problem.empty()) return;
      ++problems;
      progress.hide();
      fmt::print("{}: {}\n", queue::to_string(inspected.message.id()), shown(inspected.problem));
    });
    progress.hide();
    fmt::print("{}: {}, {}, {} in doubt; {}\n", shown(directory), counted(found.messages, "message"),
               counted(octets, "octet"), found.in_doubt.size(),
               problems == 0 ? "sound" : counted(problems, "problem"));
    return problems == 0 ? EX_OK : 1;
  });
}

int queue_export(const Options& options) {
  return with_queue(options, [&options](const std::string& directory, queue::Inspection& inspection) -> int {
    const fs::path folder = options.to;
    if (!make_folder(folder)) return EX_CANTCREAT;
    std::size_t count = 0, problems = inspection.found().set_aside.size();
    for (const std::string& line : inspection.found().set_aside) fmt::print(stderr, "{}\n", shown(line));
    Progress progress(false);
    inspection.for_each([&](const queue::InspectedMessage& inspected) {
      progress.step();
      const std::string name = queue::to_string(inspected.message.id());
      write(folder / (name + ".eml"), inspected.content);
      write(folder / (name + ".json"), describe(inspected));
      ++count;
      if (inspected.problem.empty()) return;
      ++problems;
      progress.hide();
      fmt::print(stderr, "{}: {}\n", name, shown(inspected.problem));
    });
    std::error_code absent;
    const fs::path quarantine = fs::path(directory) / "quarantine";
    std::size_t kept = 0;
    for (const auto& file : fs::directory_iterator(quarantine, absent)) {
      if (kept++ == 0) fs::create_directory(folder / "quarantine");
      fs::copy_file(file.path(), folder / "quarantine" / file.path().filename());
    }
    progress.hide();
    fmt::print("{}: {}, and {} from quarantine as on disk\n", shown(folder.string()),
               counted(count, "message"), counted(kept, "file"));
    return problems == 0 ? EX_OK : 1;
  });
}

}  // namespace relayd::command
