#include "queue/store.hpp"

namespace relayd::queue {

void Store::remove_large(MessageId id) {
  keeper.post([this, path = "large/" + to_string(id)] {
    try {
      disk.remove(path);
    } catch (const disk::DiskError&) {
      // The next start tries again.
    }
  });
}

}  // namespace relayd::queue
