// Report: the message that tells somebody what became of his mail (RFC 3464 in RFC 6522, RFC 6533 where there
// are addresses that are not ASCII), and the summary that stands for reports that are not written.
//
// Last stage of the path. The relay makes it where obligation.hpp says that it is owed, and queues it like
// any message. Pure: the time, the id and the random bits are given. Nothing of the message or of a reply is
// trusted: whatever is in them, a report is one multipart of three, of lines of at most 998 octets.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "shared/base/time.hpp"
#include "shared/config/config.hpp"
#include "shared/mail/envelope.hpp"
#include "shared/smtp/reply_class.hpp"
#include "tell/outcome.hpp"

namespace relayd::tell {

// What became of one recipient.
struct ReportedRecipient {
  // Index in Envelope::recipients; in Envelope::expanded where the kind is `expanded`.
  std::uint32_t recipient = 0;
  int code = 0;               // of the reply; 0: there was none
  std::string text = {};      // enhanced code and text of the reply, or what happened instead; may be empty
  std::string upstream = {};  // of the last attempt; empty: none was made
  std::string host = {};      // that replied, "mx.example.net:587"; empty: none was involved
  WallTime last_attempt{};    // the epoch: none was made
  bool expired = false;       // it failed because its time was over, and `text` is of the last attempt
  std::optional<smtp::ReplyClass> reply_class = {};  // if it is known; else the words go by the status
};

struct ReportFacts {
  Reported::Kind kind = Reported::Kind::failed;
  std::string_view hostname;        // of this relay
  std::string_view from;            // bounce.from
  std::span<const std::string> to;  // addressees(); at least one
  std::string_view id;              // the report's own, in the queue
  std::string_view about;           // the id of the message
  const mail::Envelope& envelope;   // of the message
  WallTime arrived;                 // when the message was taken
  WallTime now;
  std::span<const ReportedRecipient> recipients;  // at least one
  std::optional<WallTime> next_attempt = {};      // of `delayed`
  std::optional<WallTime> retry_until = {};       // of `delayed`
  std::chrono::seconds delay{0};  // of `delayed`: the age of `bounce.delay_warning` that it is for
  std::string_view header = {};   // of the message as it was accepted; with or without its empty line
  // Of the message, all of it; nothing: it is not at hand, or too large. Not needed where returns_body() is
  // false.
  std::optional<std::string_view> body = {};
  config::Bounce::Content content = config::Bounce::Content::headers;
  std::array<std::uint64_t, 2> random{};  // of the boundary: not to be guessed
};

// Octets of a message's header and body up to which a report returns all of it.
inline constexpr std::size_t most_returned = 50'000;

// Whether the report returns the body, too, if the message has no more than most_returned octets: whoever
// asks compose() for it need not read the body otherwise.
bool returns_body(Reported::Kind kind, const mail::Envelope& envelope, config::Bounce::Content content);

struct Report {
  // From the null sender, for the addressees, who are never told of its own fate; its `report` is filled.
  mail::Envelope envelope;
  std::string content;  // header and body, in lines with CR LF
};

Report compose(const ReportFacts& facts);

struct Silenced {
  std::string reason;  // such as "550 5.1.1": a class, a code; shown as it is
  std::uint64_t count = 0;
};

struct SummaryFacts {
  std::string_view hostname;
  std::string_view from;            // bounce.from
  std::span<const std::string> to;  // at least one
  std::string_view id;              // its own, in the queue
  WallTime since;                   // the time that it is about
  WallTime now;
  std::string_view limit;             // bounce.limit, as config::to_string() says it
  std::span<const Silenced> reasons;  // reports that were not written, by reason
};

// One plain message in the place of the reports that were too many; it is marked as a report of ours, about
// no message.
Report compose_summary(const SummaryFacts& facts);

struct NoticeFacts {
  std::string_view hostname;
  std::string_view from;            // whose mail goes through an account that works
  std::span<const std::string> to;  // at least one
  std::string_view id;              // its own, in the queue
  WallTime now;
  std::string_view subject;
  std::span<const std::string> paragraphs;  // may quote what others said
};

// A plain message of the relay to its operator. It leaves from `from`, which its way takes, and nobody is
// told of its own fate.
Report compose_notice(const NoticeFacts& facts);

}  // namespace relayd::tell
