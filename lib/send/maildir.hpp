// Maildir: delivers into a directory of this machine that a mail reader watches, each message as a file of
// its own: `tmp` while it is written, `new` once it is on disk.
//
// Fifth stage of the path. A file has the same name at each attempt (mailbox_text.hpp), so that a message
// which was kept before a crash is not kept twice, as long as nobody has read it meanwhile. Nothing the
// operator could cure fails a message: a disk that is full or may not be written stops the lane; a quota that
// is used up makes the message wait.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "send/local_transport.hpp"
#include "shared/disk/disk.hpp"

namespace relayd::send {

class Maildir final : public LocalTransport {
 public:
  struct Options {
    std::string directory;  // made with mode 0700 where only its last part is missing
    std::string hostname;   // in the names of files
    std::function<WallTime(std::string_view id)> taken;  // when the message with this id was
  };

  // `disk` takes the directory's path in front of its names. Only a directory of our own user is delivered
  // into, and no link to one.
  Maildir(async::Loop& loop, async::Workers& workers, std::unique_ptr<disk::Disk> disk, Options options)
      : LocalTransport(loop, workers), disk_(std::move(disk)), options_(std::move(options)) {}

  async::Task<std::optional<Event>> open() override;
  // One file for all recipients of the delivery; its upstream's limit is one of them at a time.
  async::Task<Report> send(Delivery& delivery, Follow& follow) override;
  Report describe() const override;

 private:
  void prepare();
  void remove_leavings();
  std::string below(std::string_view name) const { return options_.directory + '/' + std::string(name); }
  async::Task<Event> keep(Delivery& delivery);
  async::Task<Event> write(Delivery& delivery, const std::string& name);
  Event trouble(const disk::DiskError& error);

  std::unique_ptr<disk::Disk> disk_;
  Options options_;
};

}  // namespace relayd::send
