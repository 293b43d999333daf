#include "shared/oauth/endpoint.hpp"

#include <fmt/format.h>

#include <string_view>

namespace relayd::oauth {

using config::OAuth2Cloud;
using config::OAuth2Grant;
using config::OAuth2Provider;

namespace {

struct Cloud {
  OAuth2Cloud cloud;
  std::string_view login;      // host of the token server
  std::string_view app_scope;  // client_credentials
  std::string_view user_scope;
};

constexpr Cloud clouds[] = {
    {OAuth2Cloud::global, "login.microsoftonline.com", "https://outlook.office365.com/.default",
     "https://outlook.office.com/SMTP.Send offline_access"},
    {OAuth2Cloud::usgov, "login.microsoftonline.us", "https://outlook.office365.us/.default",
     "https://outlook.office365.us/SMTP.Send offline_access"},
    {OAuth2Cloud::usgov_dod, "login.microsoftonline.us", "https://outlook.office365.us/.default",
     "https://outlook.office365.us/SMTP.Send offline_access"},
    {OAuth2Cloud::china, "login.partner.microsoftonline.cn", "https://partner.outlook.cn/.default",
     "https://partner.outlook.cn/SMTP.Send offline_access"},
};

const Cloud& cloud_of(const config::OAuth2& oauth2) {
  for (const Cloud& cloud : clouds)
    if (cloud.cloud == oauth2.cloud) return cloud;
  return clouds[0];
}

Endpoint microsoft(const config::OAuth2& oauth2) {
  const Cloud& cloud = cloud_of(oauth2);
  const std::string base =
      fmt::format("https://{}/{}/oauth2/v2.0", cloud.login, oauth2.tenant.empty() ? "common" : oauth2.tenant);
  const bool app = oauth2.grant == OAuth2Grant::client_credentials;
  return {base + "/token", base + "/devicecode", base + "/authorize",
          std::string(app ? cloud.app_scope : cloud.user_scope)};
}

Endpoint of_provider(const config::OAuth2& oauth2) {
  switch (oauth2.provider) {
    case OAuth2Provider::microsoft:
      return microsoft(oauth2);
    case OAuth2Provider::azure: {
      Endpoint endpoint = microsoft(oauth2);
      endpoint.scope = "https://communication.azure.com/.default";
      return endpoint;
    }
    case OAuth2Provider::google:
      return {oauth2.grant == OAuth2Grant::service_account ? "" : "https://oauth2.googleapis.com/token", "",
              "https://accounts.google.com/o/oauth2/v2/auth", "https://mail.google.com/"};
    case OAuth2Provider::fastmail:
      return {"https://api.fastmail.com/oauth/refresh", "", "https://api.fastmail.com/oauth/authorize",
              "https://www.fastmail.com/dev/protocol-smtp offline_access"};
    case OAuth2Provider::yahoo:
      return {"https://api.login.yahoo.com/oauth2/get_token", "",
              "https://api.login.yahoo.com/oauth2/request_auth", "mail-w"};
    case OAuth2Provider::generic:
      break;
  }
  return {};
}

// The URL with another word at the end of its path.
std::string beside(const std::string& url, std::string_view word) {
  return url.substr(0, url.rfind('/') + 1).append(word);
}

}  // namespace

Endpoint endpoint_of(const config::OAuth2& oauth2) {
  Endpoint endpoint = of_provider(oauth2);
  if (!oauth2.token_url.empty()) {
    endpoint.token_url = oauth2.token_url;
    endpoint.device_url = endpoint.device_url.empty() ? "" : beside(oauth2.token_url, "devicecode");
    endpoint.authorize_url = beside(oauth2.token_url, "authorize");
  }
  if (!oauth2.scope.empty()) endpoint.scope = oauth2.scope;
  return endpoint;
}

}  // namespace relayd::oauth
