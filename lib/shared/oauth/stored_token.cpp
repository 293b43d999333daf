#include "shared/oauth/stored_token.hpp"

#include <nlohmann/json.hpp>
#include <utility>

namespace relayd::oauth {

using nlohmann::json;

namespace {

constexpr int version = 1;

Secret take(json& text) {
  return Secret(std::move(text.get_ref<std::string&>()));
}

}  // namespace

Secret write_stored(const StoredToken& token) {
  json object = {{"version", version},
                 {"provider", token.provider},
                 {"client_id", token.client_id},
                 {"token_url", token.token_url},
                 {"user", token.user},
                 {"refresh_token", token.refresh_token.reveal()},
                 {"previous", token.previous.reveal()},
                 {"seed", token.seed},
                 {"obtained", token.obtained.time_since_epoch().count()}};
  Secret text(object.dump(1, ' ', false, json::error_handler_t::replace) + '\n');
  take(object["refresh_token"]);
  take(object["previous"]);
  return text;
}

Result<StoredToken> parse_stored(std::string_view text) {
  try {
    json object = json::parse(text);
    if (object.at("version") != version) return Error{"it is of a version that this relayd does not read"};
    StoredToken token{object.at("provider"),
                      object.at("client_id"),
                      object.at("token_url"),
                      object.at("user"),
                      take(object.at("refresh_token")),
                      take(object.at("previous")),
                      object.at("seed"),
                      WallTime(std::chrono::microseconds(object.at("obtained").get<std::int64_t>()))};
    if (token.refresh_token.empty()) return Error{"it has no token"};
    return token;
  } catch (const json::exception&) {  // whose text may quote the file
    return Error{"it is damaged"};
  }
}

}  // namespace relayd::oauth
