// The mailboxes of Tencent: qq.com, and exmail for companies. Their one row is in no document that was read.
#include "providers/provider.hpp"

namespace relayd::providers {

namespace {

using namespace rows;
using enum smtp::ReplyClass;

const std::vector<ReplyRow> replies = {
    {content_sent, code(550), no_matter, "frequency", rate},  // guess
};

}  // namespace

Providers tencent() {
  return {{.name = "qq", .replies = replies}, {.name = "exmail", .replies = replies}};
}

}  // namespace relayd::providers
