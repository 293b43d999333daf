#include "watch/api.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>

#include "shared/base/ascii.hpp"
#include "watch/answer.hpp"

namespace relayd::watch {

using nlohmann::json;
using What = Asked::What;

namespace {

// A path; one that ends with '*' has the id of a message there.
struct Path {
  std::string_view path;
  What what;
  std::string_view command = {};  // of the Desk
  bool changes = false;
  bool is_open = false;  // says nothing of mail: also other machines may ask without the token
};

constexpr Path paths[] = {
    {"/", What::page, "", false, true},
    {"/livez", What::live, "", false, true},
    {"/readyz", What::ready, "", false, true},
    {"/metrics", What::metrics, "", false, true},
    {"/status.json", What::object, "status"},
    {"/api/status", What::object, "status"},
    {"/api/events", What::events},
    {"/api/series", What::series},
    {"/api/lanes", What::lanes},
    {"/api/history", What::history},
    {"/api/explain", What::explain},
    {"/api/queue", What::lines, "list"},
    {"/api/queue/retry", What::lines, "retry", true},
    {"/api/queue/hold", What::lines, "hold", true},
    {"/api/queue/release", What::lines, "release", true},
    {"/api/queue/delete", What::lines, "delete", true},
    {"/api/queue/*", What::object, "show"},
    {"/api/queue/*/message", What::message, "show"},
    {"/api/lanes/pause", What::lines, "pause", true},
    {"/api/lanes/resume", What::lines, "resume", true},
    {"/api/suppress", What::lines, "suppress_list"},
    {"/api/suppress/add", What::lines, "suppress_add", true},
    {"/api/suppress/remove", What::lines, "suppress_remove", true},
    {"/api/reload", What::object, "reload", true},
};

constexpr std::size_t usual_limit = 100, most_listed = 1000;  // of lanes and of messages that have left

constexpr std::string_view known_methods[] = {"GET",    "HEAD",    "POST",  "PUT",
                                              "DELETE", "OPTIONS", "PATCH", "TRACE"};

// Whether a request's path is that one; `id` is what stands for the '*'.
bool is_path(std::string_view pattern, std::string_view path, std::string_view& id) {
  const std::size_t star = pattern.find('*');
  if (star == std::string_view::npos) return pattern == path;
  const std::string_view behind = pattern.substr(star + 1);
  if (!path.starts_with(pattern.substr(0, star)) || !path.ends_with(behind) ||
      path.size() <= star + behind.size())
    return false;
  id = path.substr(star, path.size() - star - behind.size());
  return std::ranges::all_of(id, [](char c) { return ascii::is_letter(c) || ascii::is_digit(c); });
}

// The name without a port and a dot at the end.
std::string_view name_of(std::string_view authority) {
  std::string_view name = authority.substr(0, authority.find(':'));
  if (name.ends_with('.')) name.remove_suffix(1);
  return name;
}

// Names of ours, and every address: what a browser was led to by a foreign name is none.
bool is_ours(std::string_view authority, const Entrance& entrance) {
  if (authority.starts_with('[')) return true;
  const std::string_view name = name_of(authority);
  const auto is_of_address = [](char c) { return ascii::is_digit(c) || c == '.'; };
  return name == "localhost" || (!name.empty() && std::ranges::all_of(name, is_of_address)) ||
         std::ranges::find(entrance.hosts, name) != entrance.hosts.end();
}

// A change that a web page of others has sent; browsers say so.
bool is_foreign(const http::ReceivedRequest& request) {
  const std::string* const site = request.header("sec-fetch-site");
  if (site && *site != "same-origin" && *site != "none") return true;
  const std::string* const origin = request.header("origin");
  return origin && !ascii::lower(*origin).ends_with("://" + request.authority);
}

std::optional<http::Answer> refusal_of_token(const http::ReceivedRequest& request, const Secret& token) {
  const std::string* const said = request.header("authorization");
  constexpr std::string_view scheme = "bearer ";
  const bool is_bearer =
      said && ascii::equal_ignoring_case(std::string_view(*said).substr(0, scheme.size()), scheme);
  if (is_bearer && !token.empty() &&
      equal_secrets(std::string_view(*said).substr(scheme.size()), token.reveal()))
    return std::nullopt;
  http::Answer answer =
      refusal(401, is_bearer ? "this is not the token" : "say the token: Authorization: Bearer TOKEN");
  answer.headers.push_back({"WWW-Authenticate", "Bearer"});
  return answer;
}

std::optional<http::Answer> refusal_of_change(const http::ReceivedRequest& request, const Secret& token) {
  if (token.empty())
    return refusal(403, "nothing can be changed here: the configuration has no 'token' in 'http'");
  if (is_foreign(request)) return refusal(403, "this was sent by the web page of another site");
  if (std::optional<http::Answer> refused = refusal_of_token(request, token)) return refused;
  const std::string* const type = request.header("content-type");
  const std::string_view media = type ? std::string_view(*type).substr(0, type->find(';')) : "";
  if (!ascii::equal_ignoring_case(ascii::trimmed(media, ascii::blanks), "application/json"))
    return refusal(415, "say what is to be changed as application/json");
  return std::nullopt;
}

// "state=held&limit=10" as the members of a request.
json members_of(std::string_view query) {
  json object = json::object();
  while (!query.empty()) {
    const std::string_view part = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(part.size() + 1, query.size()));
    const std::size_t mark = std::min(part.find('='), part.size());
    const std::string name = decode_query(part.substr(0, mark));
    const std::string value = decode_query(part.substr(std::min(mark + 1, part.size())));
    if (name == "limit" && !value.empty() && value.size() < 10 && std::ranges::all_of(value, ascii::is_digit))
      object[name] = std::stoul(value);
    else if (name == "details")
      object[name] = value == "true";
    else if (!name.empty())
      object[name] = value;
  }
  return object;
}

// The members that a question may have; nothing: whatever it has, as probes do.
std::vector<std::string> known_members(const Path& path) {
  if (path.what == What::lanes) return {"upstream", "account", "trouble", "limit"};
  if (path.what == What::history) return {"query", "since", "failed", "limit"};
  if (path.what == What::explain) return {"sender", "recipient", "client", "account", "listener"};
  return path.command.empty() ? std::vector<std::string>() : request_members();
}

// What is wrong with them; empty: nothing. A filter that is misspelt would let everything through.
std::string fault_of(const json& members, const std::vector<std::string>& known) {
  if (const auto limit = members.find("limit"); limit != members.end() && !limit->is_number_unsigned())
    return "'limit' is no number";
  for (const auto& [name, value] : members.items())
    if (!known.empty() && std::ranges::find(known, name) == known.end())
      return fmt::format("there is no '{}' here", name);
  return {};
}

// Of what the Desk is not asked for.
Asked question_of(What what, const json& members) {
  const auto text = [&members](const char* name) { return members.value(name, std::string()); };
  Asked asked;
  asked.what = what;
  asked.lanes = {text("upstream"), text("account"), text("trouble") == "true",
                 std::clamp<std::size_t>(members.value("limit", usual_limit), 1, most_listed)};
  asked.explain = {text("sender"), text("recipient"), text("client"), text("account"), text("listener")};
  asked.history = {text("query"), text("since"), text("failed") == "true", asked.lanes.limit};
  return asked;
}

// "/api/queue?state=held", of those members that say something.
Question get_question(std::string target, const json& members) {
  const json unsaid = json::parse(to_line(Request{}));
  char mark = '?';
  for (const auto& [name, value] : members.items()) {
    if (unsaid.contains(name) ? value == unsaid[name] : value == "") continue;
    target += fmt::format("{}{}={}", mark, name,
                          encode_query(value.is_string() ? value.get<std::string>() : value.dump()));
    mark = '&';
  }
  return {.target = std::move(target)};
}

Judged request_for(const Path& path, std::string_view id, const http::ReceivedRequest& request) {
  json object = path.changes ? json::parse(request.body, nullptr, false) : members_of(request.query());
  if (!object.is_object()) return refusal(400, "the body is no JSON object");
  if (const std::string fault = fault_of(object, known_members(path)); !fault.empty())
    return refusal(400, fault);
  if (path.command.empty()) return question_of(path.what, object);
  object["command"] = path.command;
  if (!id.empty()) object["ids"] = {id};
  if (path.what == What::message) object["body"] = true;
  if (path.what == What::object) object.erase("body");
  object.erase("octets");  // an import comes by the admin socket
  Result<Request> asked = request_of(object);
  if (!asked) return refusal(400, asked.error());
  return Asked{.what = path.what, .request = std::move(*asked)};
}

}  // namespace

http::Answer refusal(int status, std::string_view text) {
  return {status, {{"Content-Type", "application/json"}}, line_of({{"error", text}})};
}

Result<Question> question_for(const Request& request) {
  const What what = request.body ? What::message : What::object;
  const auto found = std::ranges::find_if(paths, [&](const Path& path) {
    const bool is_meant = request.command != "show" || path.what == what;
    return path.command == request.command && is_meant;
  });
  if (found == std::end(paths))
    return Error{fmt::format("'{}' is not asked for over HTTP: use the admin socket", request.command)};
  if (found->changes) return Question{"POST", std::string(found->path), to_line(request)};
  std::string target(found->path);
  if (const std::size_t star = target.find('*'); star != std::string::npos)
    target.replace(star, 1, encode_query(request.ids.front()));
  json members = json::parse(to_line(request));
  for (const char* name : {"command", "ids", "body"}) members.erase(name);
  return get_question(std::move(target), members);
}

Question question_for(const HistoryQuestion& question) {
  json members = {{"query", question.what}, {"since", question.since}, {"limit", question.limit}};
  if (question.failed) members["failed"] = true;
  return get_question("/api/history", members);
}

std::string encode_query(std::string_view text) {
  std::string out;
  for (const char c : text)
    if (ascii::is_letter(c) || ascii::is_digit(c) ||
        std::string_view("-._~").find(c) != std::string_view::npos)
      out += c;
    else
      out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
  return out;
}

std::string decode_query(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool is_code = text[i] == '%' && i + 2 < text.size() && ascii::hex_value(text[i + 1]) >= 0 &&
                         ascii::hex_value(text[i + 2]) >= 0;
    if (is_code) {
      out += static_cast<char>(ascii::hex_value(text[i + 1]) * 16 + ascii::hex_value(text[i + 2]));
      i += 2;
    } else {
      out += text[i] == '+' ? ' ' : text[i];
    }
  }
  return out;
}

Judged judge(const http::ReceivedRequest& request, const Entrance& entrance) {
  if (std::ranges::find(known_methods, request.method) == std::end(known_methods))
    return refusal(501, "an unknown method");
  if (request.method == "OPTIONS") {
    http::Answer answer = refusal(405, "nobody of other sites is answered");
    answer.headers.push_back({"Allow", "GET, HEAD, POST"});
    return answer;
  }
  std::string_view id;
  const auto found =
      std::ranges::find_if(paths, [&](const Path& path) { return is_path(path.path, request.path(), id); });
  if (found == std::end(paths)) return refusal(404, "there is nothing here");
  const Path& path = *found;
  const bool is_health = path.what == What::live || path.what == What::ready;
  if (!is_health && entrance.judges_host && !is_ours(request.authority, entrance))
    return refusal(421, fmt::format("'{}' is no name of this relay: add it to 'hosts' in 'http'",
                                    name_of(request.authority)));
  const bool reads = request.method == "GET" || request.method == "HEAD";
  if (path.changes ? request.method != "POST" : !reads) {
    http::Answer answer = refusal(405, "this is done by another method");
    answer.headers.push_back({"Allow", path.changes ? "POST" : "GET, HEAD"});
    return answer;
  }
  std::optional<http::Answer> refused;
  if (path.changes)
    refused = refusal_of_change(request, entrance.token);
  else if (!path.is_open && !entrance.is_local)
    refused = refusal_of_token(request, entrance.token);
  if (refused) return std::move(*refused);
  return request_for(path, id, request);
}

}  // namespace relayd::watch
