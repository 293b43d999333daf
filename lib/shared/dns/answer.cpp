#include "shared/dns/answer.hpp"

#include <fmt/format.h>

namespace relayd::dns {

std::string dkim_name(std::string_view selector, std::string_view domain) {
  return fmt::format("{}._domainkey.{}", selector, domain);
}

std::string dmarc_name(std::string_view domain) {
  return fmt::format("_dmarc.{}", domain);
}

}  // namespace relayd::dns
