// Opening: whether another connection is worth its handshake.
//
// Fifth stage of the path; shared by all lanes of a site. A handshake costs several round trips and most of
// the processor's time that a small message needs; far away, or behind a large message, waiting costs more. A
// pure value.
#pragma once

#include <algorithm>
#include <cstddef>

#include "shared/base/time.hpp"

namespace relayd::send {

class Opening {
 public:
  // What is assumed at first. The distance of a site changes both in the same measure.
  explicit Opening(Duration opening = std::chrono::milliseconds(20),
                   Duration message = std::chrono::milliseconds(2))
      : opening_(opening), message_(message) {}

  void opened(Duration took) { average(opening_, took); }
  // A connection was busy with a message for so long.
  void sent(Duration took) { average(message_, took); }

  // Whether a connection more opens before these have sent so many messages.
  bool pays(std::size_t waiting, std::size_t connections) const {
    return message_ * waiting >= patience() * connections;
  }
  // Connections that take no message for so long are stuck.
  Duration patience() const { return std::min<Duration>(worth * opening_, longest_patience); }

 private:
  static constexpr int worth = 2;     // openings
  static constexpr int weight = 8;    // of what was, against what is
  static constexpr int believed = 4;  // times the average: one slow handshake is no measure
  static constexpr Duration longest_patience = std::chrono::seconds(1);
  static void average(Duration& value, Duration sample) {
    constexpr Duration least = std::chrono::milliseconds(1);
    value += (std::min(sample, believed * std::max(value, least)) - value) / weight;
  }

  Duration opening_;
  Duration message_;
};

}  // namespace relayd::send
