#include "queue/inspect.hpp"

#include <chrono>
#include <memory>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

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
  std::vector<std::string> list(const std::string& path) override { return disk_.list(path); }
  Bytes free_space() override { return disk_.free_space(); }
  bool persistent() override { return disk_.persistent(); }

 private:
  disk::Disk& disk_;
};

}  // namespace

std::optional<Recovery> inspect(disk::Disk& disk, const std::string& directory) {
  if (!disk.hold(directory)) return std::nullopt;
  const auto begun = std::chrono::steady_clock::now();
  UnchangedDisk unchanged(disk);
  Index index;
  SegmentTable segments;
  Replay replay(unchanged, index, segments, {}, {begun, wall_now()});
  replay.run();
  Recovery found;
  found.messages = index.size();
  found.in_doubt = replay.in_doubt();
  found.segments = replay.segments();
  found.read = replay.read();
  found.took = std::chrono::steady_clock::now() - begun;
  found.set_aside = std::move(replay).set_aside();
  found.persistent = disk.persistent();
  return found;
}

}  // namespace relayd::queue
