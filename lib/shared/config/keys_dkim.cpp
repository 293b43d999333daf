// The keys of signing keys.
#include "shared/config/keys.hpp"
#include "shared/config/value.hpp"

namespace relayd::config {

const Keys<DkimKey>& keys_of(const DkimKey*) {
  static const Keys<DkimKey> keys = {
      text("domain", &DkimKey::domain, parse_signing_domain),
      text("selector", &DkimKey::selector, parse_selector),
      private_file("key", &DkimKey::key),
      key("expires_after", &DkimKey::expires_after),
  };
  return keys;
}

}  // namespace relayd::config
