// The keys of the account watch.
#include "shared/config/keys.hpp"
#include "shared/config/value.hpp"

namespace relayd::config {

namespace {

void read_every(Reader& reader, const Node& node, Watch& out) {
  read(reader, node, out.every);
  if (out.every < std::chrono::minutes(1))
    reader.error(node.place, "each look logs in at every account: 1m at least, and most want 24h");
}

// An address, or a list of such.
void read_notify(Reader& reader, const Node& node, Watch& out) {
  out.notify.clear();
  const auto add = [&](const Node& item) {
    const std::optional<std::string> text = reader.text(item, "an address");
    if (!text) return;
    Result<std::string> address = parse_ascii_mailbox(*text);
    if (address)
      out.notify.push_back(std::move(*address));
    else
      reader.error(item.place, address.error());
  };
  if (node.kind == Node::Kind::scalar) return add(node);
  if (!expect_list(reader, node)) return;
  for (const Node& item : node.items) add(item);
}

}  // namespace

const Keys<Watch>& keys_of(const Watch*) {
  static const Keys<Watch> keys = {
      {"every", read_every},
      {"notify", read_notify},
  };
  return keys;
}

}  // namespace relayd::config
