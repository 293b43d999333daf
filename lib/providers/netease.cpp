// NetEase: 163.com and 126.com. Only the marks are the same in each language.
//
// Third-party pages, as of 21 November 2026; their addresses were not noted.
#include "providers/provider.hpp"

namespace relayd::providers {

namespace {

using namespace rows;
using enum smtp::ReplyClass;

const std::vector<ReplyRow> replies = {
    {any, code(421), no_matter, "HL:ICC", conn},
    {any, code(421), no_matter, "HL:IFC", rate},
    {sending, code(451), no_matter, "MI:DMC", temp, messages_used_up},
    {sending, code(451), no_matter, "RP:DRC", rate},                        // recipients
    {sending, code(553), no_matter, "must equal authorized user", sender},  // the text is a guess
};

}  // namespace

Providers netease() {
  return {{.name = "163", .replies = replies}, {.name = "126", .replies = replies}};
}

}  // namespace relayd::providers
