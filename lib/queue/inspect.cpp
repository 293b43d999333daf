#include "queue/inspect.hpp"

#include <fmt/format.h>

#include <chrono>
#include <memory>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "queue/checksum.hpp"
#include "queue/history.hpp"
#include "queue/replay.hpp"

namespace relayd::queue {
namespace {

// A disk that can be read; what would change it is left out, in silence.
class UnchangedFile final : public disk::File {
 public:
  explicit UnchangedFile(std::unique_ptr<disk::File> file) : file_(std::move(file)) {}

  std::size_t read_at(std::uint64_t offset, char* buffer, std::size_t size) override {
    return file_ ? file_->read_at(offset, buffer, size) : 0;
  }
  bool read_now(std::uint64_t, char*, std::size_t) override { return false; }
  void write_at(std::uint64_t, std::span<const std::string_view>) override {}
  void sync_data() override {}
  void forget_cached() override {}
  std::uint64_t size() override { return file_ ? file_->size() : 0; }
  int descriptor() const override { return -1; }

 private:
  std::unique_ptr<disk::File> file_;  // null: one that would have been created
};

class UnchangedDisk final : public disk::Disk {
 public:
  explicit UnchangedDisk(disk::Disk& disk) : disk_(disk) {}

  bool hold(const std::string& directory) override { return disk_.hold(directory); }
  std::unique_ptr<disk::File> create(const std::string&) override {
    return std::make_unique<UnchangedFile>(nullptr);
  }
  std::unique_ptr<disk::File> open(const std::string& path) override {
    return std::make_unique<UnchangedFile>(disk_.open(path));
  }
  void rename(const std::string&, const std::string&) override {}
  void remove(const std::string&) override {}
  void make_directory(const std::string&) override {}
  void sync_directory(const std::string&) override {}
  std::vector<std::string> list(const std::string& path) override {
    try {
      return disk_.list(path);
    } catch (const disk::DiskError& error) {
      if (error.code() != std::errc::no_such_file_or_directory) throw;
      return {};  // a queue of format 1 has no state/
    }
  }
  Bytes free_space() override { return disk_.free_space(); }
  bool persistent() override { return disk_.persistent(); }

 private:
  disk::Disk& disk_;
};

}  // namespace

struct Inspection::State {
  explicit State(disk::Disk& real) : disk(real) {}

  UnchangedDisk disk;
  Ground ground{disk, 0_B, 1_GiB};
  Index index;
  SegmentTable messages;
  SegmentTable states;
  Recovery found;
};

Inspection::Inspection(disk::Disk& disk, const std::string& directory)
    : state_(std::make_unique<State>(disk)) {
  if (!disk.hold(directory))
    throw QueueError(QueueError::Kind::locked, fmt::format("{} is in use by another process", directory));
  const auto begun = std::chrono::steady_clock::now();
  Replay replay({state_->disk, state_->ground, state_->index, state_->messages, state_->states}, {},
                {begun, wall_now()});
  replay.run();
  Recovery& found = state_->found;
  found.messages = state_->index.size();
  found.in_doubt = std::move(replay.in_doubt);
  found.segments = replay.segments;
  found.read = {replay.read};
  found.set_aside = std::move(replay.set_aside);
  found.took = std::chrono::steady_clock::now() - begun;
  found.persistent = disk.persistent();
}

Inspection::~Inspection() = default;

const Recovery& Inspection::found() const {
  return state_->found;
}

namespace {

// The body in a file of its own, if it is as it was written.
std::string read_large(disk::Disk& disk, const StoredMessage& stored, MessageId id, std::string& problem) {
  try {
    const std::unique_ptr<disk::File> file = disk.open("large/" + to_string(id));
    std::uint64_t unreadable = 0;
    std::string body = read_what_can_be_read(*file, 0, file->size(), unreadable);
    if (body.size() != stored.size || checksum(body) != stored.body_checksum) problem = "its body is damaged";
    return body;
  } catch (const disk::DiskError& error) {
    problem = fmt::format("its body is missing: {}", error.what());
    return {};
  }
}

}  // namespace

void Inspection::for_each(const std::function<void(const InspectedMessage&)>& visit) {
  for (const Entry* const entry : state_->index.by_id()) {
    InspectedMessage inspected{
        *entry, {}, entry->states.unpacked(), read_history(state_->states, entry->last), {}, {}};
    const std::optional<std::string> bytes = read_record(state_->messages, entry->where, entry->length);
    const auto segment = state_->messages.find(entry->where.segment);
    const auto record = bytes && segment ? parse_record(*bytes, segment->header.generation) : std::nullopt;
    std::optional<StoredMessage> stored = record ? decode_message(*record) : std::nullopt;
    if (!stored || record->id != entry->id()) {
      inspected.problem = "its record is damaged or missing";
    } else {
      inspected.content = stored->by_reference
                              ? read_large(state_->disk, *stored, entry->id(), inspected.problem)
                              : std::string(stored->body);
      inspected.envelope = std::move(stored->envelope);
    }
    visit(inspected);
  }
}

}  // namespace relayd::queue
