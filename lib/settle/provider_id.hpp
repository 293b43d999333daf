// The provider's id of a message, as its reply to the final dot names it.
//
// For the log and the history: with it an operator finds the message at the provider. Pure.
#pragma once

#include <string>
#include <string_view>

#include "shared/smtp/reply.hpp"

namespace relayd::settle {

// By the provider's pattern, else by "queued as ID"; empty: it names none. Graphic ASCII, at most 255 octets.
std::string provider_id(const smtp::Reply& reply, std::string_view provider);
// Of a reply as the queue's history keeps it: its code, and its text in one escaped line.
std::string provider_id(int code, std::string_view line, std::string_view provider);

}  // namespace relayd::settle
