// What must hold in `listen`, and where a rule asks for a listener.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "shared/config/check.hpp"
#include "shared/config/suggest.hpp"
#include "shared/config/value.hpp"

namespace relayd::config {
namespace {

bool is_local(const Listener& listener) {
  return !listener.unix_path.empty() || is_loopback_host(listener.host);
}

void check_listener(Reader& reader, const Node& node, const Listener& listener, const Config& config) {
  if (!node.has("address")) reader.error(node.place, "'address' is missing here");
  if (listener.address.empty()) return;
  const bool passwords = listener.auth == ListenerAuth::optional || listener.auth == ListenerAuth::required;
  const bool anybody = listener.allow.empty() && listener.allow_uids.empty();
  const bool open = !is_local(listener) && anybody && listener.auth != ListenerAuth::required;
  if (open && !listener.inherited.empty())
    reader.error(node.place_of("address"),
                 fmt::format("what {} is bound to is the service manager's choice: say who may relay with "
                             "'allow', or set 'auth: required'",
                             listener.address));
  else if (open)
    reader.error(
        node.place_of("address"),
        fmt::format("{} is reachable from other machines: say who may relay with 'allow', or set 'auth: "
                    "required' (behind a published container port every client seems to be the bridge "
                    "gateway, so that no default is safe)",
                    listener.address));
  if (!is_local(listener) && listener.inherited.empty() && passwords && listener.tls == TlsMode::none)
    reader.error(node.place_of("auth"),
                 "passwords would cross the network in clear: set 'tls: starttls' or implicit");
  if (passwords && config.accounts.empty() && config.accounts_file.empty())
    reader.error(node.place_of("auth"), "nobody could log in: there are no 'accounts'");
  if (listener.tls != TlsMode::none && config.certificates.empty())
    reader.error(node.place_of("tls"), "needs a certificate: there are no 'tls.certificates'");
}

// Complains about the second of two that are alike.
class Alike {
 public:
  void add(Reader& reader, const Place& place, std::string_view what, const std::string& value) {
    const auto [first, fresh] = lines_.emplace(fmt::format("{} '{}'", what, value), place.where.line);
    if (!fresh)
      reader.error(place, fmt::format("duplicate {} (first in line {})", first->first, first->second));
  }

 private:
  std::map<std::string, int> lines_;
};

void check_asked(Reader& reader, const Node& rule, const std::vector<std::string_view>& names) {
  const Node* const listener = rule.find("listener");
  if (!listener || listener->kind != Node::Kind::scalar || listener->text.empty() ||
      std::ranges::find(names, listener->text) != names.end())
    return;
  reader.error(listener->place,
               fmt::format("unknown listener '{}'{}", listener->text, suggestion(listener->text, names)));
}

}  // namespace

void check_listeners(Reader& reader, const Node& root, const Config& config) {
  Alike alike;
  std::vector<std::string_view> names;
  const Node* const list = root.find("listen");
  for (std::size_t i = 0; list && i < list->items.size(); ++i) {
    const Node& node = list->items[i];
    if (node.kind != Node::Kind::map) continue;
    const Listener& listener = config.listeners[i];
    check_listener(reader, node, listener, config);
    const bool chosen_by_kernel = !listener.host.empty() && listener.port == 0;
    if (!chosen_by_kernel && !listener.address.empty())
      alike.add(reader, node.find("address")->place, "address", listener.address);
    if (listener.name.empty()) continue;
    alike.add(reader, node.find("name")->place, "listener", listener.name);
    names.push_back(listener.name);
  }
  for (const std::string_view key : {"recipients", "senders"})
    if (const Node* const rules = root.find(key))
      for (const Node& rule : rules->items) check_asked(reader, rule, names);
}

}  // namespace relayd::config
