#include "watch/api.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>

#include "shared/base/ascii.hpp"
#include "shared/mime/decode.hpp"
#include "watch/answer.hpp"

namespace relayd::watch {

using nlohmann::json;
using What = Asked::What;

namespace {

// A path. A segment '*' is the id of a message or the like, of letters and digits; '%' is any text.
struct Path {
  std::string_view path;
  What what;
  std::string_view command = {};  // of the Desk, or what is asked of captured messages
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
    {"/api/captured", What::captured, "list"},
    {"/api/captured/clear", What::captured, "clear", true},
    {"/api/captured/%/%", What::captured, "message"},
    {"/api/captured/%/%/source", What::captured, "source"},
    {"/api/captured/%/%/part/*", What::captured, "part"},
    {"/captured/*", What::captured, "frame", false, true},
};

constexpr std::size_t usual_limit = 100, most_listed = 1000;  // of lanes and of messages that have left

constexpr std::string_view known_methods[] = {"GET",    "HEAD",    "POST",  "PUT",
                                              "DELETE", "OPTIONS", "PATCH", "TRACE"};

std::string_view take_segment(std::string_view& path) {
  const std::string_view segment = path.substr(0, path.find('/'));
  path.remove_prefix(std::min(segment.size() + 1, path.size()));
  return segment;
}

bool is_plain(std::string_view segment) {
  return !segment.empty() &&
         std::ranges::all_of(segment, [](char c) { return ascii::is_letter(c) || ascii::is_digit(c); });
}

// Whether a request's path is that one; `names` are what stands for each '*' and '%'.
bool is_path(std::string_view pattern, std::string_view path, std::vector<std::string>& names) {
  names.clear();
  if (std::ranges::count(pattern, '/') != std::ranges::count(path, '/')) return false;
  while (!pattern.empty()) {
    const std::string_view wanted = take_segment(pattern), segment = take_segment(path);
    const bool is_name = wanted == "*" || wanted == "%";
    if (is_name ? segment.empty() || (wanted == "*" && !is_plain(segment)) : wanted != segment) return false;
    if (is_name) names.push_back(mime::decode_percent(segment));
  }
  return path.empty();
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

using Members = std::vector<std::string>;

Members captured_members(std::string_view command) {
  if (command == "list") return {"upstream", "query", "after", "limit"};
  if (command == "clear") return {"upstream"};
  return {};
}

// The members that a question may have; nothing: whatever it has, as probes do.
std::optional<Members> known_members(const Path& path) {
  if (path.what == What::lanes) return Members{"upstream", "account", "trouble", "limit"};
  if (path.what == What::history) return Members{"query", "since", "failed", "limit"};
  if (path.what == What::explain) return Members{"sender", "recipient", "client", "account", "listener"};
  if (path.what == What::captured) return captured_members(path.command);
  if (path.command.empty()) return std::nullopt;
  return request_members();
}

// What is wrong with them; empty: nothing. A filter that is misspelt would let everything through.
std::string fault_of(const json& members, const std::optional<Members>& known) {
  if (const auto limit = members.find("limit"); limit != members.end() && !limit->is_number_unsigned())
    return "'limit' is no number";
  for (const auto& [name, value] : members.items())
    if (known && std::ranges::find(*known, name) == known->end())
      return fmt::format("there is no '{}' here", name);
  return {};
}

std::size_t limit_of(const json& members) {
  return std::clamp<std::size_t>(members.value("limit", usual_limit), 1, most_listed);
}

// Zero: it is none, or a long one.
std::size_t number_of(std::string_view text) {
  if (text.size() > 9 || !std::ranges::all_of(text, ascii::is_digit)) return 0;
  return std::stoul(std::string(text));
}

// Of what the Desk is not asked for.
Asked question_of(What what, const json& members) {
  const auto text = [&members](const char* name) { return members.value(name, std::string()); };
  Asked asked;
  asked.what = what;
  asked.lanes = {text("upstream"), text("account"), text("trouble") == "true", limit_of(members)};
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

CapturedAsked::What captured_what(std::string_view command) {
  using Captured = CapturedAsked::What;
  if (command == "list") return Captured::list;
  if (command == "clear") return Captured::clear;
  if (command == "message") return Captured::message;
  if (command == "source") return Captured::source;
  return command == "part" ? Captured::part : Captured::frame;
}

Judged captured_for(const Path& path, const std::vector<std::string>& names, const json& members) {
  CapturedAsked captured;
  captured.what = captured_what(path.command);
  for (const char* name : {"upstream", "query", "after"})
    if (members.contains(name) && !members[name].is_string())
      return refusal(400, fmt::format("'{}' is no text", name));
  const auto text = [&members](const char* name) { return members.value(name, std::string()); };
  captured.question = {text("upstream"), text("query"), text("after"), limit_of(members)};
  if (names.size() == 1) captured.ticket = names[0];
  if (names.size() >= 2) captured.upstream = names[0], captured.name = names[1];
  if (names.size() == 3) captured.part = number_of(names[2]);
  Asked asked;
  asked.what = What::captured;
  asked.captured = std::move(captured);
  return asked;
}

Judged request_for(const Path& path, const std::vector<std::string>& names,
                   const http::ReceivedRequest& request) {
  json object = path.changes ? json::parse(request.body, nullptr, false) : members_of(request.query());
  if (!object.is_object()) return refusal(400, "the body is no JSON object");
  if (const std::string fault = fault_of(object, known_members(path)); !fault.empty())
    return refusal(400, fault);
  if (path.what == What::captured) return captured_for(path, names, object);
  if (path.command.empty()) return question_of(path.what, object);
  object["command"] = path.command;
  if (!names.empty()) object["ids"] = names;
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
    return path.command == request.command && path.what != What::captured && is_meant;
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
  std::vector<std::string> names;
  const auto found = std::ranges::find_if(
      paths, [&](const Path& path) { return is_path(path.path, request.path(), names); });
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
  return request_for(path, names, request);
}

}  // namespace relayd::watch
