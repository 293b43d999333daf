// The keys of reports to senders.
#include <array>

#include "shared/config/keys.hpp"
#include "shared/config/value.hpp"

namespace relayd::config {

static constexpr auto words_of(Bounce::Content) {
  using enum Bounce::Content;
  return std::to_array<Word<Bounce::Content>>({{"headers", headers}, {"full", full}});
}

namespace {

// `sender`, an address, or a list of such.
void read_to(Reader& reader, const Node& node, Bounce& out) {
  out.to_sender = false;
  const auto add = [&](const Node& item) {
    const std::optional<std::string> text = reader.text(item, "'sender' or an address");
    if (!text) return;
    if (*text == "sender") {
      out.to_sender = true;
      return;
    }
    Result<std::string> address = parse_ascii_mailbox(*text);
    if (address)
      out.to.push_back(std::move(*address));
    else
      reader.error(item.place, address.error());
  };
  if (node.kind == Node::Kind::scalar) return add(node);
  if (!expect_list(reader, node)) return;
  if (node.items.empty()) reader.error(node.place, "nobody is named: 'sender', an address, or both");
  for (const Node& item : node.items) add(item);
}

// What it counts are reports, whatever the rate says.
void read_limit(Reader& reader, const Node& node, Bounce& out) {
  read(reader, node, out.limit);
  out.limit.counted = Counted::messages;
}

}  // namespace

const Keys<Bounce>& keys_of(const Bounce*) {
  static const Keys<Bounce> keys = {
      text("from", &Bounce::from, parse_ascii_mailbox),
      {"to", read_to},
      key("delay_warning", &Bounce::delay_warning),
      key("content", &Bounce::content),
      {"limit", read_limit},
  };
  return keys;
}

}  // namespace relayd::config
