#include "send/sandbox.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <system_error>

#include "shared/async/stream.hpp"
#include "shared/disk/posix_disk.hpp"

namespace relayd::send {

using async::Task;

namespace {

nlohmann::json describe_envelope(const Delivery& delivery, const std::string& username) {
  const mail::Envelope& envelope = delivery.envelope();
  nlohmann::json recipients = nlohmann::json::array();
  for (const std::uint32_t index : delivery.recipients())
    recipients.push_back(envelope.recipients[index].address);
  return {{"id", delivery.id()},       {"sender", envelope.sender},      {"recipients", recipients},
          {"client", envelope.client}, {"account", envelope.account},    {"username", username},
          {"size", delivery.size()},   {"smtp_utf8", envelope.smtp_utf8}};
}

// Blocks. Where the files of a message go, without their endings. A message for more recipients than go at
// once comes in parts: ID, ID-2, ID-3.
std::string free_place(const std::filesystem::path& directory, std::string_view id) {
  const std::string first = (directory / id).string();
  std::string place = first;
  for (int part = 2; std::filesystem::exists(place + ".json"); ++part)
    place = fmt::format("{}-{}", first, part);
  return place;
}

// Blocks. A reader of the directory sees whole files only: the message first under a temporary name, its
// envelope last. They are mail: nobody else may read them, and what lies there already is not written to.
void append(const std::string& path, std::string_view bytes, bool first) {
  if (first) std::filesystem::remove(path);  // of a process that was killed here
  const int how = O_WRONLY | O_CLOEXEC | O_NOFOLLOW | (first ? O_CREAT | O_EXCL : O_APPEND);
  const disk::Descriptor file(::open(path.c_str(), how, S_IRUSR | S_IWUSR));
  bool good = file.number() >= 0;
  while (good && !bytes.empty()) {
    const ssize_t count = ::write(file.number(), bytes.data(), bytes.size());
    if (count > 0) bytes.remove_prefix(static_cast<std::size_t>(count));
    good = count > 0 || errno == EINTR;
  }
  if (!good) throw std::system_error(errno, std::generic_category(), path);
}

}  // namespace

Sandbox::Sandbox(async::Loop& loop, async::Workers& workers, std::string directory, std::string username)
    : LocalTransport(loop, workers), directory_(std::move(directory)), username_(std::move(username)) {}

Task<std::optional<Event>> Sandbox::open() {
  std::optional<Event> event;
  try {
    co_await workers_.run([this] { std::filesystem::create_directories(directory_); });
    usable_ = true;
  } catch (const std::system_error& error) {
    event = Event(smtp::Stage::connect, smtp::Trouble::unreachable, error.what());
  }
  co_return event;
}

Task<Report> Sandbox::send(Delivery& delivery, Follow&) {
  Report report = describe();
  std::optional<Event> event;
  try {
    const std::string place = co_await workers_.run([&] { return free_place(directory_, delivery.id()); });
    const std::string part = place + ".part";
    for (bool first = true;; first = false) {
      const std::string_view piece = co_await delivery.next();
      if (piece.empty() && !first) break;
      co_await workers_.run([&] { append(part, piece, first); });
      if (piece.empty()) break;
    }
    const std::string envelope =
        describe_envelope(delivery, username_).dump(2, ' ', false, nlohmann::json::error_handler_t::replace);
    co_await workers_.run([&] {
      std::filesystem::rename(part, place + ".eml");
      append(part, envelope + "\n", true);
      std::filesystem::rename(part, place + ".json");
    });
    event = Event(smtp::Stage::final_dot, {250, {2, 0, 0}, fmt::format("Kept as {}.eml", place)});
  } catch (const std::system_error& error) {
    event = Event(smtp::Stage::data, {451, {4, 3, 0}, error.what()});
  } catch (const async::IoError& error) {  // the message cannot be read
    event = Event(smtp::Stage::data, smtp::Trouble::cancelled, error.what());
  }
  report.add_rest(delivery, *event);
  co_return report;
}

Report Sandbox::describe() const {
  Report report;
  report.host = directory_;
  return report;
}

}  // namespace relayd::send
