#include "shared/net/directory_watch.hpp"

#include <sys/inotify.h>
#include <unistd.h>

#include <array>
#include <asio/posix/stream_descriptor.hpp>
#include <cerrno>
#include <system_error>

namespace relayd::net {

struct DirectoryWatch::Implementation : std::enable_shared_from_this<Implementation> {
  Implementation(AsioLoop& loop, std::function<void()> callback)
      : notices(loop.context()), on_arrival(std::move(callback)) {}

  void open(const std::string& directory) {
    const int descriptor = ::inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (descriptor < 0) throw std::system_error(errno, std::generic_category(), "inotify");
    notices.assign(descriptor);
    if (::inotify_add_watch(descriptor, directory.c_str(), IN_MOVED_TO | IN_ONLYDIR | IN_DONT_FOLLOW) < 0)
      throw std::system_error(errno, std::generic_category(), "watch " + directory);
  }

  void wait() {
    notices.async_read_some(asio::buffer(buffer),
                            [self = shared_from_this()](asio::error_code error, std::size_t) {
                              if (error || !self->notices.is_open()) return;
                              self->wait();
                              self->on_arrival();
                            });
  }

  asio::posix::stream_descriptor notices;
  std::array<char, 4096> buffer{};  // what the notices say is not looked at
  std::function<void()> on_arrival;
};

DirectoryWatch::DirectoryWatch(AsioLoop& loop, const std::string& directory, std::function<void()> on_arrival)
    : implementation_(std::make_shared<Implementation>(loop, std::move(on_arrival))) {
  implementation_->open(directory);
  implementation_->wait();
}

DirectoryWatch::~DirectoryWatch() {
  asio::error_code ignored;
  implementation_->notices.close(ignored);
}

}  // namespace relayd::net
