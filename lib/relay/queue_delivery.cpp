#include "relay/queue_delivery.hpp"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <tuple>
#include <unordered_map>

#include "rewrite/dkim_body.hpp"
#include "shared/async/stream.hpp"

namespace relayd {

using async::Task;

namespace {
constexpr std::uint64_t piece_size = 256 * 1024;
// Thousands of addresses and a table of costly patterns are no work for the loop.
constexpr std::size_t large_header = 16 * 1024;
}  // namespace

QueueDelivery::QueueDelivery(queue::Queue& queue, async::Workers& workers, const queue::Shipment& shipment,
                             queue::Content content, Terms terms)
    : queue_(queue),
      workers_(workers),
      id_(shipment.id),
      terms_(std::move(terms)),
      attempt_(shipment.attempts + 1U),
      doubted_here_(shipment.in_doubt() && shipment.doubted == terms_.upstream),
      text_(queue::to_string(id_.message())),
      content_(std::move(content)) {}

// --- what leaves in place of what is stored ---

Task<rewrite::Outgoing> QueueDelivery::prepare(std::shared_ptr<const WaysOut> ways, rewrite::Way way,
                                               WallTime now) {
  ways_ = std::move(ways);
  if (is_large()) {
    const auto read = [this] { read_header(); };
    co_await workers_.run(read);
  }
  const std::string_view stored = rewrite::header_of(is_large() ? piece_ : content_.body);
  rewrite::Outgoing out;
  const auto change = [&] { out = rewrite::outgoing(way, content_.envelope, stored); };
  if (stored.size() > large_header) {
    co_await workers_.run(change);
  } else {
    change();
  }
  const std::string_view header = out.header ? std::string_view(*out.header) : stored;
  std::string head;
  const Signing signing{ways_->keys().of_header(header), way.unsigned_names};
  if (!signing.signers.empty()) {
    std::string fields = co_await sign(signing, header, stored.size(), now);
    head = std::move(fields);
  }
  if (out.header || !head.empty()) {
    head += header;
    replace_header(stored.size(), std::move(head));
  }
  if (out.envelope) {
    changed_ = std::move(out.envelope);
    unite_recipients();
  }
  if (content_.recipients.size() > terms_.limit) leave_for_later();
  co_return out;
}

// The beginning of a large message, at least its header.
void QueueDelivery::read_header() {
  for (std::uint64_t octets = piece_size;; octets *= 2) {
    piece_.resize(std::min(octets, content_.size));
    read(0, piece_);
    if (piece_.size() == content_.size || rewrite::header_of(piece_).size() < piece_.size()) break;
  }
  position_ = piece_.size();
  piece_waits_ = true;
}

Task<std::string> QueueDelivery::sign(Signing signing, std::string_view header, std::uint64_t stored_header,
                                      WallTime now) {
  const auto make = [&] {
    return rewrite::dkim_fields(signing.signers, header, body_hash(stored_header), now,
                                signing.unsigned_names);
  };
  const bool hash_known = content_.envelope.body_hash.size() == std::tuple_size<crypto::Digest>();
  const bool quick = std::ranges::all_of(signing.signers, [](const rewrite::DkimSigner& signer) {
    return signer.key->type() == crypto::SigningKey::Type::ed25519;
  });
  if (quick && (hash_known || !is_large())) co_return make();
  std::string fields = co_await workers_.run(make);
  co_return fields;
}

crypto::Digest QueueDelivery::body_hash(std::uint64_t header) {
  crypto::Digest digest{};
  const std::string& known = content_.envelope.body_hash;
  if (known.size() == digest.size()) {
    std::ranges::copy(known, digest.begin());
    return digest;
  }
  rewrite::BodyHash hash;  // no key could sign for it when it was taken
  if (!is_large()) hash.update(std::string_view(content_.body).substr(header));
  std::string piece;
  for (std::uint64_t at = header; is_large() && at < content_.size; at += piece.size()) {
    piece.resize(std::min(piece_size, content_.size - at));
    read(at, piece);
    hash.update(piece);
  }
  return hash.finish();
}

void QueueDelivery::replace_header(std::uint64_t octets, std::string head) {
  replaced_ = octets;
  head_ = std::move(head);
  head_waits_ = true;
  if (!is_large()) {
    position_ = octets;
  } else {
    piece_.erase(0, octets);
    piece_waits_ = !piece_.empty();
  }
}

// A server is asked once for each address, and what it says holds for all who leave as that.
void QueueDelivery::unite_recipients() {
  std::unordered_map<std::string_view, std::uint32_t> first;
  std::vector<std::uint32_t> left;
  for (const std::uint32_t recipient : content_.recipients) {
    const auto [known, fresh] = first.emplace(changed_->recipients[recipient].address, recipient);
    if (fresh)
      left.push_back(recipient);
    else
      united_.emplace_back(recipient, known->second);
  }
  content_.recipients = std::move(left);
}

// Those for whom there is no room this time, and who would have left as one of them.
void QueueDelivery::leave_for_later() {
  content_.recipients.resize(terms_.limit);
  std::erase_if(united_, [this](const auto& pair) {
    return std::ranges::find(content_.recipients, pair.second) == content_.recipients.end();
  });
}

// --- content ---

Task<std::string_view> QueueDelivery::next() {
  if (std::exchange(head_waits_, false)) co_return head_;
  if (std::exchange(piece_waits_, false)) co_return piece_;
  if (is_large()) {
    co_await workers_.run([this] { read_piece(); });
    co_return piece_;
  }
  const std::string_view rest = std::string_view(content_.body).substr(position_);
  position_ = content_.body.size();
  co_return rest;
}

void QueueDelivery::read_piece() {
  piece_.resize(std::min(piece_size, content_.size - position_));
  read(position_, piece_);
  position_ += piece_.size();
}

// Fills the piece from there on.
void QueueDelivery::read(std::uint64_t position, std::string& piece) const {
  std::size_t filled = 0;
  while (filled < piece.size()) {
    const ssize_t count = ::pread(content_.file, piece.data() + filled, piece.size() - filled,
                                  static_cast<off_t>(position + filled));
    if (count < 0 && errno == EINTR) continue;
    // The connection must go before its final dot: to the dialogue it is we who close it.
    if (count <= 0) throw async::IoError(async::IoFault::cancelled, "the message's file cannot be read");
    filled += static_cast<std::size_t>(count);
  }
}

Task<void> QueueDelivery::before_final_dot(std::span<const std::uint32_t> recipients) {
  queue::Shipment* const shipment = queue_.find(id_);
  if (!shipment) co_return;
  std::vector<std::uint32_t> all;
  if (!united_.empty()) {
    all.assign(recipients.begin(), recipients.end());
    for (const auto& [recipient, other] : united_)
      if (std::ranges::find(recipients, other) != recipients.end()) all.push_back(recipient);
    recipients = all;
  }
  co_await queue_.mark_in_doubt(*shipment, terms_.upstream, recipients, terms_.next_attempt());
}

}  // namespace relayd
