#include "shared/net/dns_client.hpp"

#include <ares.h>
#include <arpa/inet.h>
#include <fmt/format.h>
#include <netdb.h>

#include <algorithm>
#include <asio/posix/stream_descriptor.hpp>
#include <cstdlib>
#include <deque>
#include <iterator>
#include <limits>
#include <map>
#include <optional>
#include <sstream>
#include <utility>

#include "shared/async/stream.hpp"
#include "shared/base/ascii.hpp"
#include "shared/disk/file_stamp.hpp"

namespace relayd::net {

using async::IoError;
using async::IoFault;
using async::Task;
using std::chrono::milliseconds;

namespace {

constexpr int most_aliases = 8;         // CNAMEs that the server does not follow itself
constexpr int addresses_type = 0;       // of a look-up that is for addresses
constexpr int edns_size = 1232;         // what passes every network in one piece (DNS flag day 2020)
constexpr std::size_t most_found = 64;  // addresses of a host

bool is_literal(const std::string& host) {
  unsigned char bytes[16];
  return host.find(':') != std::string::npos || inet_pton(AF_INET, host.c_str(), bytes) == 1;
}

std::string reason(int status) {
  switch (status) {
    case ARES_ETIMEOUT:
    case ARES_ECANCELLED:
    case ARES_EDESTRUCTION:
      return "no DNS server answers";
    case ARES_ECONNREFUSED:  // the library has no other word where it has tried all
      return "no DNS server tells; they are away, or answer SERVFAIL or REFUSED";
    case ARES_ESERVFAIL:
      return "the DNS server cannot tell (SERVFAIL): those of the domain may be away, or its DNSSEC broken";
    case ARES_EREFUSED:
      return "the DNS server refuses to tell (REFUSED)";
    default:
      return ares_strerror(status);
  }
}

bool is_told(int status) {
  return status == ARES_SUCCESS || status == ARES_ENODATA || status == ARES_ENOTFOUND;
}

// What is asked for: a name, and a type of records, or its addresses.
using Key = std::pair<std::string, int>;

struct Lookup {
  Key key;
  bool done = false;
  int status = ARES_ETIMEOUT;
  std::string message;                 // of records, as it came
  std::vector<std::string> addresses;  // as text
  std::vector<async::Event*> waiting;
};

void take_addresses(const ares_addrinfo& found, std::vector<std::string>& addresses) {
  for (const ares_addrinfo_node* node = found.nodes; node && addresses.size() < most_found;
       node = node->ai_next) {
    char text[NI_MAXHOST];
    if (getnameinfo(node->ai_addr, node->ai_addrlen, text, sizeof text, nullptr, 0, NI_NUMERICHOST) == 0)
      addresses.emplace_back(text);
  }
}

}  // namespace

struct DnsClient::Implementation : std::enable_shared_from_this<DnsClient::Implementation> {
  // c-ares with one set of servers. Replaced when these change, and gone when it has answered all.
  class Channel {
   public:
    Channel(Implementation& owner, const DnsOptions& options) : owner_(owner), alarm_(owner.loop) {
      ares_options chosen{};
      int mask = ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_EDNSPSZ |
                 ARES_OPT_SOCK_STATE_CB | ARES_OPT_RESOLVCONF;
      chosen.flags = ARES_FLAG_EDNS;
      if (options.servers.size() == 1) chosen.flags |= ARES_FLAG_NOCHECKRESP;  // no other could tell more
      chosen.timeout = static_cast<int>(options.timeout.count());
      chosen.tries = options.tries;
      chosen.ednspsz = edns_size;
      chosen.sock_state_cb = on_socket;
      chosen.sock_state_cb_data = this;
      chosen.resolvconf_path = const_cast<char*>(options.resolv_conf.c_str());
      int status = ares_init_options(&handle_, &chosen, mask);
      if (status == ARES_SUCCESS && !options.servers.empty())
        status =
            ares_set_servers_ports_csv(handle_, fmt::format("{}", fmt::join(options.servers, ",")).c_str());
      if (status == ARES_SUCCESS) return;
      if (handle_) ares_destroy(handle_);
      throw IoError(IoFault::resolve, fmt::format("cannot ask DNS: {}", ares_strerror(status)));
    }
    Channel(const Channel&) = delete;
    Channel& operator=(const Channel&) = delete;
    ~Channel() { ares_destroy(handle_); }

    void begin(const std::shared_ptr<Lookup>& lookup) {
      ++pending;
      auto* const asked = new Asked{*this, lookup};
      if (lookup->key.second == addresses_type) {
        ares_addrinfo_hints hints{};
        hints.ai_family = AF_UNSPEC;
        hints.ai_socktype = SOCK_STREAM;
        hints.ai_flags = ARES_AI_ENVHOSTS;
        ares_getaddrinfo(handle_, lookup->key.first.c_str(), nullptr, &hints, on_addresses, asked);
      } else {
        ares_query(handle_, lookup->key.first.c_str(), 1, lookup->key.second, on_records, asked);
      }
      set_alarm();
    }

    std::size_t pending = 0;

   private:
    struct Asked {
      Channel& channel;
      std::shared_ptr<Lookup> lookup;
    };
    // A socket of c-ares, which opens and closes it.
    struct Watch {
      Channel* channel;  // null: the socket is closed
      asio::posix::stream_descriptor descriptor;
      bool wanted[2] = {false, false};  // to read, to write
      bool waits[2] = {false, false};
    };

    static void on_addresses(void* argument, int status, int, ares_addrinfo* found) {
      const std::unique_ptr<Asked> asked(static_cast<Asked*>(argument));
      if (found && status == ARES_SUCCESS) take_addresses(*found, asked->lookup->addresses);
      if (found) ares_freeaddrinfo(found);
      asked->channel.end(asked->lookup, status);
    }
    static void on_records(void* argument, int status, int, unsigned char* data, int size) {
      const std::unique_ptr<Asked> asked(static_cast<Asked*>(argument));
      if (data)
        asked->lookup->message.assign(reinterpret_cast<const char*>(data), static_cast<std::size_t>(size));
      asked->channel.end(asked->lookup, status);
    }
    void end(const std::shared_ptr<Lookup>& lookup, int status) {
      --pending;
      lookup->status = status;
      owner_.end(lookup);
    }

    static void on_socket(void* argument, ares_socket_t socket, int readable, int writable) {
      static_cast<Channel*>(argument)->watch(socket, readable != 0, writable != 0);
    }
    void watch(ares_socket_t socket, bool readable, bool writable) {
      std::shared_ptr<Watch>& entry = watched_[socket];
      if (!readable && !writable) {
        if (entry && entry->descriptor.is_open()) entry->descriptor.release();
        if (entry) entry->channel = nullptr;
        watched_.erase(socket);
        return;
      }
      if (!entry) {
        entry = std::make_shared<Watch>(Watch{this, asio::posix::stream_descriptor(owner_.loop.context())});
        asio::error_code ignored;  // then the alarm ends the look-up
        entry->descriptor.assign(socket, ignored);
      }
      entry->wanted[0] = readable;
      entry->wanted[1] = writable;
      await(entry, 0);
      await(entry, 1);
    }
    static void await(const std::shared_ptr<Watch>& entry, int way) {
      if (!entry->channel || !entry->wanted[way] || entry->waits[way] || !entry->descriptor.is_open()) return;
      entry->waits[way] = true;
      const auto what =
          way == 0 ? asio::posix::descriptor_base::wait_read : asio::posix::descriptor_base::wait_write;
      entry->descriptor.async_wait(what, [entry, way](const asio::error_code& error) {
        entry->waits[way] = false;
        if (error || !entry->channel) return;
        Channel& channel = *entry->channel;
        const ares_socket_t socket = entry->descriptor.native_handle();
        ares_process_fd(channel.handle_, way == 0 ? socket : ARES_SOCKET_BAD,
                        way == 1 ? socket : ARES_SOCKET_BAD);
        channel.set_alarm();
        await(entry, way);
      });
    }

    // For the next time-out of c-ares.
    void set_alarm() {
      timeval next{};
      if (!ares_timeout(handle_, nullptr, &next)) return alarm_.cancel();
      const auto left = std::chrono::seconds(next.tv_sec) + std::chrono::microseconds(next.tv_usec);
      alarm_.at(owner_.loop.now() + left + milliseconds(1), [this] {
        ares_process_fd(handle_, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
        set_alarm();
      });
    }

    Implementation& owner_;
    ares_channel handle_ = nullptr;
    std::map<ares_socket_t, std::shared_ptr<Watch>> watched_;
    async::Timer alarm_;
  };

  Implementation(AsioLoop& of, DnsOptions wanted) : loop(of), options(std::move(wanted)) {}

  // What the files that c-ares reads when it starts look like.
  std::string stamp() const {
    std::string all;
    for (const std::string& file :
         {options.resolv_conf, std::string("/etc/nsswitch.conf"), std::string("/etc/host.conf")})
      all += disk::file_stamp(file) + "\n";
    return all;
  }

  // The channel for a new look-up. Throws IoError.
  Channel& current() {
    std::erase_if(channels, [this](const std::unique_ptr<Channel>& channel) {
      return channel != channels.back() && channel->pending == 0;
    });
    std::string now = stamp();
    if (channels.empty() || now != made_of) {
      channels.push_back(std::make_unique<Channel>(*this, options));
      made_of = std::move(now);
    }
    return *channels.back();
  }

  std::shared_ptr<Lookup> look_up(Key key) {
    std::shared_ptr<Lookup>& lookup = lookups[key];
    if (lookup) return lookup;
    lookup = std::make_shared<Lookup>();
    lookup->key = std::move(key);
    line.push_back(lookup);
    return lookup;
  }

  // Begins what is not begun, and returns once it is done, or gives up.
  Task<void> wait_for(const std::shared_ptr<Lookup>& lookup, Deadline deadline, const std::stop_token& stop) {
    async::Event woken;
    const struct Waiting {
      Lookup& lookup;
      async::Event& woken;
      ~Waiting() { std::erase(lookup.waiting, &woken); }
    } waiting{*lookup, woken};
    lookup->waiting.push_back(&woken);
    begin_next();
    async::Timer limit(loop);
    limit.at(deadline, [&woken] { woken.set(); });
    async::Timer stopped(loop);
    const std::stop_callback on_stop(stop, [&] { stopped.at(loop.now(), [&woken] { woken.set(); }); });
    co_await woken;
    if (stop.stop_requested()) throw IoError(IoFault::cancelled, "the connection was closed by us");
  }

  void begin_next() {
    while (busy < most_at_once && !line.empty()) {
      const std::shared_ptr<Lookup> next = std::move(line.front());
      line.pop_front();
      if (next->waiting.empty()) {  // who asked has gone
        lookups.erase(next->key);
        continue;
      }
      ++busy;
      try {
        current().begin(next);
      } catch (const IoError&) {
        next->status = ARES_EFILE;
        end(next);
      }
    }
  }

  // Called from within c-ares: who waits is woken later, and so is what comes next begun.
  void end(const std::shared_ptr<Lookup>& lookup) {
    lookups.erase(lookup->key);
    loop.post([lookup, weak = weak_from_this()] {
      lookup->done = true;
      for (async::Event* const waiter : std::exchange(lookup->waiting, {})) waiter->set();
      const std::shared_ptr<Implementation> self = weak.lock();
      if (!self) return;
      --self->busy;
      self->begin_next();
    });
  }

  AsioLoop& loop;
  DnsOptions options;
  std::string made_of;                             // the stamp of the latest channel
  std::map<Key, std::shared_ptr<Lookup>> lookups;  // not ended
  std::deque<std::shared_ptr<Lookup>> line;        // of these, not begun
  std::size_t busy = 0;
  std::vector<std::unique_ptr<Channel>> channels;  // the last is for what is new
};

namespace {

std::string absolute(std::string_view name) {
  if (name.ends_with('.')) name.remove_suffix(1);
  return ascii::lower(name);
}

}  // namespace

std::vector<std::string> dns_servers() {
  const char* const named = std::getenv("RELAYD_DNS");
  std::istringstream words(named ? named : "");
  return {std::istream_iterator<std::string>(words), {}};
}

DnsClient::DnsClient(AsioLoop& loop, DnsOptions options)
    : implementation_(std::make_shared<Implementation>(loop, std::move(options))) {}
DnsClient::~DnsClient() = default;

std::size_t DnsClient::under_way() const {
  return implementation_->busy;
}

Task<std::vector<std::string>> DnsClient::addresses(std::string host, Deadline deadline,
                                                    std::stop_token stop) {
  if (is_literal(host)) co_return std::vector<std::string>(1, host);
  const std::shared_ptr<Lookup> lookup = implementation_->look_up({host, addresses_type});
  co_await implementation_->wait_for(lookup, deadline, stop);
  if (lookup->done && lookup->status == ARES_SUCCESS && !lookup->addresses.empty())
    co_return lookup->addresses;
  const bool none = lookup->done && is_told(lookup->status);
  const std::string why = none            ? "no such name, or it has no address"
                          : !lookup->done ? "DNS gives no answer"
                                          : reason(lookup->status);
  throw IoError(IoFault::resolve, fmt::format("{} does not resolve: {}; mail waits", host, why));
}

Task<dns::Told> DnsClient::query(std::string name, dns::RecordType type, Deadline deadline,
                                 std::stop_token stop) {
  const std::string asked = absolute(name);
  std::string next = asked;
  std::uint32_t ttl = std::numeric_limits<std::uint32_t>::max();
  for (int aliases = 0; aliases <= most_aliases; ++aliases) {
    const std::shared_ptr<Lookup> lookup = implementation_->look_up({next, static_cast<int>(type)});
    co_await implementation_->wait_for(lookup, deadline, stop);
    const int status = lookup->done ? lookup->status : ARES_ETIMEOUT;
    if (!is_told(status))
      throw IoError(IoFault::resolve, fmt::format("cannot look up {}: {}", next, reason(status)));
    const bool without_words = status != ARES_SUCCESS && lookup->message.empty();  // c-ares asked nobody
    if (without_words) co_return dns::Told{.name = next, .exists = status != ARES_ENOTFOUND};
    Result<dns::Told> told = dns::read_answer(lookup->message, next, type);
    if (!told) throw IoError(IoFault::resolve, fmt::format("cannot look up {}: {}", next, told.error()));
    told->exists = status != ARES_ENOTFOUND;
    if (!told->records.empty() || !told->exists || told->name == next) {
      told->ttl = std::min(told->ttl, ttl);
      co_return std::move(*told);
    }
    ttl = std::min(ttl, told->ttl);
    next = told->name;
  }
  throw IoError(IoFault::resolve, fmt::format("cannot look up {}: it leads from CNAME to CNAME", asked));
}

}  // namespace relayd::net
