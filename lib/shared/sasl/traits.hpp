// Traits: what there is to know of each SASL mechanism, for those who speak it. Private to this room.
#pragma once

#include "shared/sasl/mechanism.hpp"

namespace relayd::sasl {

struct Traits {
  Mechanism mechanism;
  bool initial_response;    // the client speaks first
  bool scram;               // its second client step derives a key, from what the server says
  bool binds;               // it needs a channel binding
  bool server;              // offered to clients
  int server_derives_from;  // the first server step that may derive a key
};

const Traits& traits_of(Mechanism mechanism);

}  // namespace relayd::sasl
