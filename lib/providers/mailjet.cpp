// Mailjet: the header fields that it acts on.
//
// Its own documentation of SMTP, as of 21 November 2026; the page was not noted.
#include "providers/provider.hpp"

namespace relayd::providers {

Providers mailjet() {
  return {{
      .name = "mailjet",
      // X-MJ-TemplateID and -Vars replace the content, X-Mailjet-DeduplicateCampaign holds mail back.
      .control = {.fields = {{"X-Mailjet-Campaign", true},
                             {"X-MJ-CustomID", true},
                             {"X-MJ-EventPayload", true},
                             {"X-Mailjet-*"},
                             {"X-MJ-*"}}},
      .domain = "mailjet.com",
  }};
}

}  // namespace relayd::providers
