// Mechanism: what there is to know of each SASL mechanism that may be used. Private to this room.
#pragma once

#include <string_view>

namespace relayd::sasl {

struct Mechanism {
  const char* name;
  bool initial_response;    // the client speaks first
  bool scram;               // its second client step derives a key, from what the server says
  bool server;              // offered to clients
  int server_derives_from;  // the first server step that may derive a key

  bool binds() const { return std::string_view(name).ends_with("-PLUS"); }
};

bool equal_names(std::string_view a, std::string_view b);

// Any case. Null for an unknown one.
const Mechanism* find_mechanism(std::string_view name);

}  // namespace relayd::sasl
