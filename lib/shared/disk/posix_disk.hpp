// PosixDisk: the Disk of a running relay, on a directory of the system.
//
// Owns the descriptor of the directory and of its lock file. Follows no symbolic link inside it.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "shared/disk/disk.hpp"

namespace relayd::disk {

// A file descriptor, closed with its owner.
class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int number) : number_(number) {}
  Descriptor(Descriptor&& other) noexcept : number_(other.release()) {}
  Descriptor& operator=(Descriptor&& other) noexcept;
  ~Descriptor();

  int number() const { return number_; }
  int release();

 private:
  int number_ = -1;
};

class PosixDisk final : public Disk {
 public:
  bool hold(const std::string& directory) override;
  std::unique_ptr<File> create(const std::string& path) override;
  std::unique_ptr<File> open(const std::string& path) override;
  void rename(const std::string& from, const std::string& to) override;
  void remove(const std::string& path) override;
  void discard(const std::string& path) override;
  void make_directory(const std::string& path) override;
  void sync_directory(const std::string& path) override;
  std::vector<std::string> list(const std::string& path) override;
  Bytes free_space() override;
  bool persistent() override;

 private:
  Descriptor directory_;
  Descriptor lock_;
};

}  // namespace relayd::disk
