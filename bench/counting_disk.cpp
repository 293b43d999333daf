#include "counting_disk.hpp"

#include <thread>
#include <utility>

namespace relayd::bench {
namespace {

constexpr std::size_t type_at = 28;  // in the header of a record

class CountingFile final : public disk::File {
 public:
  CountingFile(std::unique_ptr<disk::File> file, DiskCounts& counts, Duration sync_delay)
      : file_(std::move(file)), counts_(counts), sync_delay_(sync_delay) {}

  std::size_t read_at(std::uint64_t offset, char* buffer, std::size_t size) override {
    return file_->read_at(offset, buffer, size);
  }
  bool read_now(std::uint64_t offset, char* buffer, std::size_t size) override {
    return file_->read_now(offset, buffer, size);
  }
  void write_at(std::uint64_t offset, std::span<const std::string_view> pieces) override {
    for (const std::string_view piece : pieces) count(piece);
    file_->write_at(offset, pieces);
  }
  void sync_data() override {
    ++counts_.syncs;
    file_->sync_data();
    if (sync_delay_ > Duration::zero()) std::this_thread::sleep_for(sync_delay_);
  }
  void forget_cached() override { file_->forget_cached(); }
  void drop_preallocation() override { file_->drop_preallocation(); }
  std::uint64_t size() override { return file_->size(); }
  int descriptor() const override { return file_->descriptor(); }

 private:
  // The journal writes each record as a piece of its own; zeroes and segment headers do not claim their
  // length.
  void count(std::string_view piece) {
    counts_.bytes += piece.size();
    if (piece.size() < queue::record_header || queue::record_length(piece) != piece.size()) return;
    const auto type = static_cast<std::uint8_t>(piece[type_at]);
    if (type < counts_.records.size()) ++counts_.records[type];
  }

  std::unique_ptr<disk::File> file_;
  DiskCounts& counts_;
  const Duration sync_delay_;
};

}  // namespace

std::uint64_t DiskCounts::all_records() const {
  std::uint64_t sum = 0;
  for (const auto& count : records) sum += count;
  return sum;
}

std::unique_ptr<disk::File> CountingDisk::create(const std::string& path) {
  return std::make_unique<CountingFile>(disk_.create(path), counts_, sync_delay_);
}

std::unique_ptr<disk::File> CountingDisk::open(const std::string& path) {
  return std::make_unique<CountingFile>(disk_.open(path), counts_, sync_delay_);
}

void CountingDisk::sync_directory(const std::string& path) {
  ++counts_.syncs;
  disk_.sync_directory(path);
}

}  // namespace relayd::bench
