// recipients_text: the recipients of a message in one field of the log.
#pragma once

#include <fmt/format.h>

#include <cstddef>
#include <string>
#include <vector>

#include "shared/mail/envelope.hpp"

namespace relayd {

// The first ten, and how many there are.
inline std::string recipients_text(const std::vector<mail::Recipient>& recipients) {
  constexpr std::size_t shown = 10;
  std::string text;
  for (std::size_t i = 0; i < recipients.size() && i < shown; ++i)
    text += (i == 0 ? "" : ",") + recipients[i].address;
  if (recipients.size() > shown) text += fmt::format(",… {} in all", recipients.size());
  return text;
}

}  // namespace relayd
