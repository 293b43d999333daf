// How bytes of a message come back from the disk: from the page cache on the loop, else through a worker.
#include <fcntl.h>
#include <fmt/format.h>

#include <cerrno>
#include <utility>

#include "queue/checksum.hpp"
#include "queue/implementation.hpp"

namespace relayd::queue {
namespace {

constexpr std::size_t piece = 256 << 10;

// Blocks. True when the whole file is there and as it was written.
bool is_sound(disk::File& file, std::uint64_t size, std::uint64_t expected) {
  std::string buffer(piece, '\0');
  RunningChecksum sum;
  std::uint64_t at = 0;
  while (const std::size_t got = file.read_at(at, buffer.data(), buffer.size())) {
    sum.add(std::string_view(buffer).substr(0, got));
    at += got;
  }
  return at == size && sum.value() == expected;
}

}  // namespace

async::Task<std::string> Queue::Implementation::fetch(std::shared_ptr<const Segment> segment, Position where,
                                                      std::uint32_t length) {
  if (!segment) co_return std::string();
  std::string bytes(length, '\0');
  if (segment->file->read_now(where.offset, bytes.data(), bytes.size())) co_return bytes;
  co_await workers.run(
      [&] { bytes.resize(segment->file->read_at(where.offset, bytes.data(), bytes.size())); });
  co_return bytes;
}

async::Task<Content> Queue::Implementation::open_large(MessageId id, std::uint64_t size,
                                                       std::uint64_t expected) {
  Content content;
  content.size = size;
  std::string reason;
  try {
    co_await workers.run([&] {
      const std::unique_ptr<disk::File> file = disk.open("large/" + to_string(id));
      if (!is_sound(*file, size, expected)) {
        reason = "its body is damaged";
      } else if (file->descriptor() >= 0) {
        content.file = ::fcntl(file->descriptor(), F_DUPFD_CLOEXEC, 0);
        if (content.file < 0)
          throw disk::DiskError(errno, std::generic_category(), "open large/" + to_string(id));
      } else {
        content.body.resize(size);
        file->read_at(0, content.body.data(), size);
      }
    });
  } catch (const disk::DiskError& error) {
    if (error.code() != std::errc::no_such_file_or_directory) throw;
    reason = error.what();
  }
  if (!reason.empty()) co_await give_up(id, {}, std::move(reason));
  co_return content;
}

async::Task<void> Queue::Implementation::give_up(MessageId id, std::string bytes, std::string reason) {
  const std::string text = fmt::format("{} is held: {}", to_string(id), reason);
  if (Entry* entry = index.find(id)) {
    submit_event(RecordType::hold, *entry);
    index.set_timeless(*entry, MessageState::held);
  }
  alarm.say(text);
  if (!bytes.empty()) {
    try {
      co_await workers.run([&] { set_aside(disk, to_string(id) + "-message", bytes); });
    } catch (const disk::DiskError& error) {
      alarm.say(fmt::format("cannot copy it to quarantine: {}", error.what()));
    }
  }
  throw QueueError(QueueError::Kind::failed, text);
}

}  // namespace relayd::queue
