#include "shared/net/resolver.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netdb.h>

#include <algorithm>
#include <csignal>
#include <memory>
#include <mutex>

#include "shared/async/stream.hpp"

namespace relayd::net {

using async::IoError;
using async::IoFault;
using async::Task;

namespace {

// Shared with the C library's threads, which may answer when nobody waits any more.
struct Lookup {
  std::string host;
  addrinfo hints{};
  gaicb request{};
  std::mutex mutex;
  async::Loop* loop;  // null: nobody waits
  async::Event settled;

  Lookup(async::Loop& owner, std::string name) : host(std::move(name)), loop(&owner) {
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_ADDRCONFIG;
    request.ar_name = host.c_str();
    request.ar_request = &hints;
  }
  ~Lookup() {
    if (request.ar_result) freeaddrinfo(request.ar_result);
  }
  void abandon() {
    const std::lock_guard lock(mutex);
    loop = nullptr;
  }
};

// Wakes the waiter from any thread; never from within a call of the waiter's own.
void wake(const std::shared_ptr<Lookup>& lookup) {
  const std::lock_guard lock(lookup->mutex);
  if (!lookup->loop) return;
  lookup->loop->post([lookup] {
    if (lookup->loop) lookup->settled.set();
  });
}

void on_answer(sigval argument) {
  const std::unique_ptr<std::shared_ptr<Lookup>> lookup(
      static_cast<std::shared_ptr<Lookup>*>(argument.sival_ptr));
  wake(*lookup);
}

void begin(const std::shared_ptr<Lookup>& lookup) {
  auto held = std::make_unique<std::shared_ptr<Lookup>>(lookup);
  sigevent event{};
  event.sigev_notify = SIGEV_THREAD;
  event.sigev_notify_function = on_answer;
  event.sigev_value.sival_ptr = held.get();
  gaicb* list[] = {&lookup->request};
  const int code = getaddrinfo_a(GAI_NOWAIT, list, 1, &event);
  if (code != 0)
    throw IoError(IoFault::resolve,
                  fmt::format("cannot look up {}: {}; mail waits", lookup->host, gai_strerror(code)));
  held.release();
}

std::string problem(const std::string& host, int code) {
  switch (code) {
    case EAI_NONAME:
    case EAI_NODATA:
      return fmt::format("{} does not resolve: no such name, or it has no address; mail waits", host);
    case EAI_AGAIN:
      return fmt::format("{} does not resolve: DNS gives no answer; mail waits", host);
    default:
      return fmt::format("{} does not resolve: {}; mail waits", host, gai_strerror(code));
  }
}

std::vector<std::string> addresses_of(const Lookup& lookup) {
  std::vector<std::string> addresses;
  for (const addrinfo* entry = lookup.request.ar_result; entry; entry = entry->ai_next) {
    char text[NI_MAXHOST];
    if (getnameinfo(entry->ai_addr, entry->ai_addrlen, text, sizeof text, nullptr, 0, NI_NUMERICHOST) == 0)
      addresses.emplace_back(text);
  }
  return addresses;
}

bool is_v6(const std::string& address) {
  return address.find(':') != std::string::npos;
}

bool is_literal(const std::string& host) {
  unsigned char bytes[16];
  return is_v6(host) || inet_pton(AF_INET, host.c_str(), bytes) == 1;
}

}  // namespace

Task<std::vector<std::string>> resolve(async::Loop& loop, std::string host, Deadline deadline,
                                       std::stop_token stop) {
  if (is_literal(host)) co_return std::vector<std::string>(1, host);
  const auto lookup = std::make_shared<Lookup>(loop, host);
  const struct Waiting {
    Lookup& lookup;
    ~Waiting() { lookup.abandon(); }
  } waiting{*lookup};
  begin(lookup);
  async::Timer limit(loop);
  limit.at(deadline, [&lookup] { wake(lookup); });
  const std::stop_callback on_stop(stop, [&lookup] { wake(lookup); });
  co_await lookup->settled;
  if (stop.stop_requested()) throw IoError(IoFault::cancelled, "the connection was closed by us");
  const int code = gai_error(&lookup->request);
  if (code == EAI_INPROGRESS)
    throw IoError(IoFault::resolve,
                  fmt::format("{} does not resolve: DNS gives no answer; mail waits", host));
  if (code != 0) throw IoError(IoFault::resolve, problem(host, code));
  co_return addresses_of(*lookup);
}

std::vector<std::string> interleave(const std::vector<std::string>& addresses) {
  if (addresses.empty()) return {};
  const bool first = is_v6(addresses.front());
  std::vector<std::string> ordered = addresses;
  const auto middle =
      std::stable_partition(ordered.begin(), ordered.end(),
                            [first](const std::string& address) { return is_v6(address) == first; });
  const std::vector<std::string> others(middle, ordered.end());
  ordered.erase(middle, ordered.end());
  for (std::size_t i = 0; i < others.size(); ++i)
    ordered.insert(ordered.begin() + static_cast<std::ptrdiff_t>(std::min(2 * i + 1, ordered.size())),
                   others[i]);
  return ordered;
}

}  // namespace relayd::net
