#include "shared/config/reader.hpp"

#include <fmt/format.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cmath>
#include <cstring>
#include <limits>

#include "shared/base/ascii.hpp"
#include "shared/config/file.hpp"
#include "shared/config/suggest.hpp"
#include "shared/config/value.hpp"
#include "shared/process/user.hpp"

namespace relayd::config {
namespace {

std::string_view what(Node::Kind kind) {
  switch (kind) {
    case Node::Kind::scalar:
      return "a single value";
    case Node::Kind::list:
      return "a list";
    case Node::Kind::map:
      return "a map of keys";
    default:
      return "nothing";
  }
}

// A value that a parser takes from text.
template <class T, class Parse>
void read_parsed(Reader& reader, const Node& node, std::string_view expected, Parse parse, T& out) {
  const std::optional<std::string> text = reader.text(node, expected);
  if (!text) return;
  auto value = parse(*text);
  if (value)
    out = static_cast<T>(std::move(*value));
  else
    reader.error(node.place, value.error());
}

template <class Limit>
void read_limits(Reader& reader, const Node& node, std::vector<Limit>& out) {
  read<Limit>(reader, node, out);
  for (std::size_t i = 1; i < out.size(); ++i) {
    const auto end = out.begin() + static_cast<std::ptrdiff_t>(i);
    const auto same =
        std::find_if(out.begin(), end, [end](const Limit& one) { return one.count > 0 && alike(one, *end); });
    if (same == end || end->count == 0) continue;  // 0: one that could not be read
    reader.error(node.items[i].place,
                 fmt::format("'{}' and '{}' count the same in the same time: keep the smaller",
                             to_string(*same), to_string(*end)));
  }
}

// "host:smtp.example.net" alone below a key is one text.
bool wants_blank(const Node& node) {
  const std::size_t colon = node.kind == Node::Kind::scalar ? node.text.find(':') : std::string::npos;
  return colon != std::string::npos && colon > 0 && colon + 1 < node.text.size();
}

bool expect(Reader& reader, const Node& node, Node::Kind kind) {
  if (node.kind == kind || node.kind == Node::Kind::null) return true;
  // Not the text itself: "password:secret" without its space arrives here.
  if (node.kind == Node::Kind::refused)
    reader.error(node.place, node.complaint);
  else
    reader.error(node.place, fmt::format("expected {}, found {}{}", what(kind), what(node.kind),
                                         kind == Node::Kind::map && wants_blank(node)
                                             ? ": is a blank missing behind a ':'?"
                                             : ""));
  return false;
}

}  // namespace

Reader::Reader(std::string file, const Environment& environment, bool secrets,
               std::optional<struct stat> status)
    : file_(std::move(file)),
      folder_(std::filesystem::path(file_).parent_path()),
      environment_(environment),
      secrets_(secrets),
      status_(status) {}

void Reader::error(const Place& place, std::string text) {
  errors.push_back(diagnostic(place, std::move(text)));
}

void Reader::warn(const Place& place, std::string text) {
  warnings.push_back(diagnostic(place, std::move(text)));
}

Diagnostic Reader::diagnostic(const Place& place, std::string text) const {
  return {file_of(place), place.where, std::move(text)};
}

std::string Reader::file_of(const Place& place) const {
  return place.source.empty() ? file_ : std::string(place.source);
}

std::optional<std::string> Reader::text(const Node& node, std::string_view expected) {
  if (node.kind == Node::Kind::refused) {
    if (!secrets_ && outside_ > 0) return node.text;
    error(node.place, node.complaint);
  } else if (node.kind != Node::Kind::scalar) {
    const std::string_view before_why = node.complaint.empty() ? "" : ": ";
    error(node.place,
          fmt::format("expected {}, found {}{}{}", expected, what(node.kind), before_why, node.complaint));
  } else if (node.text.empty()) {
    error(node.place, fmt::format("expected {}, found an empty text", expected));
  } else if (has_control_character(node.text)) {
    error(node.place, "a line end or another control character inside the value");
  } else {
    return node.text;
  }
  return {};
}

std::optional<std::string> Reader::path(const Node& node) {
  std::optional<std::string> written = text(node, "a path");
  if (!written || node.kind == Node::Kind::refused) return written;
  return (folder_ / *written).lexically_normal().string();
}

void Reader::require_readable(const Node& node, const std::string& path) {
  if (!secrets_ || ::access(path.c_str(), R_OK) == 0) return;
  const bool is_for_others = errno == EACCES;
  std::string why = why_unreadable(path, errno);
  if (is_for_others) {
    const std::string folder = closed_folder(path);
    why += folder.empty() ? fmt::format(": chown {} {}", process::this_user().uid, path)
                          : fmt::format(": let that user into {} (setfacl -m u:{}:x {})", folder,
                                        process::this_user().uid, folder);
    why += ", or have systemd hand it over (LoadCredential=)";
  }
  error(node.place, std::move(why));
}

void Reader::require_private(const Node& node, const std::string& path) {
  demand_private(node, path, others_may_read);
}

void Reader::require_private_key(const Node& node, const std::string& path) {
  demand_private(node, path, others_may_read_key);
}

static std::string on_a_fixed_mount(const std::string& path, const struct stat& status) {
  return fmt::format("others may read {} (mode {:04o}), and only whoever mounted it can change that", path,
                     status.st_mode & 07777);
}

void Reader::demand_private(const Node& node, const std::string& path,
                            bool (*others_may)(const std::string&, const struct stat&)) {
  require_readable(node, path);
  struct stat status {};
  if (!secrets_ || ::stat(path.c_str(), &status) != 0 || !S_ISREG(status.st_mode)) return;
  if (!others_may(path, status)) return;
  if (rights_are_fixed(path)) return warn(node.place, on_a_fixed_mount(path, status));
  // The group's rights of such a file are the most that its access list gives to anybody.
  const bool has_list = ::getxattr(path.c_str(), "system.posix_acl_access", nullptr, 0) > 0;
  const std::string_view list =
      has_list ? " (its access list, see getfacl, may name them: setfacl -b removes it)" : "";
  error(node.place, fmt::format("others may read {} (mode {:04o}): chmod 600 {}{}", path,
                                status.st_mode & 07777, path, list));
}

void Reader::require_variable(const Node& node, const std::string& name) {
  if (secrets_ && !environment_.contains(name))
    error(node.place, fmt::format("the variable {} is not set", name));
}

std::string Reader::credential(const Node& node, const std::string& name) {
  if (name.find('/') != std::string::npos || name == "." || name == "..") {
    error(node.place, fmt::format("'{}' is not the name of a credential, which has no '/'", name));
    return name;
  }
  const auto folder = environment_.find("CREDENTIALS_DIRECTORY");
  const bool given = folder != environment_.end() && folder->second.starts_with('/');
  const std::string path =
      fmt::format("{}/{}", given ? folder->second : "/run/credentials/relayd.service", name);
  if (secrets_ && !given)
    error(node.place,
          fmt::format("the service manager handed over no credentials (CREDENTIALS_DIRECTORY is not set): "
                      "start relayd by a unit that has LoadCredential={}:FILE",
                      name));
  else if (secrets_ && ::access(path.c_str(), F_OK) != 0 && errno == ENOENT)
    error(node.place, fmt::format("there is no credential '{}': add LoadCredential={}:FILE to relayd's unit",
                                  name, name));
  else
    require_private(node, path);
  return path;
}

void Reader::literal_secret(const Node& node) {
  const bool elsewhere = node.from_environment || !node.place.source.empty();
  if (!secrets_ || elsewhere || !status_ || !others_may_read(file_, *status_)) return;
  if (rights_are_fixed(file_)) return warn(node.place, on_a_fixed_mount(file_, *status_));
  error(node.place,
        fmt::format("a secret in clear, in a file that others may read (mode {:04o}): chmod 600 {}, or "
                    "move the secret out with {{file: PATH}} or {{env: NAME}}",
                    status_->st_mode & 07777, file_));
}

std::string Reader::way_to(std::string_view key) const {
  std::string way;
  for (const std::string_view step : way_) way += std::string(step) + ".";
  return way + std::string(key);
}

bool expect_map(Reader& reader, const Node& node) {
  return expect(reader, node, Node::Kind::map);
}

bool expect_list(Reader& reader, const Node& node) {
  return expect(reader, node, Node::Kind::list);
}

void complain_unknown(Reader& reader, const Entry& entry, const std::vector<std::string_view>& known) {
  reader.error(entry.place, fmt::format("unknown key '{}'{}", entry.key, suggestion(entry.key, known)));
}

void complain_reserved(Reader& reader, const Entry& entry) {
  reader.error(entry.place, fmt::format("'{}' is not supported yet", reader.way_to(entry.key)));
}

void complain_word(Reader& reader, const Node& node, const std::vector<std::string_view>& known) {
  reader.error(node.place, fmt::format("'{}' is not one of {}{}", node.text, fmt::join(known, ", "),
                                       suggestion(node.text, known)));
}

void read(Reader& reader, const Node& node, std::string& out) {
  if (std::optional<std::string> text = reader.text(node, "a text")) out = std::move(*text);
}

void read(Reader& reader, const Node& node, bool& out) {
  static constexpr Word<bool> words[] = {{"true", true}, {"false", false}};
  // YAML 1.1 had these, and 1.2 has not.
  static constexpr std::pair<std::string_view, std::string_view> others[] = {
      {"yes", "true"}, {"on", "true"}, {"no", "false"}, {"off", "false"}};
  const auto other =
      std::ranges::find(others, ascii::lower(node.text), [](const auto& pair) { return pair.first; });
  if (node.kind == Node::Kind::scalar && other != std::end(others))
    return reader.error(node.place, fmt::format("write {} in place of '{}'", other->second, node.text));
  read_word(reader, node, words, out);
}

void read(Reader& reader, const Node& node, double& out) {
  const std::optional<std::string> text = reader.text(node, "a number");
  if (!text) return;
  double number = 0;
  const char* const last = text->data() + text->size();
  const auto [end, failure] = std::from_chars(text->data(), last, number);
  if (failure == std::errc() && end == last && std::isfinite(number))
    out = number;
  else
    reader.error(node.place, fmt::format("'{}' is not a number", *text));
}

void read(Reader& reader, const Node& node, std::uint16_t& out) {
  const auto port = [](const std::string& text) -> Result<std::uint32_t> {
    Result<std::uint32_t> number = parse_count(text, std::numeric_limits<std::uint16_t>::max());
    if (!number) return Error{fmt::format("'{}' is not a port (1 to 65535)", text)};
    return number;
  };
  read_parsed(reader, node, "a port", port, out);
}

void read(Reader& reader, const Node& node, std::uint32_t& out) {
  read_parsed(
      reader, node, "a number", [](const std::string& text) { return parse_count(text); }, out);
}

void read(Reader& reader, const Node& node, Bytes& out) {
  read_parsed(reader, node, "a size", parse_size, out);
}

void read(Reader& reader, const Node& node, std::chrono::milliseconds& out) {
  read_parsed(reader, node, "a duration", parse_duration, out);
}

void read(Reader& reader, const Node& node, std::chrono::seconds& out) {
  const auto seconds = [](const std::string& text) -> Result<std::chrono::seconds> {
    const Result<std::chrono::milliseconds> exact = parse_duration(text);
    if (!exact) return Error{exact.error()};
    const auto whole = std::chrono::floor<std::chrono::seconds>(*exact);
    if (whole != *exact) return Error{fmt::format("'{}': whole seconds, please", text)};
    return whole;
  };
  read_parsed(reader, node, "a duration", seconds, out);
}

void read(Reader& reader, const Node& node, Rate& out) {
  read_parsed(reader, node, "a rate", parse_rate, out);
}

void read(Reader& reader, const Node& node, Quota& out) {
  read_parsed(reader, node, "a quota", parse_quota, out);
}

void read(Reader& reader, const Node& node, std::vector<Rate>& out) {
  read_limits(reader, node, out);
}

void read(Reader& reader, const Node& node, std::vector<Quota>& out) {
  read_limits(reader, node, out);
}

void read(Reader& reader, const Node& node, Network& out) {
  read_parsed(reader, node, "an IP address or network", Network::parse, out);
}

}  // namespace relayd::config
