#include "shared/net/directory_watch.hpp"

#include <sys/inotify.h>
#include <unistd.h>

#include <array>
#include <asio/posix/stream_descriptor.hpp>
#include <cerrno>
#include <cstring>
#include <system_error>

namespace relayd::net {

namespace {

constexpr std::uint32_t arrivals = IN_MOVED_TO;
constexpr std::uint32_t changes = IN_MOVED_TO | IN_MOVED_FROM | IN_CREATE | IN_DELETE | IN_MODIFY | IN_ATTRIB;

}  // namespace

struct DirectoryWatch::Implementation : std::enable_shared_from_this<Implementation> {
  Implementation(AsioLoop& loop, std::function<void()> callback)
      : notices(loop.context()), on_notice(std::move(callback)) {}

  void open() {
    const int descriptor = ::inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (descriptor < 0) throw std::system_error(errno, std::generic_category(), "inotify");
    notices.assign(descriptor);
  }

  void add(const std::string& directory, std::uint32_t what, Wanted of_interest) {
    const int watch =
        ::inotify_add_watch(notices.native_handle(), directory.c_str(), what | IN_ONLYDIR | IN_DONT_FOLLOW);
    if (watch < 0) throw std::system_error(errno, std::generic_category(), "watch " + directory);
    wanted[watch] = std::move(of_interest);
  }

  void wait() {
    notices.async_read_some(asio::buffer(buffer),
                            [self = shared_from_this()](asio::error_code error, std::size_t count) {
                              if (error || !self->notices.is_open()) return;
                              const bool worth_it = self->tell_of_a_wanted_one(count);
                              self->wait();
                              if (worth_it) self->on_notice();
                            });
  }

  // One without a name tells that some were lost, or of the directory itself.
  bool tell_of_a_wanted_one(std::size_t count) const {
    for (std::size_t at = 0; at < count;) {
      inotify_event notice{};
      std::memcpy(&notice, buffer.data() + at, sizeof notice);
      at += sizeof notice + notice.len;
      const auto known = wanted.find(notice.wd);
      if (notice.len == 0 || known == wanted.end() || known->second(buffer.data() + at - notice.len))
        return true;
    }
    return false;
  }

  asio::posix::stream_descriptor notices;
  std::array<char, 4096> buffer{};
  std::map<int, Wanted> wanted;  // by watch
  std::function<void()> on_notice;
};

DirectoryWatch::DirectoryWatch(AsioLoop& loop, const std::string& directory, Wanted wanted,
                               std::function<void()> on_arrival)
    : implementation_(std::make_shared<Implementation>(loop, std::move(on_arrival))) {
  implementation_->open();
  implementation_->add(directory, arrivals, std::move(wanted));
  implementation_->wait();
}

DirectoryWatch::DirectoryWatch(AsioLoop& loop, const Names& names, std::function<void()> on_change)
    : implementation_(std::make_shared<Implementation>(loop, std::move(on_change))) {
  try {
    implementation_->open();
  } catch (const std::system_error& error) {
    lacks_.emplace_back(error.what());
    return;
  }
  for (const auto& [directory, wanted] : names) {
    try {
      implementation_->add(directory, changes, [wanted = wanted](std::string_view name) {
        return wanted.contains(std::string(name));
      });
    } catch (const std::system_error& error) {
      lacks_.emplace_back(error.what());
    }
  }
  implementation_->wait();
}

DirectoryWatch::~DirectoryWatch() {
  asio::error_code ignored;
  implementation_->notices.close(ignored);
}

}  // namespace relayd::net
