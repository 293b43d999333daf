#include "shared/config/clients.hpp"

#include <string_view>

#include "shared/config/value.hpp"

namespace relayd::config {

void read_clients(Reader& reader, const Node& node, std::vector<Network>& networks,
                  std::vector<std::uint32_t>& uids) {
  constexpr std::string_view uid = "uid:";
  const auto add = [&](const Node& item) {
    if (!item.text.starts_with(uid)) {
      Network network;
      read(reader, item, network);
      networks.push_back(network);
    } else if (const auto number = parse_number(std::string_view(item.text).substr(uid.size()))) {
      uids.push_back(*number);
    } else {
      reader.error(item.place, number.error());
    }
  };
  if (node.kind == Node::Kind::scalar) return add(node);
  if (!expect_list(reader, node)) return;
  for (const Node& item : node.items) add(item);
}

}  // namespace relayd::config
