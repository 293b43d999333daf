#include "shared/config/expand.hpp"

#include <fmt/format.h>

#include <utility>

#include "shared/base/result.hpp"
#include "shared/config/value.hpp"

namespace relayd::config {
namespace {

struct Expanded {
  std::string text;
  bool from_environment = false;
};

// `inner` is what stands between the braces.
Result<Expanded> look_up(std::string_view inner, const Environment& environment) {
  const std::size_t colon = inner.find(":-");
  const bool has_default = colon != std::string_view::npos;
  const std::string_view name = inner.substr(0, colon);
  if (!is_variable_name(name))
    return Error{fmt::format("'${{{}}}' does not name a variable (write $$ for a plain $)", inner)};
  if (inner.find("${") != std::string_view::npos)
    return Error{fmt::format("the default of {} cannot hold another variable", name)};
  const auto found = environment.find(name);
  if (found != environment.end() && !(has_default && found->second.empty()))
    return Expanded{found->second, true};
  if (has_default) return Expanded{std::string(inner.substr(colon + 2)), false};
  return Error{fmt::format("the variable {} is not set (${{{}:-default}} gives it a default)", name, name)};
}

Result<Expanded> expand_text(std::string_view text, const Environment& environment) {
  Expanded result;
  std::size_t at = 0;
  while (at < text.size()) {
    const std::string_view rest = text.substr(at);
    if (rest.starts_with("$$")) {
      result.text += '$';
      at += 2;
    } else if (rest.starts_with("${")) {
      const std::size_t end = rest.find('}');
      if (end == std::string_view::npos) return Error{"'${' without '}' (write $$ for a plain $)"};
      Result<Expanded> value = look_up(rest.substr(2, end - 2), environment);
      if (!value) return value;
      result.text += value->text;
      result.from_environment = value->from_environment && end + 1 == text.size();  // it is the whole text
      at += end + 1;
    } else {
      result.text += rest.front();
      ++at;
    }
  }
  return result;
}

}  // namespace

void expand(Node& node, const Environment& environment) {
  for (Node& item : node.items) expand(item, environment);
  for (Entry& entry : node.entries) expand(entry.value, environment);
  if (node.text.find('$') == std::string::npos) return;

  Result<Expanded> result = expand_text(node.text, environment);
  if (!result) {
    node.complaint = result.error();
    node.kind = Node::Kind::refused;
    return;
  }
  node.text = std::move(result->text);
  node.from_environment = result->from_environment;
}

}  // namespace relayd::config
