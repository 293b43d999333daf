#include "queue/summaries.hpp"

#include <algorithm>
#include <utility>

#include "queue/history.hpp"

namespace relayd::queue {
namespace {

// While something happens to a message as often as it is looked at: then its history is read on the loop, and
// at last left out.
constexpr unsigned rounds_beside = 4;
constexpr unsigned most_rounds = 20;
constexpr std::size_t read_at_once = 256;  // histories, in one job

}  // namespace

async::Task<void> Summaries::write(std::vector<MessageId> ids, bool brief, std::uint64_t releases) {
  std::uint32_t gone = 0;  // their last word was submitted before
  for (unsigned round = 1; !ids.empty(); ++round) {
    std::vector<Order> orders;
    for (const MessageId id : std::exchange(ids, {})) {
      Entry* const entry = store_.index.find(id);
      if (!entry || entry->doomed)
        ++gone;
      else if (brief || entry->last.segment == 0 || round == most_rounds)
        submit(*entry, std::nullopt, brief, releases);
      else if (entry->last.is_promise())
        ids.push_back(id);
      else if (round > rounds_beside)
        submit(*entry, newest_replies(store_.states, entry->last, entry->states.size()), brief, releases);
      else
        orders.push_back({id, entry->last, entry->states.size(), {}});
    }
    for (std::size_t from = 0; from < orders.size(); from += read_at_once) {
      const std::size_t to = std::min(orders.size(), from + read_at_once);
      co_await store_.keeper.run([this, &orders, from, to] {
        for (std::size_t i = from; i < to; ++i)
          orders[i].replies = newest_replies(store_.states, orders[i].last, orders[i].recipients);
      });
    }
    for (Order& order : orders) {
      Entry* const entry = store_.index.find(order.id);
      if (entry && !entry->doomed && entry->last == order.last)
        submit(*entry, std::move(order.replies), brief, releases);
      else
        ids.push_back(order.id);
    }
    // Some have just had news that is not on disk yet.
    if (!ids.empty()) co_await store_.facts->flush();
  }
  co_await store_.facts->flush();
  for (; releases != 0 && gone > 0; --gone) store_.index.left(releases);
}

void Summaries::submit(Entry& entry, std::optional<Outcome> replies, bool brief, std::uint64_t releases) {
  Summary summary = store_.index.summary_of(entry, store_.clock());
  if (const auto inherited = inherited_.find(entry.id().value); inherited != inherited_.end()) {
    if (!replies) replies = std::move(inherited->second);
    inherited_.erase(inherited);
  }
  if (!brief) summary.merged = std::move(replies);
  Submission submission;
  submission.bytes = encode_summary(entry.id(), summary);
  if (submission.bytes.size() > store_.ground.largest_fact()) {
    summary.merged.reset();
    submission.bytes = encode_summary(entry.id(), summary);
  }
  ++written_;
  octets_ += submission.bytes.size();
  submission.is_summary = true;
  submission.releases = releases;
  store_.record(entry, std::move(submission));
}

}  // namespace relayd::queue
