#include "route/oauth2.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>

namespace relayd::route {

namespace {

using config::OAuth2;
using enum config::OAuth2Grant;
using enum config::OAuth2Provider;

bool is_microsoft(const OAuth2& oauth2) {
  return oauth2.provider == microsoft || oauth2.provider == azure;
}

// The tenants that a person signs in by, wherever they belong; an application belongs to one.
bool is_shared_tenant(std::string_view tenant) {
  return tenant == "common" || tenant == "organizations" || tenant == "consumers";
}

// By what is given: only applications of Microsoft's have tokens of their own, and whoever has a secret alone
// may mean that.
config::OAuth2Grant usual_grant(const OAuth2& oauth2) {
  if (!oauth2.key_file.empty()) return service_account;
  if (oauth2.refresh_token.given()) return refresh_token;
  const bool has_client = oauth2.client_secret.given() || !oauth2.client_certificate.empty();
  const bool may_be_application = is_microsoft(oauth2) || oauth2.provider == generic;
  return has_client && may_be_application && !is_shared_tenant(oauth2.tenant) ? client_credentials
                                                                              : refresh_token;
}

// Takes down what is wrong.
class Check {
 public:
  Check(const OAuth2& oauth2, std::vector<std::string>& errors) : oauth2_(oauth2), errors_(errors) {}

  void run() {
    check_provider();
    check_grant();
    if (oauth2_.grant != service_account && oauth2_.client_id.empty()) error("'client_id' is missing");
    if (oauth2_.grant == refresh_token && oauth2_.user_is_sender)
      error(
          "a refresh token is that of one person: 'user: sender' is for client_credentials, "
          "service_account and token");
  }

 private:
  void error(std::string text) { errors_.push_back(std::move(text)); }
  std::string_view provider() const { return word_for(oauth2_.provider); }

  void check_provider() {
    if (is_microsoft(oauth2_)) {
      if (oauth2_.tenant.empty() && oauth2_.token_url.empty())
        error("'tenant' is missing: the directory's GUID or domain");
    } else {
      if (!oauth2_.tenant.empty()) error(fmt::format("{} has no 'tenant'", provider()));
      if (oauth2_.cloud != config::OAuth2Cloud::global) error(fmt::format("{} has no 'cloud'", provider()));
      if (!oauth2_.client_certificate.empty())
        error(fmt::format("{} takes no 'client_certificate'", provider()));
    }
    if (oauth2_.provider != generic) return;
    if (oauth2_.token_url.empty()) error("provider generic needs a 'token_url'");
    if (oauth2_.scope.empty()) error("provider generic needs a 'scope'");
  }

  void check_grant() {
    switch (oauth2_.grant) {
      case client_credentials:
        return check_client();
      case service_account:
        if (oauth2_.provider != google) error("a service account is Google's: 'provider: google'");
        if (oauth2_.key_file.empty()) error("grant service_account needs a 'key_file'");
        return;
      case refresh_token:
        if (!oauth2_.key_file.empty()) error("a 'key_file' is for grant service_account");
    }
  }

  void check_client() {
    if (!is_microsoft(oauth2_) && oauth2_.provider != generic)
      error(fmt::format("{} gives an application no token of its own: grant client_credentials is not for it",
                        provider()));
    if (is_shared_tenant(oauth2_.tenant))
      error(fmt::format("an application belongs to one tenant, not to '{}': give its GUID or domain",
                        oauth2_.tenant));
    if (!oauth2_.client_secret.given() && oauth2_.client_certificate.empty())
      error("grant client_credentials needs a 'client_secret', or a 'client_certificate' and its key");
    if (oauth2_.refresh_token.given()) error("grant client_credentials has no 'refresh_token'");
    if (!oauth2_.key_file.empty()) error("a 'key_file' is for grant service_account");
  }

  const OAuth2& oauth2_;
  std::vector<std::string>& errors_;
};

// What names the credential, without its secrets.
auto names_of(const OAuth2& oauth2) {
  return std::tie(oauth2.provider, oauth2.grant, oauth2.tenant, oauth2.cloud, oauth2.client_id,
                  oauth2.client_certificate, oauth2.client_key, oauth2.key_file, oauth2.user,
                  oauth2.user_is_sender, oauth2.scope, oauth2.token_url, oauth2.ca_file,
                  oauth2.token_command);
}

}  // namespace

OAuth2 effective_oauth2(OAuth2 oauth2, const providers::Provider* preset, std::vector<std::string>& errors) {
  if (!oauth2.token_command.empty()) return oauth2;
  if (!oauth2.provider_given) {
    if (!preset || !preset->oauth2) {
      errors.emplace_back("'provider' is missing, and the upstream has no preset that tells it");
      return oauth2;
    }
    oauth2.provider = *preset->oauth2;
  }
  if (!oauth2.grant_given) oauth2.grant = usual_grant(oauth2);
  Check(oauth2, errors).run();
  return oauth2;
}

std::string grant_text(const OAuth2& oauth2) {
  if (!oauth2.token_command.empty()) return "by a command";
  return fmt::format("{} of {}", word_for(oauth2.grant), word_for(oauth2.provider));
}

bool same_credential(const OAuth2& a, const OAuth2& b) {
  return names_of(a) == names_of(b) && a.client_secret.is_same(b.client_secret) &&
         a.refresh_token.is_same(b.refresh_token);
}

}  // namespace relayd::route
