// How a message comes back from the disk: from the page cache on the loop, else through a worker; and what
// becomes of one that does not.
#include <fcntl.h>
#include <fmt/format.h>

#include <cerrno>
#include <utility>

#include "queue/checksum.hpp"
#include "queue/implementation.hpp"
#include "queue/quarantine.hpp"

namespace relayd::queue {
namespace {

constexpr std::size_t piece = 256 << 10;
constexpr auto reading_pause = std::chrono::seconds(10);
constexpr unsigned most_failures = 3;  // of the disk, at one message: then it is held

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

async::Task<Content> Queue::Implementation::read(MessageId id, std::optional<ShipmentId> ours,
                                                 Wanted wanted) {
  for (;;) {
    const Entry* const entry = store.index.find(id);
    if (!entry) throw QueueError(QueueError::Kind::failed, "the message was removed meanwhile");
    const Position where = entry->where;
    const std::uint32_t length = entry->length;
    const std::shared_ptr<const Segment> segment = store.messages.find(where.segment);
    std::string failure;
    std::string bytes;
    std::optional<StoredMessage> stored;
    try {
      bytes = co_await fetch(segment, where, length);
      const auto record = segment ? parse_record(bytes, segment->header.generation) : std::nullopt;
      if (record && record->id == id) stored = decode_message(*record);
      if (stored) {
        Content content = co_await content_of(id, std::move(*stored), ours, wanted);
        co_return content;
      }
    } catch (const disk::DiskError& error) {
      failure = error.what();
    }
    if (!failure.empty() && (!ours || wait_for_disk(*ours)))
      throw QueueError(QueueError::Kind::failed, fmt::format("{} waits: {}", to_string(id), failure));
    Entry* const now = store.index.find(id);
    // Unless it moved meanwhile, and its old segment is in use for something else, it is damaged.
    if (!now || now->where != where) continue;
    if (failure.empty())
      failure = segment ? "its record is damaged" : "the segment that it stood in is missing";
    if (!ours) throw QueueError(QueueError::Kind::failed, failure);
    co_await give_up(*ours, segment, where, length, failure);
  }
}

async::Task<std::string> Queue::Implementation::fetch(std::shared_ptr<const Segment> segment, Position where,
                                                      std::uint32_t length) {
  if (!segment) co_return std::string();
  std::string bytes(length, '\0');
  if (segment->file->read_now(where.offset, bytes.data(), bytes.size())) co_return bytes;
  co_await workers.run(
      [&] { bytes.resize(segment->file->read_at(where.offset, bytes.data(), bytes.size())); });
  co_return bytes;
}

async::Task<Content> Queue::Implementation::content_of(MessageId id, StoredMessage stored,
                                                       std::optional<ShipmentId> ours, Wanted wanted) {
  Content content;
  if (stored.by_reference) {
    std::optional<std::uint64_t> expected;
    if (wanted == Wanted::all) expected = stored.body_checksum;
    content = co_await open_large(id, stored.size, expected, ours);
  } else {
    content.body = stored.body;
    content.size = stored.size;
  }
  const Entry* const entry = store.index.find(id);
  if (!entry) throw QueueError(QueueError::Kind::failed, "the message was removed meanwhile");
  unreadable_.erase(id.value);
  content.envelope = std::move(stored.envelope);
  const Shipment* const shipment = ours ? store.index.find(*ours) : nullptr;
  if (shipment) content.recipients = entry->recipients_of(*shipment);
  if (!ours) content.states = entry->states.unpacked();
  co_return content;
}

async::Task<Content> Queue::Implementation::open_large(MessageId id, std::uint64_t size,
                                                       std::optional<std::uint64_t> expected,
                                                       std::optional<ShipmentId> ours) {
  Content content;
  content.size = size;
  std::string reason;
  try {
    co_await workers.run([&] {
      const std::unique_ptr<disk::File> file = store.disk.open("large/" + to_string(id));
      if (expected && !is_sound(*file, size, *expected)) {
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
  if (!reason.empty() && !ours) throw QueueError(QueueError::Kind::failed, reason);
  if (!reason.empty()) co_await give_up(*ours, nullptr, {}, 0, std::move(reason));
  co_return content;
}

// True: the message waits, as what cannot be read now may well be later. It may not wait for ever, though: a
// sector that is gone is damage.
bool Queue::Implementation::wait_for_disk(ShipmentId id) {
  Shipment* const shipment = store.index.find(id);
  if (!shipment || ++unreadable_[id.message().value] >= most_failures) return false;
  if (shipment->state == MessageState::ready) give_back(*shipment, loop.now() + reading_pause);
  return true;
}

async::Task<void> Queue::Implementation::give_up(ShipmentId ours, std::shared_ptr<const Segment> segment,
                                                 Position where, std::uint32_t length, std::string reason) {
  const MessageId id = ours.message();
  unreadable_.erase(id.value);
  const std::string text = fmt::format("{} is held: {}", to_string(id), reason);
  Shipment* const shipment = store.index.find(ours);
  if (shipment && !take_back_doomed(*shipment)) {
    hold(entry_of(*shipment));
    give_back(*shipment, loop.now());
  }
  alarm.say(text);
  if (segment) {
    try {
      co_await workers.run([&] {
        std::uint64_t unreadable = 0;
        set_aside(store.disk, to_string(id) + "-message",
                  read_what_can_be_read(*segment->file, where.offset, length, unreadable));
      });
    } catch (const disk::DiskError& error) {
      alarm.say(fmt::format("cannot copy it to quarantine: {}", error.what()));
    }
  }
  throw QueueError(QueueError::Kind::failed, text);
}

}  // namespace relayd::queue
