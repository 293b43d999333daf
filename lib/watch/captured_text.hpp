// What the operator's window tells of a captured message: its facts, and its HTML for a frame.
//
// Beside the path; asked on a helper thread. Pure: octets in, text out. What is in a message was written by
// anybody.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "shared/mime/message.hpp"

namespace relayd::watch {

// What a sandbox has noted (send/sandbox.hpp). What is not there is empty.
struct Envelope {
  std::string sender;
  std::vector<std::string> recipients;
  std::string client;
  std::string account;
  std::string username;
  bool smtp_utf8 = false;
};
Envelope read_envelope(std::string_view text);

// Fields of the header as people read them: unfolded, encoded words (RFC 2047) in UTF-8 decoded. One with
// words in another charset is left as it is written, for a reader who knows that.
struct Heading {
  std::string subject, from, to, cc, reply_to, date, message_id;
};
Heading read_heading(std::string_view header);

inline constexpr std::size_t most_html = 2 << 20;    // octets that are shown
inline constexpr std::size_t most_images = 8 << 20;  // octets of images in it, as they are written there

// The message's parts and header: {"header", "subject"…, "parts": […], "text": N, "html": {"part": N, "cut":
// false}}. Parts are counted from 1.
nlohmann::json describe_message(const mime::Message& message);

// The name under which a part is saved.
std::string file_name_of(const mime::Part& part, std::size_t number);

// `attachment; filename="…"; filename*=UTF-8''…` (RFC 6266, RFC 8187).
std::string attachment_of(std::string_view name);

// The octets of a part of HTML for a frame that loads nothing: images of the message that it names by "cid:"
// (RFC 2392) are put in as "data:"; what does not fit stays as it is. Links and frames within lead
// nowhere: the last letter of "href" and the like is coded, which is the same in a text and not in a tag.
std::string framed_html(const mime::Message& message, const mime::Part& html);

// "text/html; charset=…"
std::string framed_type(const mime::Part& html);

}  // namespace relayd::watch
