// ForgettingDisk: a disk in memory that keeps through a power cut only what was synced: bytes by sync_data(),
// names by sync_directory(). It can fail or lose its power at the Nth call that changes something.
//
// What was not synced may survive a cut all the same, sector by sector and name by name: the seed decides.
//
// After a failed sync the page cache lies, as on Linux: the bytes can be read, also after a kill, but count
// as clean, so that no later sync writes them. A power cut shows what the disk has, and so does
// forget_cached(), which leaves the file its size, with zeroes where the disk has nothing.
//
// With a capacity it can be full. Blocks of 4096 octets are taken by the write that first touches them, so
// that holes are free; they come back once a file has no name and nobody has it open. Names take no blocks. A
// write that needs more than there is writes what fits, in order, and throws ENOSPC. What the sync of a
// directory has not made durable counts all the same; so a cut may bring back more than there is room for,
// and then nothing is free.
#pragma once

#include <cerrno>
#include <condition_variable>
#include <cstring>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
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
  // Only the process was killed: all that was written can be read, be it durable or not. With `keep_faults`
  // the disk fails on, and what was armed stays armed; the power comes back in any case.
  void revive(bool keep_faults = false);

  std::size_t calls() const;         // changing calls so far
  bool dead() const;                 // without power
  void set_free_space(Bytes bytes);  // what is told while no capacity is set
  void set_cached(bool cached);      // false: no read is served without waiting
  void fail_reads(int error);        // errno of every one; 0: none
  // Reads of that file that meet an octet of [from, to) fail with EIO, whatever its name becomes, until
  // heal_reads(); a restart is no cure. May be asked for several times.
  void fail_reads(const std::string& path, std::uint64_t from, std::uint64_t to);
  void heal_reads();
  // These hold until they are set anew, through revive() and restart().
  void set_capacity(Bytes bytes);      // whole blocks; free_space() follows from it from now on
  void set_inodes(std::size_t count);  // files and directories; those there are count
  // Another process's file of that size in the place of the one before, smaller when there is less room; 0
  // gives it back. Counts only where there is a capacity.
  void take_space(Bytes bytes);
  Bytes allocated() const;  // by all our files now, in whole blocks, open ones without a name too
  // Changes one byte of what is durable.
  void damage(const std::string& path, std::size_t offset);
  std::map<std::string, std::size_t> sizes() const;  // of all files, by path

  // From now on each changing call may take a moment, so that threads meet in other orders than they do on a
  // disk that answers at once.
  void shake() { shaken_ = true; }

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
  static constexpr std::size_t block = 4096;

  struct Node {
    std::string live;
    std::string durable;
    std::set<std::size_t> dirty;           // sectors that differ and can still be synced
    std::set<std::size_t> blocks;          // that `live` takes
    std::set<std::size_t> durable_blocks;  // and `durable`
  };
  using Names = std::map<std::string, std::shared_ptr<Node>>;

  // A change of names that no directory sync has made durable yet.
  struct Change {
    std::string directory;
    std::string gone;     // empty: none
    std::string appears;  // empty: none
    std::shared_ptr<Node> node;
  };

  struct BadRange {
    std::shared_ptr<Node> node;
    std::uint64_t from;
    std::uint64_t to;
  };

  class OpenFile;

  std::unique_lock<std::mutex> change();  // how each changing call begins
  void step();                            // counts a changing call; throws when it is to fail
  void need_power() const;
  std::shared_ptr<Node> node(const std::string& path) const;
  std::unique_ptr<disk::File> hand_out(const std::shared_ptr<Node>& node);
  std::set<const Node*> present() const;  // has a name or is open
  void need_inode() const;
  std::size_t used_blocks() const;
  std::size_t free_blocks() const;
  // Takes the blocks of those octets that it has not; how many octets there is room for.
  std::size_t take_blocks(Node& node, std::uint64_t offset, std::size_t size);
  static void apply(Names& names, const Change& change);
  static void keep_sector(Node& node, std::size_t number);

  mutable std::mutex mutex_;
  bool shaken_ = false;
  std::condition_variable answered_;  // never told: how a call takes a moment
  Names live_;
  Names durable_;
  std::vector<Change> changes_;
  std::vector<std::weak_ptr<Node>> opened_;  // each ends with its File, not with the node
  std::size_t calls_ = 0;
  std::size_t fault_at_ = 0;  // 0: none
  Fault fault_ = Fault::fails_once;
  int error_ = EIO;
  bool failing_ = false;
  bool dead_ = false;
  bool cached_ = true;
  int read_error_ = 0;
  std::vector<BadRange> bad_ranges_;
  Bytes free_space_ = 1_GiB;
  std::optional<std::size_t> capacity_;  // in blocks
  std::optional<std::size_t> inodes_;
  std::size_t taken_ = 0;  // blocks, by another process
};

}  // namespace relayd::test
