// ForgettingDisk: a disk in memory that keeps through a power cut only what was synced: bytes by sync_data(),
// names by sync_directory(). It can fail or lose its power at the Nth call that changes something.
//
// What was not synced may survive a cut all the same, sector by sector and name by name: the seed decides.
// After a failed sync the bytes stay readable but never reach the disk, as on Linux.
#pragma once

#include <cerrno>
#include <cstring>
#include <map>
#include <memory>
#include <mutex>
#include <random>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "shared/disk/disk.hpp"

namespace relayd::test {

class ForgettingDisk final : public disk::Disk {
 public:
  enum class Fault {
    fails_once,   // the call reports an error; a write may have been done in part
    fails_on,     // so does every later one, until heal()
    power_fails,  // so does every later one, reads too, until restart() or revive()
  };

  // Arms a fault for the Nth changing call from now, 1 being the next.
  void arm(std::size_t call, Fault fault, int error = EIO);
  void heal();
  // The machine comes up again with what was durable and, by the seed, some of what was not: 0 nothing, 1 all
  // of it, others a random choice.
  void restart(unsigned seed);
  // Only the process was killed: all that was written can be read, be it durable or not.
  void revive();

  std::size_t calls() const;  // changing calls so far
  bool dead() const;          // without power
  void set_free_space(Bytes bytes);
  void set_cached(bool cached);  // false: no read is served without waiting
  void fail_reads(int error);    // errno of every one; 0: none
  // Changes one byte of what is durable.
  void damage(const std::string& path, std::size_t offset);
  std::map<std::string, std::size_t> sizes() const;  // of all files, by path

  bool hold(const std::string& directory) override;
  std::unique_ptr<disk::File> create(const std::string& path) override;
  std::unique_ptr<disk::File> open(const std::string& path) override;
  void rename(const std::string& from, const std::string& to) override;
  void remove(const std::string& path) override;
  void make_directory(const std::string& path) override;
  void sync_directory(const std::string& path) override;
  std::vector<std::string> list(const std::string& path) override;
  Bytes free_space() override;
  bool persistent() override { return true; }

 private:
  static constexpr std::size_t sector = 512;

  struct Node {
    std::string live;
    std::string durable;
    std::set<std::size_t> dirty;  // sectors that differ and can still be synced
  };
  using Names = std::map<std::string, std::shared_ptr<Node>>;

  // A change of names that no directory sync has made durable yet.
  struct Change {
    std::string directory;
    std::string gone;     // empty: none
    std::string appears;  // empty: none
    std::shared_ptr<Node> node;
  };

  class OpenFile;

  void step();  // counts a changing call; throws when it is to fail
  void need_power() const;
  std::shared_ptr<Node> node(const std::string& path) const;
  static void apply(Names& names, const Change& change);
  static void keep_sector(Node& node, std::size_t number);

  mutable std::mutex mutex_;
  Names live_;
  Names durable_;
  std::vector<Change> changes_;
  std::size_t calls_ = 0;
  std::size_t fault_at_ = 0;  // 0: none
  Fault fault_ = Fault::fails_once;
  int error_ = EIO;
  bool failing_ = false;
  bool dead_ = false;
  bool cached_ = true;
  int read_error_ = 0;
  Bytes free_space_ = 1_GiB;
};

}  // namespace relayd::test
