// Zoho Mail and ZeptoMail.
//
// Their own documentation, as of 21 November 2026; the pages were not noted.
#include "providers/provider.hpp"

namespace relayd::providers {

namespace {

using namespace rows;
using enum smtp::ReplyClass;

const std::vector<ReplyRow> replies = {
    {sending, code(553), no_matter, "relaying disallowed as",
     sender},  // it says so of the sender at RCPT, too
};

}  // namespace

Providers zoho() {
  return {{.name = "zoho", .replies = replies}, {.name = "zeptomail", .replies = replies}};
}

}  // namespace relayd::providers
