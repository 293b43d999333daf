// What the operator does to the list of suppressed recipients, as Admin is asked.
//
// Beside the path. The relay's book of the list is the desk; answers are lines of JSON as those of Admin, and
// nothing is said to be done that is not on disk.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "shared/async/task.hpp"
#include "shared/async/workers.hpp"
#include "shared/base/time.hpp"
#include "tell/suppression.hpp"
#include "watch/admin_request.hpp"

namespace relayd::watch {

class SuppressionDesk {
 public:
  virtual ~SuppressionDesk() = default;

  virtual const tell::SuppressionList& list() const = 0;
  // How long an entry counts by the configuration; nothing: recipients are not suppressed at all.
  virtual std::optional<std::chrono::seconds> keep() const = 0;
  virtual async::Task<void> add(const std::vector<tell::Suppression>& entries) = 0;
  // Of this domain's senders, or all entries of the recipient; in any spelling. How many there were.
  virtual async::Task<std::size_t> remove(const std::string& recipient,
                                          const std::optional<std::string>& sender) = 0;
  // All of it is on disk: an empty text; else why not.
  virtual async::Task<std::string> flush() = 0;
};

// Hands lines of the answer to whoever asked.
using Answer = std::function<async::Task<void>(std::string_view lines)>;

// The answer to a request of `suppress …`; `text` is what followed the line of an import.
async::Task<void> answer_suppress(SuppressionDesk& desk, async::Workers& workers, const Request& request,
                                  const std::string& text, WallTime now, const Answer& answer);

}  // namespace relayd::watch
