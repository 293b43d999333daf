#include "tell/history.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <iterator>
#include <nlohmann/json.hpp>
#include <vector>

#include "shared/base/ascii.hpp"
#include "shared/crypto/sha256.hpp"
#include "shared/mail/lookup_key.hpp"
#include "shared/telemetry/text.hpp"

namespace relayd::tell {

using nlohmann::json;

namespace {

constexpr std::size_t longest_text = 512;         // of a reply, a reason
constexpr std::size_t recipients_at_once = 4096;  // octets of addresses in one line, about

// The beginning of a text, which does not end inside a character.
std::string_view beginning(std::string_view text, std::size_t limit = longest_text) {
  if (text.size() <= limit) return text;
  std::size_t end = limit;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;
  return text.substr(0, end);
}

// One line. Empty texts and zeroes are left out.
class Line {
 public:
  Line(std::string& out, std::string_view id, std::string_view event, const HistoryStyle& style)
      : out_(out), style_(style) {
    out_ += R"({"id":")";
    telemetry::append_escaped(out_, beginning(id));
    out_ += R"(","time":")";
    telemetry::append_time(out_, style.now);
    out_ += R"(","event":")";
    out_ += event;
    out_ += '"';
  }
  Line(const Line&) = delete;
  Line& operator=(const Line&) = delete;
  ~Line() {
    begin_array("keys", hashes_.empty());
    for (const std::string& hash : hashes_) element(hash);
    end_array(hashes_.empty());
    begin_array("to_keys", recipients_.empty());
    for (const std::string& hash : recipients_) element(hash);
    end_array(recipients_.empty());
    out_ += "}\n";
  }

  void text(std::string_view key, std::string_view value) {
    if (value.empty()) return;
    name(key);
    quoted(beginning(value));
  }
  // What somebody said, which may quote an address. Parts of a reply that stand on lines of their own are
  // parted by a space.
  void saying(std::string_view key, std::string_view before, std::string_view value) {
    if (before.empty() && value.empty()) return;
    name(key);
    out_ += '"';
    said(before);
    if (!before.empty() && !value.empty()) out_ += ' ';
    value = beginning(value);
    for (;;) {
      const std::size_t end = std::min(value.find('\n'), value.size());
      said(value.substr(0, end));
      if (end == value.size()) break;
      out_ += ' ';
      value.remove_prefix(end + 1);
    }
    out_ += '"';
  }
  void number(std::string_view key, std::uint64_t value) {
    if (value == 0) return;
    name(key);
    fmt::format_to(std::back_inserter(out_), "{}", value);
  }
  void seconds(std::string_view key, Duration value) {
    name(key);
    fmt::format_to(std::back_inserter(out_), "{:.3f}", std::chrono::duration<double>(value).count());
  }
  void address(std::string_view key, std::string_view value) {
    name(key);
    address(value, key == "to");
  }
  void addresses(std::string_view key, std::span<const mail::Recipient> values) {
    begin_array(key, values.empty());
    for (const mail::Recipient& recipient : values) {
      part();
      address(recipient.address, key == "to");
    }
    end_array(values.empty());
  }

 private:
  void name(std::string_view key) { ((out_ += ",\"") += key) += "\":"; }
  void quoted(std::string_view value) {
    out_ += '"';
    telemetry::append_escaped(out_, value);
    out_ += '"';
  }
  void said(std::string_view value) {
    if (style_.masked)
      telemetry::append_escaped(out_, telemetry::masked_within(value));
    else
      telemetry::append_escaped(out_, value);
  }
  void address(std::string_view value, bool is_recipient) {
    if (!style_.masked) return quoted(beginning(value));
    quoted(telemetry::masked(beginning(value)));
    if (style_.key.empty()) return;
    if (is_recipient) return recipients_.push_back(history_hash(value, style_.key));
    if (value.empty()) return;
    std::string hash = history_hash(value, style_.key);
    if (std::ranges::find(hashes_, hash) == hashes_.end()) hashes_.push_back(std::move(hash));
  }
  void begin_array(std::string_view key, bool none) {
    if (none) return;
    name(key);
    out_ += '[';
  }
  void part() {
    if (out_.back() != '[') out_ += ',';
  }
  void element(std::string_view value) {
    part();
    quoted(value);
  }
  void end_array(bool none) {
    if (!none) out_ += ']';
  }

  std::string& out_;
  const HistoryStyle& style_;
  std::vector<std::string> hashes_;
  std::vector<std::string> recipients_;  // one for each, so that two that look the same are told apart
};

// The first of the recipients, as many as a line may have; takes them away.
std::span<const mail::Recipient> take_some(std::span<const mail::Recipient>& recipients) {
  std::size_t count = 0;
  for (std::size_t octets = 0; count < recipients.size() && octets < recipients_at_once; ++count)
    octets += recipients[count].address.size();
  const auto some = recipients.first(count);
  recipients = recipients.subspan(count);
  return some;
}

// "5.1.1", short enough for a string to hold without an allocation.
std::string enhanced_of(const smtp::Event& event) {
  const bool given = !event.trouble && event.reply.enhanced.given();
  return given ? smtp::to_string(event.reply.enhanced) : std::string();
}

bool is_text(const json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string();
}

bool is_list_of_texts(const json& value) {
  return value.is_array() && std::ranges::all_of(value, [](const json& one) { return one.is_string(); });
}

// What follows `prefix` up to the next quote; takes both away. Nothing: it has another beginning.
std::optional<std::string_view> take_quoted(std::string_view& text, std::string_view prefix) {
  if (!text.starts_with(prefix)) return std::nullopt;
  text.remove_prefix(prefix.size());
  const std::size_t end = text.find('"');
  if (end == std::string_view::npos) return std::nullopt;
  const std::string_view value = text.substr(0, end);
  text.remove_prefix(end);
  return value;
}

}  // namespace

void append_history(std::string& out, const Arrival& arrival, const HistoryStyle& style) {
  const mail::Envelope& envelope = arrival.envelope;
  std::span<const mail::Recipient> to = arrival.to;
  std::span<const mail::Recipient> instead_of = arrival.instead_of;
  do {
    Line line(out, arrival.id, word_for(arrival.kind), style);
    line.address("from", envelope.sender);
    line.addresses("to", take_some(to));
    line.addresses("instead_of", take_some(instead_of));
    line.text("message_id", arrival.message_id);
    line.number("size", arrival.size);
    line.text("client", envelope.client);
    line.text("account", envelope.account);
    line.text("listener", envelope.listener);
    line.text("tls", arrival.tls);
  } while (!to.empty() || !instead_of.empty());
}

void append_history(std::string& out, const Outcome& outcome, const HistoryStyle& style) {
  const smtp::Event& event = outcome.event;
  Line line(out, outcome.id, word_for(outcome.fate), style);
  line.address("from", outcome.from);
  line.address("to", outcome.to);
  if (outcome.sent_from != outcome.from) line.address("sent_from", outcome.sent_from);
  if (outcome.sent_to != outcome.to) line.address("sent_to", outcome.sent_to);
  line.saying("rule", {}, outcome.rule);
  line.text("upstream", outcome.upstream);
  line.text("host", outcome.host);
  line.text("account", outcome.account);
  line.text("tls", outcome.tls);
  line.text("stage", smtp::to_string(event.stage));
  line.number("code", static_cast<std::uint64_t>(std::max(smtp::code_of(event), 0)));
  line.saying("response", enhanced_of(event), event.trouble ? event.text : event.reply.text);
  line.text("provider_id", outcome.provider_id);
  line.text("class", outcome.reply_class);
  line.number("attempt", outcome.attempt);
  line.seconds("delay", outcome.age);
}

void append_history(std::string& out, const GivenUp& given_up, const HistoryStyle& style) {
  std::span<const mail::Recipient> to = given_up.to;
  do {
    Line line(out, given_up.id, word_for(given_up.why), style);
    line.address("from", given_up.from);
    line.addresses("to", take_some(to));
    line.saying("response", {}, given_up.reason);
    line.number("attempts", given_up.attempts);
  } while (!to.empty());
}

void append_history(std::string& out, const Handled& message, const HistoryStyle& style) {
  const bool is_ours = message.kind == Handled::Kind::routeless;
  Line line(out, message.id, word_for(message.kind), style);
  line.address("from", message.from);
  line.saying("response", {}, message.reason);
  line.text("class", is_ours ? "none" : "");
  line.text("by", is_ours ? "" : "operator");
}

void append_history(std::string& out, const Reported& report, const HistoryStyle& style) {
  std::span<const mail::Recipient> about = report.about;
  do {
    Line line(out, report.id, event_of(report.kind), style);
    line.address("from", report.from);
    line.addresses("about", take_some(about));
    line.text("report", report.report);
    if (!report.to.empty()) line.address("sent_to", report.to);
    line.saying("reason", {}, report.reason);
  } while (!about.empty());
}

std::string history_hash(std::string_view address, std::string_view key) {
  crypto::Sha256 sha256;
  sha256.update(key);
  sha256.update(mail::lookup_key(address));
  const crypto::Digest digest = sha256.finish();
  std::string hash;
  for (std::size_t i = 0; i < 8; ++i) fmt::format_to(std::back_inserter(hash), "{:02x}", digest[i]);
  return hash;
}

std::optional<HistoryHead> history_head(std::string_view line) {
  const auto id = take_quoted(line, R"({"id":")");
  const auto time = id ? take_quoted(line, R"(","time":")") : std::nullopt;
  if (!time) return std::nullopt;
  return HistoryHead{*id, *time};
}

std::optional<json> parse_history(std::string_view line) {
  if (!history_head(line)) return std::nullopt;
  json object = json::parse(line, nullptr, false);
  if (!object.is_object() || !is_text(object, "id") || !is_text(object, "time") || !is_text(object, "event"))
    return std::nullopt;
  for (const json& value : object)
    if (!value.is_string() && !value.is_number() && !is_list_of_texts(value)) return std::nullopt;
  return object;
}

}  // namespace relayd::tell
