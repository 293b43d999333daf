#include "shared/net/directory_watch.hpp"

#include <sys/inotify.h>
#include <unistd.h>

#include <array>
#include <asio/posix/stream_descriptor.hpp>
#include <cerrno>
#include <cstring>
#include <system_error>

namespace relayd::net {

struct DirectoryWatch::Implementation : std::enable_shared_from_this<Implementation> {
  Implementation(AsioLoop& loop, Wanted of_interest, std::function<void()> callback)
      : notices(loop.context()), wanted(std::move(of_interest)), on_arrival(std::move(callback)) {}

  void open(const std::string& directory) {
    const int descriptor = ::inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (descriptor < 0) throw std::system_error(errno, std::generic_category(), "inotify");
    notices.assign(descriptor);
    if (::inotify_add_watch(descriptor, directory.c_str(), IN_MOVED_TO | IN_ONLYDIR | IN_DONT_FOLLOW) < 0)
      throw std::system_error(errno, std::generic_category(), "watch " + directory);
  }

  void wait() {
    notices.async_read_some(asio::buffer(buffer),
                            [self = shared_from_this()](asio::error_code error, std::size_t count) {
                              if (error || !self->notices.is_open()) return;
                              const bool worth_it = self->tell_of_a_wanted_one(count);
                              self->wait();
                              if (worth_it) self->on_arrival();
                            });
  }

  // One without a name tells that some were lost.
  bool tell_of_a_wanted_one(std::size_t count) const {
    for (std::size_t at = 0; at < count;) {
      inotify_event notice{};
      std::memcpy(&notice, buffer.data() + at, sizeof notice);
      at += sizeof notice + notice.len;
      if (notice.len == 0 || wanted(buffer.data() + at - notice.len)) return true;
    }
    return false;
  }

  asio::posix::stream_descriptor notices;
  std::array<char, 4096> buffer{};
  Wanted wanted;
  std::function<void()> on_arrival;
};

DirectoryWatch::DirectoryWatch(AsioLoop& loop, const std::string& directory, Wanted wanted,
                               std::function<void()> on_arrival)
    : implementation_(std::make_shared<Implementation>(loop, std::move(wanted), std::move(on_arrival))) {
  implementation_->open(directory);
  implementation_->wait();
}

DirectoryWatch::~DirectoryWatch() {
  asio::error_code ignored;
  implementation_->notices.close(ignored);
}

}  // namespace relayd::net
