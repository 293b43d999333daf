// CapturedDesk: answers what is asked over HTTP of the messages that sandbox upstreams have kept
// (docs/api.md).
//
// Beside the path; owned by Web. Files are read by a helper thread. A frame cannot say the token: who has
// read a message gets a ticket, by which its HTML, and that alone, is there for some minutes.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "shared/async/loop.hpp"
#include "shared/async/workers.hpp"
#include "shared/http/server.hpp"
#include "watch/captured.hpp"

namespace relayd::watch {

struct CapturedAsked {
  enum class What {
    list,     // the newest
    message,  // what is in one
    source,   // its octets
    part,     // octets of one of its parts
    frame,    // its HTML, by ticket
    clear,    // all of them go
  };
  What what = What::list;
  CapturedQuestion question = {};  // list; clear: of this upstream
  std::string upstream = {};
  std::string name = {};  // of the message
  std::size_t part = 0;   // from 1 on
  std::string ticket = {};
};

class CapturedDesk {
 public:
  using Places = std::function<std::vector<CapturedPlace>()>;

  static constexpr std::size_t most_tickets = 32;  // the oldest goes
  static constexpr Duration ticket_time = std::chrono::minutes(5);
  static constexpr unsigned most_answers = 4;                  // under way, as each is in memory
  static constexpr std::uint64_t most_message = 256ULL << 20;  // octets that are read of one

  // `places`: those of the present configuration. The loop and the workers outlive this.
  CapturedDesk(async::Loop& loop, async::Workers& workers, Places places);

  async::Task<void> answer(http::Exchange& exchange, const CapturedAsked& asked);
  bool is_busy() const { return answers_ > 0; }

 private:
  struct Ticket {
    std::string text;
    std::string upstream;
    CapturedName name;
    std::size_t part = 0;
    SteadyTime until{};
  };
  // A message that is asked for.
  struct Place {
    std::string upstream;
    std::string directory;
    CapturedName name;
  };

  async::Task<void> tell(http::Exchange& exchange, const CapturedAsked& asked);
  async::Task<void> tell_list(http::Exchange& exchange, const CapturedQuestion& question);
  async::Task<void> tell_message(http::Exchange& exchange, const Place& place);
  async::Task<void> tell_source(http::Exchange& exchange, const Place& place);
  async::Task<void> tell_part(http::Exchange& exchange, const Place& place, std::size_t number);
  async::Task<void> tell_frame(http::Exchange& exchange, const std::string& ticket);
  async::Task<void> clear(http::Exchange& exchange, const std::string& upstream);
  async::Task<void> clear(CapturedRemoval& removal);
  std::optional<Place> place_of(const std::string& upstream, const std::string& name) const;
  std::string make_ticket(const Place& place, std::size_t part);

  async::Loop& loop_;
  async::Workers& workers_;
  Places places_;
  std::deque<Ticket> tickets_;  // the oldest first
  unsigned answers_ = 0;
  bool is_clearing_ = false;
};

}  // namespace relayd::watch
