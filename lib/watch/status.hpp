// Status: how a running relay stands, as `relayd status` shows it: its queue, and each lane with what is
// wrong with it.
//
// Beside the path. The relay fills it (relay/status.hpp), Admin writes it out. Plain values, a copy, so that
// a thread may work on it; nothing in it is secret.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "queue/queue.hpp"
#include "shared/async/handshakes.hpp"
#include "shared/base/time.hpp"
#include "tell/metrics.hpp"
#include "watch/accounts.hpp"

namespace relayd::watch {

struct LaneStatus {
  // The worst that is true of it, worst first.
  enum class State {
    stopped,        // by the operator
    paused,         // until `until`, because of `reason`
    quota_used_up,  // until `until`
    probing,        // the pause is over; a message, or a connection alone, shows whether `reason` still holds
    slowed,         // the upstream found it too fast
    open,           // it has work
    idle,           // it has none
  };
  struct Quota {
    std::uint64_t limit = 0;
    std::uint64_t left = 0;
    WallTime resets_at{};  // of a span that slides: when the first of it comes back
    std::string counts = "recipients";
    std::string period = "day";  // or "month", or a span such as "24h"
    bool total = false;          // of all accounts of the upstream
  };

  // A limit that replies have shown, as the configuration would say it.
  struct LearntLimit {
    std::string key;    // "messages_per_connection", "rate"
    std::string value;  // "25", "50 messages/h"
    WallTime until{};   // then it is tried whether there may be more
  };

  // What was learnt of the servers of its upstream, and until when it holds.
  struct Learnt {
    std::string ahead;  // untried, trying, earned, lost; empty: no network
    WallTime ahead_until{};
    std::vector<std::string> offer;  // the lines of EHLO
    WallTime offer_until{};          // long ago: it is not known
    WallTime port_until{};           // where `port` is not the first
    std::uint64_t connections = 0;   // of all accounts together; 0: as many as configured
    std::vector<LearntLimit> limits;
  };

  std::string upstream;
  std::string account;  // empty: no login
  std::string grant;  // how it gets its access tokens: "client_credentials of microsoft"; empty: it has none
  State state = State::idle;
  WallTime until{};
  WallTime since{};         // stopped, paused, probing: it is so
  std::string reply_class;  // paused, probing; of `reason`
  std::string reason;       // paused, probing: the reply, or what happened instead
  unsigned pauses = 0;      // in a row
  std::size_t busy = 0;     // connections
  std::size_t idle = 0;
  std::uint32_t allowed = 0;
  std::size_t waiting = 0;                 // messages that wait for it, or for it first
  double recipients_per_minute = 0;        // 0: no limit
  double messages_per_minute = 0;          // 0: no limit
  std::vector<std::string> rates;          // as configured
  std::optional<std::uint64_t> rate_left;  // what the rates let go at this moment; nothing: no rate
  std::vector<Quota> quotas;
  std::uint16_t port = 0;        // 0: no network
  std::uint16_t first_port = 0;  // the one that would be in use, had it worked
  Learnt learnt;
  bool pipelining_reduced = false;
  bool next_password = false;  // is the one that works
  // The rules that lead here, by what they match: the first of them, and how many there are. None where there
  // are so many rules that it would take long.
  std::vector<std::string> senders;
  std::size_t sender_rules = 0;
  std::string last_reply;  // empty: none yet
  WallTime last_reply_at{};
};
const char* to_string(LaneStatus::State state);

struct Status {
  struct Oldest {
    queue::MessageId id;
    WallTime accepted{};
  };
  // What the kernel lets the process do.
  struct Process {
    std::string user;
    uid_t uid = 0;
    bool confined = false;
    int landlock = 0;  // the version of the kernel's; 0: not in force
    bool seccomp = false;
    std::string lacks = {};  // confined: what is not in force and why
  };

  // What is in use, and whether it is what the files say.
  struct Configuration {
    WallTime loaded{};
    WallTime failed{};          // the last reload, where it failed
    std::string reason = {};    // the first of its errors
    std::size_t errors = 0;     // 0: it did not fail
    std::uint64_t taken = 0;    // reloads, since the start
    std::uint64_t refused = 0;  // likewise
  };

  WallTime now{};
  Duration uptime{};
  Process process;
  std::optional<Configuration> configuration;  // nothing: it is not one that can be read again
  std::optional<queue::Progress> starting;     // the queue is being read; what follows is not known yet
  queue::Totals totals;
  std::optional<Oldest> oldest;  // that is still to be sent, and not held
  tell::Sums counted;
  std::uint64_t bounced = 0;  // since the start: failures that were reported to senders
  // Recipients who are refused since they do not exist.
  struct Suppressed {
    bool on = false;  // by the configuration
    std::size_t count = 0;
  };
  Suppressed suppressed;
  // A receiver of webhooks.
  struct Webhook {
    std::string url;            // without user and query
    std::uint64_t waiting = 0;  // octets of events on disk
    std::uint64_t sent = 0;     // events, since the start
    std::uint64_t dropped = 0;  // likewise
    bool disabled = false;      // it said 410: nothing is sent until the next start or reload
    std::string failure = {};   // of the last try; empty: it worked, or there was none
    WallTime since{};           // of the first that failed since one worked
    WallTime next{};            // when it is tried again
  };
  std::vector<Webhook> webhooks;
  std::vector<Account> accounts;  // as the account watch saw them last; empty: it did not look
  struct Clients {
    std::size_t local = 0;  // on this machine
    std::size_t others = 0;
  };
  Clients clients;  // connections of theirs

  std::optional<Bytes> disk_free;  // of the queue's disk, for us
  Bytes disk_reserve;              // with less than that free, no mail is taken

  // --- for the metrics alone ---
  queue::DiskUse disk;
  struct Upstream {
    std::string name;
    std::uint64_t opened = 0;                                        // connections, since the start
    std::vector<std::pair<std::string_view, std::uint64_t>> failed;  // likewise, by the stage that failed
    async::Handshakes handshakes;
  };
  std::vector<Upstream> upstreams;
  struct Listener {
    std::string address;
    async::Handshakes handshakes;
  };
  std::vector<Listener> listeners;  // with TLS
  struct Certificate {
    std::string kind;  // whose: "listener", "client" (ours, at an upstream), "server" (an upstream's)
    std::string name;  // of the listener or the upstream
    std::optional<WallTime> until;
    std::string file = {};  // client: where `until` is to be read
  };
  std::vector<Certificate> certificates;
  // What an account logs in with, and when it ends.
  struct Credential {
    std::string kind;  // "client_secret", as the configuration tells; "access_token", which is renewed before
    AccountName of;
    WallTime until{};
  };
  std::vector<Credential> credentials;

  std::vector<LaneStatus> lanes;
  std::vector<std::string> unused;     // upstreams that have no lane yet
  std::vector<std::string> sandboxes;  // upstreams that keep mail and send nothing
};

// One object in one line with '\n': snake_case names, ISO 8601 times, numbers of seconds beside them; what
// does not apply is left out. Lanes come in order of trouble, then by name. Names stay: scripts read them.
std::string to_line(Status status);

}  // namespace relayd::watch
