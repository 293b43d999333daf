// Yahoo and AOL.
#include "providers/provider.hpp"

namespace relayd::providers {

namespace {

Provider of(std::string_view name, std::string_view host, std::optional<config::OAuth2Provider> oauth2) {
  return {
      .name = name,
      .regions = {{"", host}},
      .endpoints = {implicit(465), starttls(587)},
      .mechanisms = {sasl::Mechanism::plain, sasl::Mechanism::login, sasl::Mechanism::xoauth2},
      .oauth2 = oauth2,
      .account = {.hint = "the address of the account, and an app password"},
      .limits = {.recipients_per_message = 100},
      .notes = {"From must be the account.", "500 a day go: set `quota`.",
                "Applications get access tokens only after an agreement with Yahoo is signed."},
      .source = "third-party pages, not noted",
  };
}

}  // namespace

Providers yahoo() {
  // The token server that relayd knows is Yahoo's own.
  return {of("yahoo", "smtp.mail.yahoo.com", config::OAuth2Provider::yahoo),
          of("aol", "smtp.aol.com", std::nullopt)};
}

}  // namespace relayd::providers
