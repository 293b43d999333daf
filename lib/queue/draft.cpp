#include "queue/draft.hpp"

#include <utility>

#include "queue/record.hpp"

namespace relayd::queue {

Draft::State::State(Store& queue_store, async::Workers& helpers, std::string buffer, MessageId new_id)
    : store(queue_store), workers(helpers), id(new_id), record(begin_message(std::move(buffer))) {}

Draft::State::~State() {
  if (file) store.remove_large(id);
}

void Draft::State::spill() {
  if (store.ground.is_low()) throw QueueError(QueueError::Kind::full, "free space is below the reserve");
  const std::string_view body = std::string_view(record).substr(message_head);
  const Ground::Claim claim(store.ground, body.size());
  if (!file) {
    file = store.disk.create(large_path());
    file_checksum.emplace();
  }
  file->write_at(size - body.size(), body);
  file_checksum->add(body);
  record.resize(message_head);
}

void Draft::State::finish_large() {
  spill();
  file->sync_data();
  store.disk.sync_directory("large");
}

MessageFacts Draft::State::facts(WallTime accepted) const {
  MessageFacts facts;
  facts.size = size;
  facts.accepted = accepted;
  facts.by_reference = file != nullptr;
  if (file) facts.body_checksum = file_checksum->value();
  return facts;
}

std::string Draft::State::finish(const MessageFacts& facts, const Envelope& envelope) {
  finish_message(record, id, facts, envelope);
  return std::move(record);
}

std::string Draft::State::large_path() const {
  return "large/" + to_string(id);
}

Draft::Draft(std::unique_ptr<State> state) : state_(std::move(state)) {}
Draft::Draft(Draft&&) noexcept = default;
Draft& Draft::operator=(Draft&&) noexcept = default;
Draft::~Draft() = default;

MessageId Draft::id() const {
  return state_->id;
}

std::uint64_t Draft::size() const {
  return state_->size;
}

bool Draft::append(std::string_view bytes) {
  state_->record += bytes;
  state_->size += bytes.size();
  return state_->buffered() > state_->store.options.inline_limit.count;
}

}  // namespace relayd::queue
