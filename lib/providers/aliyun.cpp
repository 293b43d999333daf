// Alibaba Cloud: DirectMail and Alimail, which answer by numbers of their own.
//
// Third-party pages that list them, as of 21 November 2026; their addresses were not noted.
#include "providers/provider.hpp"

namespace relayd::providers {

namespace {

using namespace rows;
using enum smtp::ReplyClass;

const std::vector<ReplyRow> replies = {
    {only(Stage::auth), code(526), no_matter, "[1]", auth, half_an_hour},  // too many failures
    {sending, code(440), no_matter, "", sender},                           // it is not the login
    {sending, code(505), no_matter, "", temp, too_many_for_one},           // too many recipients
    {sending, code(510), no_matter, "", size},                             // too big
    {sending, code(541), no_matter, "", auth},                             // the account may not send
};

}  // namespace

Providers aliyun() {
  return {{.name = "aliyun-dm", .replies = replies}, {.name = "alimail", .replies = replies}};
}

}  // namespace relayd::providers
