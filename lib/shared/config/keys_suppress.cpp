// The keys of suppressed recipients.
#include <array>

#include "shared/config/keys.hpp"

namespace relayd::config {

// What suppresses a recipient.
enum class SuppressCause { unknown_recipient };

static constexpr auto words_of(SuppressCause) {
  return std::to_array<Word<SuppressCause>>({{"unknown_recipient", SuppressCause::unknown_recipient}});
}

// There is one cause: naming it says what the section does.
static void read_causes(Reader& reader, const Node& node, Suppress&) {
  const std::size_t before = reader.errors.size();
  std::vector<SuppressCause> causes;
  read(reader, node, causes);
  if (causes.empty() && reader.errors.size() == before)
    reader.error(node.place,
                 "nothing would suppress a recipient: name unknown_recipient, or remove 'suppress'");
}

const Keys<Suppress>& keys_of(const Suppress*) {
  static const Keys<Suppress> keys = {
      {"on", read_causes},
      key("for", &Suppress::keep),
  };
  return keys;
}

}  // namespace relayd::config
