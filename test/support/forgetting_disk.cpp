#include "support/forgetting_disk.hpp"

#include <algorithm>
#include <chrono>
#include <limits>

namespace relayd::test {
namespace {

[[noreturn]] void fail(int error, const std::string& what) {
  throw disk::DiskError(error, std::generic_category(), what);
}

std::string parent(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string::npos ? "." : path.substr(0, slash);
}

}  // namespace

class ForgettingDisk::OpenFile final : public disk::File {
 public:
  OpenFile(ForgettingDisk& disk, std::shared_ptr<Node> node) : disk_(disk), node_(std::move(node)) {}

  std::size_t read_at(std::uint64_t offset, char* buffer, std::size_t size) override {
    std::lock_guard lock(disk_.mutex_);
    disk_.need_power();
    if (disk_.read_error_ != 0) fail(disk_.read_error_, "read");
    if (offset >= node_->live.size()) return 0;
    const std::size_t count = std::min<std::size_t>(size, node_->live.size() - offset);
    for (const BadRange& bad : disk_.bad_ranges_)
      if (bad.node == node_ && offset < bad.to && bad.from < offset + count) fail(EIO, "read");
    std::memcpy(buffer, node_->live.data() + offset, count);
    return count;
  }

  bool read_now(std::uint64_t offset, char* buffer, std::size_t size) override {
    try {
      return disk_.cached_ && read_at(offset, buffer, size) == size;
    } catch (const disk::DiskError&) {
      return false;
    }
  }

  using disk::File::write_at;
  void write_at(std::uint64_t offset, std::span<const std::string_view> pieces) override {
    const auto lock = disk_.change();
    std::string bytes;
    for (const std::string_view piece : pieces) bytes += piece;
    const bool has_power = !disk_.dead_;
    try {
      disk_.step();
    } catch (const disk::DiskError&) {
      if (has_power) put(offset, std::string_view(bytes).substr(0, bytes.size() / 2));
      throw;
    }
    if (!put(offset, bytes)) fail(ENOSPC, "write");
  }

  void sync_data() override {
    const auto lock = disk_.change();
    try {
      disk_.step();
    } catch (const disk::DiskError&) {
      if (!disk_.dead_) node_->dirty.clear();
      throw;
    }
    while (!node_->dirty.empty()) keep_sector(*node_, *node_->dirty.begin());
  }

  void forget_cached() override {
    std::lock_guard lock(disk_.mutex_);
    if (disk_.dead_) return;
    std::string& live = node_->live;
    for (std::size_t from = 0; from < live.size(); from += sector) {
      if (node_->dirty.contains(from / sector)) continue;
      const std::size_t count = std::min(sector, live.size() - from);
      std::string kept = from < node_->durable.size() ? node_->durable.substr(from, count) : "";
      kept.resize(count);
      live.replace(from, count, kept);
    }
  }

  std::uint64_t size() override {
    std::lock_guard lock(disk_.mutex_);
    disk_.need_power();
    return node_->live.size();
  }

  int descriptor() const override { return -1; }

 private:
  // False: there was no room for all of it.
  bool put(std::uint64_t offset, std::string_view all) {
    const std::string_view bytes = all.substr(0, disk_.take_blocks(*node_, offset, all.size()));
    if (bytes.empty()) return all.empty();
    if (node_->live.size() < offset + bytes.size()) node_->live.resize(offset + bytes.size());
    node_->live.replace(offset, bytes.size(), bytes);
    for (std::size_t at = offset / sector; at <= (offset + bytes.size() - 1) / sector; ++at)
      node_->dirty.insert(at);
    return bytes.size() == all.size();
  }

  ForgettingDisk& disk_;
  std::shared_ptr<Node> node_;
};

void ForgettingDisk::arm(std::size_t call, Fault fault, int error) {
  std::lock_guard lock(mutex_);
  fault_at_ = calls_ + call;
  fault_ = fault;
  error_ = error;
}

void ForgettingDisk::heal() {
  std::lock_guard lock(mutex_);
  fault_at_ = 0;
  failing_ = false;
}

void ForgettingDisk::restart(unsigned seed) {
  std::lock_guard lock(mutex_);
  std::mt19937 random(seed);
  const auto survives = [&] { return seed == 1 || (seed > 1 && random() % 2 == 0); };
  for (const Change& change : changes_)
    if (survives()) apply(durable_, change);
  changes_.clear();
  std::set<Node*> seen;
  for (auto& [path, node] : durable_) {
    if (!node || !seen.insert(node.get()).second) continue;
    for (const std::size_t number : std::set<std::size_t>(node->dirty))
      if (survives()) keep_sector(*node, number);
    node->dirty.clear();
    node->live = node->durable;
    node->blocks = node->durable_blocks;
  }
  live_ = durable_;
  opened_.clear();
  fault_at_ = 0;
  failing_ = dead_ = false;
}

void ForgettingDisk::revive(bool keep_faults) {
  std::lock_guard lock(mutex_);
  opened_.clear();
  dead_ = false;
  if (keep_faults) return;
  fault_at_ = 0;
  failing_ = false;
}

std::size_t ForgettingDisk::calls() const {
  std::lock_guard lock(mutex_);
  return calls_;
}

bool ForgettingDisk::dead() const {
  std::lock_guard lock(mutex_);
  return dead_;
}

void ForgettingDisk::set_free_space(Bytes bytes) {
  std::lock_guard lock(mutex_);
  free_space_ = bytes;
}

void ForgettingDisk::set_cached(bool cached) {
  std::lock_guard lock(mutex_);
  cached_ = cached;
}

void ForgettingDisk::fail_reads(int error) {
  std::lock_guard lock(mutex_);
  read_error_ = error;
}

void ForgettingDisk::fail_reads(const std::string& path, std::uint64_t from, std::uint64_t to) {
  std::lock_guard lock(mutex_);
  bad_ranges_.push_back({node(path), from, to});
}

void ForgettingDisk::heal_reads() {
  std::lock_guard lock(mutex_);
  bad_ranges_.clear();
}

void ForgettingDisk::set_capacity(Bytes bytes) {
  std::lock_guard lock(mutex_);
  capacity_ = bytes.count / block;
}

void ForgettingDisk::set_inodes(std::size_t count) {
  std::lock_guard lock(mutex_);
  inodes_ = count;
}

void ForgettingDisk::take_space(Bytes bytes) {
  std::lock_guard lock(mutex_);
  taken_ = 0;
  taken_ = std::min<std::size_t>((bytes.count + block - 1) / block, free_blocks());
}

Bytes ForgettingDisk::allocated() const {
  std::lock_guard lock(mutex_);
  return {used_blocks() * block};
}

void ForgettingDisk::damage(const std::string& path, std::size_t offset) {
  std::lock_guard lock(mutex_);
  Node& damaged = *node(path);
  damaged.live.at(offset) = static_cast<char>(damaged.live.at(offset) ^ 0x20);
  damaged.durable.at(offset) = damaged.live.at(offset);
}

std::map<std::string, std::size_t> ForgettingDisk::sizes() const {
  std::lock_guard lock(mutex_);
  std::map<std::string, std::size_t> found;
  for (const auto& [path, node] : live_)
    if (node) found[path] = node->live.size();
  return found;
}

bool ForgettingDisk::hold(const std::string&) {
  std::lock_guard lock(mutex_);
  need_power();
  return true;
}

std::unique_ptr<disk::File> ForgettingDisk::create(const std::string& path) {
  const auto lock = change();
  step();
  if (live_.contains(path)) fail(EEXIST, path);
  if (parent(path) != ".") node(parent(path));
  need_inode();
  const Change change{parent(path), "", path, std::make_shared<Node>()};
  apply(live_, change);
  changes_.push_back(change);
  return hand_out(change.node);
}

std::unique_ptr<disk::File> ForgettingDisk::open(const std::string& path) {
  std::lock_guard lock(mutex_);
  need_power();
  return hand_out(node(path));
}

void ForgettingDisk::rename(const std::string& from, const std::string& to) {
  const auto lock = change();
  step();
  // Between two directories it is two changes, as on a file system that keeps no order between them.
  const std::shared_ptr<Node> moved = node(from);
  std::vector<Change> changes{{parent(from), from, to, moved}};
  if (parent(from) != parent(to)) changes = {{parent(to), "", to, moved}, {parent(from), from, "", nullptr}};
  for (const Change& change : changes) {
    apply(live_, change);
    changes_.push_back(change);
  }
}

void ForgettingDisk::remove(const std::string& path) {
  const auto lock = change();
  step();
  node(path);
  const Change change{parent(path), path, "", nullptr};
  apply(live_, change);
  changes_.push_back(change);
}

void ForgettingDisk::make_directory(const std::string& path) {
  const auto lock = change();
  step();
  if (live_.contains(path)) return;
  need_inode();
  const Change change{parent(path), "", path, nullptr};
  apply(live_, change);
  changes_.push_back(change);
}

void ForgettingDisk::sync_directory(const std::string& path) {
  const auto lock = change();
  step();
  for (const Change& change : changes_)
    if (change.directory == path) apply(durable_, change);
  std::erase_if(changes_, [&](const Change& change) { return change.directory == path; });
}

std::vector<std::string> ForgettingDisk::list(const std::string& path) {
  std::lock_guard lock(mutex_);
  need_power();
  std::vector<std::string> names;
  for (const auto& [name, node] : live_)
    if (parent(name) == path) names.push_back(name.substr(path == "." ? 0 : path.size() + 1));
  return names;
}

Bytes ForgettingDisk::free_space() {
  std::lock_guard lock(mutex_);
  need_power();
  return capacity_ ? Bytes{free_blocks() * block} : free_space_;
}

std::unique_lock<std::mutex> ForgettingDisk::change() {
  constexpr unsigned one_in = 8, most = 400;
  std::unique_lock lock(mutex_);
  if (shaken_) {
    thread_local std::minstd_rand random(std::random_device{}());
    const bool takes_long = random() % one_in == 0;
    answered_.wait_for(lock, std::chrono::microseconds(takes_long ? random() % most : 0));
  }
  return lock;
}

void ForgettingDisk::step() {
  need_power();
  ++calls_;
  if (calls_ == fault_at_) {
    dead_ = fault_ == Fault::power_fails;
    failing_ = fault_ == Fault::fails_on;
    fail(error_, "fault");
  }
  if (failing_) fail(error_, "fault");
}

void ForgettingDisk::need_power() const {
  if (dead_) fail(EIO, "no power");
}

std::shared_ptr<ForgettingDisk::Node> ForgettingDisk::node(const std::string& path) const {
  const auto found = live_.find(path);
  if (found == live_.end()) fail(ENOENT, path);
  return found->second;
}

std::unique_ptr<disk::File> ForgettingDisk::hand_out(const std::shared_ptr<Node>& node) {
  std::erase_if(opened_, [](const std::weak_ptr<Node>& handle) { return handle.expired(); });
  const std::shared_ptr<Node> handle(node.get(), [node](Node*) {});
  opened_.push_back(handle);
  return std::make_unique<OpenFile>(*this, handle);
}

std::set<const ForgettingDisk::Node*> ForgettingDisk::present() const {
  std::set<const Node*> found;
  for (const auto& [path, node] : live_)
    if (node) found.insert(node.get());
  for (const std::weak_ptr<Node>& handle : opened_)
    if (const std::shared_ptr<Node> node = handle.lock()) found.insert(node.get());
  return found;
}

void ForgettingDisk::need_inode() const {
  if (!inodes_) return;
  std::size_t used = present().size();
  for (const auto& [path, node] : live_) used += node ? 0 : 1;
  if (used >= *inodes_) fail(ENOSPC, "no inode");
}

std::size_t ForgettingDisk::used_blocks() const {
  std::size_t used = 0;
  for (const Node* node : present()) used += node->blocks.size();
  return used;
}

std::size_t ForgettingDisk::free_blocks() const {
  if (!capacity_) return std::numeric_limits<std::size_t>::max();
  const std::size_t used = used_blocks() + taken_;
  return used < *capacity_ ? *capacity_ - used : 0;
}

std::size_t ForgettingDisk::take_blocks(Node& node, std::uint64_t offset, std::size_t size) {
  std::size_t free = free_blocks();
  for (std::uint64_t at = offset; at < offset + size; at += block - at % block) {
    if (node.blocks.contains(at / block)) continue;
    if (free == 0) return at - offset;
    --free;
    node.blocks.insert(at / block);
  }
  return size;
}

void ForgettingDisk::apply(Names& names, const Change& change) {
  if (!change.gone.empty()) names.erase(change.gone);
  if (!change.appears.empty()) names[change.appears] = change.node;
}

void ForgettingDisk::keep_sector(Node& node, std::size_t number) {
  const std::size_t from = number * sector;
  const std::size_t count = std::min(sector, node.live.size() - from);
  if (node.durable.size() < from + count) node.durable.resize(from + count);
  node.durable.replace(from, count, node.live, from, count);
  node.durable_blocks.insert(from / block);
  node.dirty.erase(number);
}

}  // namespace relayd::test
