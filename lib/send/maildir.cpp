#include "send/maildir.hpp"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <chrono>

#include "send/mailbox_text.hpp"
#include "shared/async/stream.hpp"

namespace relayd::send {

using async::Task;
using disk::DiskError;
using smtp::Stage;
using smtp::Trouble;

namespace {

// What a writer has left in `tmp` that long is nobody's any more, by the custom of Maildir.
constexpr std::chrono::hours abandoned_after{36};

// Blocks. False: it is not there, and will be made. A slash behind its name would have a link followed.
bool refuse_others(std::string directory) {
  while (directory.size() > 1 && directory.ends_with('/')) directory.pop_back();
  struct stat status {};
  if (::lstat(directory.c_str(), &status) != 0) return false;
  const auto refuse = [&](int error, std::string_view why) {
    throw DiskError(error, std::generic_category(), fmt::format("{} {}", directory, why));
  };
  if (S_ISLNK(status.st_mode)) refuse(ELOOP, "is a link, which is not followed: name the directory itself");
  if (!S_ISDIR(status.st_mode)) refuse(ENOTDIR, "is no directory");
  if (status.st_uid != ::geteuid())
    refuse(EPERM,
           fmt::format("belongs to the user with the id {} and not to us ({})", status.st_uid, ::geteuid()));
  if ((status.st_mode & (S_IWGRP | S_IWOTH)) != 0 && (status.st_mode & S_ISVTX) == 0)
    refuse(EPERM, "may be written by others: chmod 700");
  return true;
}

// The file's own limits; all other trouble is the directory's.
bool is_full(const DiskError& error) {
  return error.code().value() == EDQUOT || error.code().value() == EFBIG;
}

}  // namespace

Report Maildir::describe() const {
  Report report;
  report.host = options_.directory;
  return report;
}

Event Maildir::trouble(const DiskError& error) {
  if (is_full(error))
    return {Stage::final_dot, {452, {4, 2, 2}, fmt::format("The mailbox is full: {}", error.what())}};
  usable_ = false;
  return {Stage::connect, Trouble::unreachable,
          fmt::format("the mailbox cannot be written: {}", error.what())};
}

Task<std::optional<Event>> Maildir::open() {
  std::optional<Event> event;
  const auto work = [this] {
    prepare();
    remove_leavings();
  };
  try {
    co_await workers_.run(work);
    usable_ = true;
  } catch (const DiskError& error) {
    event = trouble(error);
  }
  co_return event;
}

// Blocks.
void Maildir::prepare() {
  const bool was_there = refuse_others(options_.directory);
  disk_->make_directory(options_.directory);
  if (!was_there) disk_->sync_directory(below(".."));
  for (const std::string_view part : {"cur", "new", "tmp"}) disk_->make_directory(below(part));
  disk_->sync_directory(options_.directory);
}

// Blocks. Of names that we, or others by our host's name, have made.
void Maildir::remove_leavings() {
  const std::string host = maildir_name({}, "", 0, options_.hostname);
  const std::string_view ending = std::string_view(host).substr(host.find('.', host.find('R')));
  const WallTime oldest = loop_.wall_now() - abandoned_after;
  for (const std::string& name : disk_->list(below("tmp"))) {
    long long begun = 0;
    const auto [end, failure] = std::from_chars(name.data(), name.data() + name.size(), begun);
    const bool is_ours = failure == std::errc() && *end == '.' && name.ends_with(ending);
    if (is_ours && WallTime(std::chrono::seconds(begun)) < oldest) disk_->remove(below("tmp/" + name));
  }
}

Task<Report> Maildir::send(Delivery& delivery, Follow&) {
  Report report = describe();
  const Event event = co_await keep(delivery);
  report.add_rest(delivery, event);
  co_return report;
}

Task<Event> Maildir::keep(Delivery& delivery) {
  const std::string name = maildir_name(options_.taken(delivery.id()), delivery.id(),
                                        delivery.recipients().front(), options_.hostname);
  const std::string temporary = below("tmp/" + name);
  std::optional<Event> event;
  bool kept = false;
  try {
    event = co_await write(delivery, name);
    kept = event->reply.positive();
  } catch (const DiskError& error) {
    event = trouble(error);
  } catch (const async::IoError& error) {  // the message cannot be read
    event = Event(Stage::data, Trouble::cancelled, error.what());
  }
  const auto remove = [&] { disk_->remove(temporary); };
  try {
    if (!kept) co_await workers_.run(remove);
  } catch (const DiskError&) {
    // It was not made, or is in `new`, or goes with the leavings.
  }
  co_return *event;
}

Task<Event> Maildir::write(Delivery& delivery, const std::string& name) {
  const std::string temporary = below("tmp/" + name);
  std::unique_ptr<disk::File> file;
  const auto create = [&] {
    try {
      file = disk_->create(temporary);
    } catch (const DiskError& error) {
      if (error.code().value() != EEXIST) throw;
      disk_->remove(temporary);  // of an attempt that a crash has ended
      file = disk_->create(temporary);
    }
  };
  co_await workers_.run(create);
  MailboxText text(delivery.envelope(), delivery.recipients());
  std::string block = text.top();
  std::uint64_t size = 0;
  const auto append = [&] { file->write_at(size, block); };
  for (;;) {
    const std::string_view piece = co_await delivery.next();
    text.feed(piece, block);
    co_await workers_.run(append);
    size += block.size();
    block.clear();
    if (piece.empty()) break;
  }
  if (text.loops())
    co_return Event(Stage::final_dot,
                    {554, {5, 4, 6}, "Mail forwarding loop: it was delivered to this address before"});
  const auto sync = [&] { file->sync_data(); };
  co_await workers_.run(sync);
  co_await delivery.before_final_dot(delivery.recipients());
  const std::string final_name = fmt::format("new/{},S={}", name, size);
  bool is_there = false;
  const auto publish = [&] {
    disk_->rename(temporary, below(final_name));
    is_there = true;
    disk_->sync_directory(below("new"));
  };
  std::string lost;
  try {
    co_await workers_.run(publish);
  } catch (const DiskError& error) {
    if (!is_there) throw;
    lost = error.what();
  }
  if (!lost.empty())  // it may be read already, and may be gone after a power cut
    co_return Event(Stage::final_dot, Trouble::broken,
                    fmt::format("the mailbox has it, but not durably: {}", lost));
  co_return Event(Stage::final_dot, {250, {2, 0, 0}, fmt::format("Kept as {}", final_name)});
}

}  // namespace relayd::send
