#include "import/main_cf.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "shared/base/ascii.hpp"
#include "shared/table/lines.hpp"

namespace relayd::importing {

namespace {

constexpr int deepest = 50;
constexpr std::size_t longest = 1 << 20;     // of what a value becomes
constexpr std::size_t most_steps = 100'000;  // names that are replaced for one value

// Of Postfix 3.7. Those that are empty need no row, but where another value names them.
constexpr auto defaults = std::to_array<std::pair<std::string_view, std::string_view>>({
    {"alias_maps", "hash:/etc/aliases"},
    {"canonical_classes", "envelope_sender, envelope_recipient, header_sender, header_recipient"},
    {"compatibility_level", "0"},
    {"config_directory", "/etc/postfix"},
    {"daemon_directory", "/usr/lib/postfix/sbin"},
    {"data_directory", "/var/lib/postfix"},
    {"default_database_type", "hash"},
    {"default_destination_concurrency_limit", "20"},
    {"default_destination_recipient_limit", "50"},
    {"default_transport", "smtp"},
    {"inet_interfaces", "all"},
    {"inet_protocols", "all"},
    {"local_transport", "local:$myhostname"},
    {"mail_name", "Postfix"},
    {"mail_owner", "postfix"},
    {"mydestination", "$myhostname, localhost.$mydomain, localhost"},
    {"mynetworks_style", "host"},
    {"myorigin", "$myhostname"},
    {"process_name", "postconf"},
    {"queue_directory", "/var/spool/postfix"},
    {"recipient_canonical_classes", "envelope_recipient, header_recipient"},
    {"relay_transport", "relay"},
    {"sender_canonical_classes", "envelope_sender, header_sender"},
    {"smtp_helo_name", "$myhostname"},
    {"smtpd_relay_restrictions", "permit_mynetworks, permit_sasl_authenticated, defer_unauth_destination"},
});

bool is_name_char(char c) {
  return ascii::is_letter(c) || ascii::is_digit(c) || c == '_';
}

// Where the brace or parenthesis of text[at] is closed; npos: nowhere.
std::size_t closing(std::string_view text, std::size_t at) {
  const char open = text[at], close = open == '{' ? '}' : ')';
  int depth = 0;
  for (std::size_t i = at; i < text.size(); ++i) {
    if (text[i] == open) ++depth;
    if (text[i] == close && --depth == 0) return i;
  }
  return std::string_view::npos;
}

}  // namespace

struct MainCf::Expansion {
  const Overrides& overrides;
  std::string result = {};
  std::string error = {};
  std::size_t steps = 0;
  bool failed() const { return !error.empty(); }
};

Result<MainCf> MainCf::parse(std::string_view text, std::string host) {
  MainCf main;
  main.host_ = std::move(host);
  if (const std::size_t nul = text.find('\0'); nul != std::string_view::npos)
    return Error{
        fmt::format("line {} has a NUL: it is no text", 1 + std::ranges::count(text.substr(0, nul), '\n'))};
  table::LogicalLines lines(text);
  std::string line;
  while (lines.next(line)) {
    const std::size_t equals = line.find('=');
    const std::string_view whole = line;
    Setting setting{std::string(table::trimmed(whole.substr(0, equals))), {}, lines.number()};
    if (equals == std::string::npos || setting.name.empty() || table::begins_with_blank(line) ||
        !std::ranges::all_of(setting.name, [](char c) { return is_name_char(c) || c == '-' || c == '.'; })) {
      main.overruled_.push_back({"", "", setting.line});
      continue;
    }
    setting.value = table::trimmed(whole.substr(equals + 1));
    if (const auto found = main.index_.find(setting.name); found != main.index_.end())
      main.overruled_.push_back(std::exchange(main.settings_[found->second], std::move(setting)));
    else {
      main.index_.emplace(setting.name, main.settings_.size());
      main.settings_.push_back(std::move(setting));
    }
  }
  std::ranges::stable_sort(main.settings_, {}, &Setting::line);
  for (std::size_t i = 0; i < main.settings_.size(); ++i) main.index_[main.settings_[i].name] = i;
  return main;
}

const Setting* MainCf::find(std::string_view name) const {
  const auto found = index_.find(name);
  return found == index_.end() ? nullptr : &settings_[found->second];
}

Result<std::string> MainCf::get(std::string_view name, const Overrides& overrides) const {
  bool known = true;
  const std::string text = raw(name, overrides, known);
  return expand(text, overrides);
}

Result<std::string> MainCf::expand(std::string_view text, const Overrides& overrides) const {
  Expansion expansion{overrides};
  expand(text, expansion, 0);
  if (expansion.failed()) return Error{expansion.error};
  return std::string(table::trimmed(expansion.result));
}

std::string MainCf::raw(std::string_view name, const Overrides& overrides, bool& known) const {
  if (const auto found = overrides.find(std::string(name)); found != overrides.end()) return found->second;
  if (const Setting* const setting = find(name)) return setting->value;
  return default_of(name, known);
}

std::string MainCf::default_of(std::string_view name, bool& known) const {
  if (name == "myhostname") return host_.find('.') != std::string::npos ? host_ : host_ + ".$mydomain";
  if (name == "mydomain") {
    const Setting* const named = find("myhostname");
    const std::string& host = named && named->value.find('$') == std::string::npos ? named->value : host_;
    const std::size_t dot = host.find('.');
    return dot == std::string::npos ? "localdomain" : host.substr(dot + 1);
  }
  const auto row = std::ranges::find(defaults, name, [](const auto& one) { return one.first; });
  known = row != defaults.end();
  return known ? std::string(row->second) : "";
}

void MainCf::replace(std::string_view inside, Expansion& expansion, int depth) const {
  const std::size_t end = static_cast<std::size_t>(
      std::ranges::find_if(inside, [](char c) { return !is_name_char(c); }) - inside.begin());
  const std::string_view name = inside.substr(0, end);
  if (name.empty() || (end < inside.size() && inside[end] != '?' && inside[end] != ':')) {
    expansion.error = fmt::format("'${{{}}}' is not understood", inside.substr(0, 80));
    return;
  }
  bool known = true;
  const std::string value = raw(name, expansion.overrides, known);
  if (end == inside.size()) {
    if (!known) {
      expansion.error =
          fmt::format("it names ${}, which is not set, and whose default is not known here", name);
      return;
    }
    return expand(value, expansion, depth + 1);
  }
  // ${name?text}, ${name:text}, ${name?{text}:{text}}; a name counts as set where its value is not empty.
  Expansion of_name{expansion.overrides};
  of_name.steps = expansion.steps;
  expand(value, of_name, depth + 1);
  expansion.steps = of_name.steps;
  if (of_name.failed()) {
    expansion.error = of_name.error;
    return;
  }
  const bool set = !of_name.result.empty();
  std::string_view yes = inside.substr(end + 1), no;
  if (inside[end] == ':') std::swap(yes, no);
  if (inside[end] == '?' && yes.starts_with('{'))
    if (const std::size_t close = closing(yes, 0); close != std::string_view::npos) {
      no = yes.substr(close + 1);
      yes = yes.substr(1, close - 1);
      if (no.starts_with(':')) no.remove_prefix(1);
      if (no.starts_with('{') && no.ends_with('}')) no = no.substr(1, no.size() - 2);
    }
  expand(set ? yes : no, expansion, depth + 1);
}

void MainCf::expand(std::string_view text, Expansion& expansion, int depth) const {
  if (depth > deepest || ++expansion.steps > most_steps) {
    expansion.error = "its $names lead in a circle, or too deep";
    return;
  }
  for (std::size_t at = 0; at < text.size() && !expansion.failed();) {
    if (text[at] != '$' || at + 1 == text.size()) {
      expansion.result += text[at++];
    } else if (text[at + 1] == '$') {
      expansion.result += '$';
      at += 2;
    } else if (text[at + 1] == '{' || text[at + 1] == '(') {
      const std::size_t close = closing(text, at + 1);
      if (close == std::string_view::npos) {
        expansion.error = "a brace of it is not closed";
        return;
      }
      replace(text.substr(at + 2, close - at - 2), expansion, depth);
      at = close + 1;
    } else {
      std::size_t end = at + 1;
      while (end < text.size() && is_name_char(text[end])) ++end;
      if (end == at + 1)
        expansion.result += '$';
      else
        replace(text.substr(at + 1, end - at - 1), expansion, depth);
      at = end;
    }
    if (expansion.result.size() > longest) expansion.error = "it becomes too long";
  }
}

}  // namespace relayd::importing
