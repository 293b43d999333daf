#include "watch/captured_text.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "shared/base/ascii.hpp"
#include "shared/base/base64.hpp"
#include "shared/mail/encoded_words.hpp"
#include "watch/answer.hpp"

namespace relayd::watch {

using nlohmann::json;

namespace {

constexpr std::size_t longest_field = 8 * 1024;    // of what is read of one, as people see it
constexpr std::size_t longest_header = 64 * 1024;  // that is shown
constexpr std::size_t longest_content_id = 256;

// Of images alone, so that nothing else gets in.
constexpr std::string_view image_types[] = {"image/apng", "image/avif",   "image/bmp",
                                            "image/gif",  "image/jpeg",   "image/png",
                                            "image/webp", "image/x-icon", "image/svg+xml"};

// As parts of the names that browsers know UTF-16 by.
constexpr std::string_view wide_charsets[] = {"utf-16", "ucs-2", "unicode", "10646"};

std::string text_in(const json& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

// Whether each encoded word, as far as it looks like one, is in UTF-8.
bool words_are_utf8(std::string_view body) {
  for (std::size_t at = 0; (at = body.find("=?", at)) != std::string_view::npos;) {
    at += 2;
    const std::string_view charset = body.substr(at, body.find_first_of("?* \t\r\n", at) - at);
    if (charset.empty()) continue;  // "=?=": an end of one
    if (!ascii::equal_ignoring_case(charset, "utf-8") && !ascii::equal_ignoring_case(charset, "us-ascii"))
      return false;
    at = std::min(body.find("?=", at + charset.size() + 3), body.size());
  }
  return true;
}

std::string unfolded(std::string_view body) {
  std::string text;
  for (const char c : ascii::trimmed(body, ascii::white_space))
    if (c != '\r' && c != '\n') text += c;
  return text;
}

std::string for_people(std::string_view header, std::string_view name) {
  const std::string_view body = mime::field_body(header, name).substr(0, longest_field);
  return words_are_utf8(body) ? mail::beginning_of_text(body, longest_field) : unfolded(body);
}

}  // namespace

Envelope read_envelope(std::string_view text) {
  const json object = json::parse(text, nullptr, false);
  if (!object.is_object()) return {};
  Envelope envelope{text_in(object, "sender"),
                    {},
                    text_in(object, "client"),
                    text_in(object, "account"),
                    text_in(object, "username")};
  if (const auto found = object.find("recipients"); found != object.end() && found->is_array())
    for (const json& recipient : *found)
      if (recipient.is_string()) envelope.recipients.push_back(recipient.get<std::string>());
  const auto utf8 = object.find("smtp_utf8");
  envelope.smtp_utf8 = utf8 != object.end() && utf8->is_boolean() && utf8->get<bool>();
  return envelope;
}

Heading read_heading(std::string_view header) {
  return {for_people(header, "Subject"),   for_people(header, "From"),     for_people(header, "To"),
          for_people(header, "Cc"),        for_people(header, "Reply-To"), for_people(header, "Date"),
          for_people(header, "Message-ID")};
}

std::string file_name_of(const mime::Part& part, std::size_t number) {
  if (!part.name.empty()) return part.name;
  const bool is_message = part.type == "message/rfc822";
  return fmt::format("part-{}{}", number, is_message ? ".eml" : part.type == "text/plain" ? ".txt" : "");
}

json describe_message(const mime::Message& message) {
  const Heading heading = read_heading(message.header);
  json object = {{"subject", heading.subject},
                 {"from", heading.from},
                 {"to", heading.to},
                 {"cc", heading.cc},
                 {"reply_to", heading.reply_to},
                 {"date", heading.date},
                 {"message_id", heading.message_id},
                 {"header", message.header.substr(0, longest_header)},
                 {"header_cut", message.header.size() > longest_header},
                 {"parts", json::array()}};
  const mime::Part* const html = mime::shown_part(message, "text/html");
  const mime::Part* const text = mime::shown_part(message, "text/plain");
  for (std::size_t i = 0; i < message.parts.size(); ++i) {
    const mime::Part& part = message.parts[i];
    const std::size_t size = mime::decode(part.encoding, part.body).size();
    object["parts"].push_back({{"part", i + 1},
                               {"type", part.type},
                               {"charset", part.charset},
                               {"disposition", part.disposition},
                               {"content_id", part.content_id.substr(0, longest_content_id)},
                               {"name", file_name_of(part, i + 1)},
                               {"size", size}});
    if (&part == text) object["text"] = i + 1;
    if (&part == html) object["html"] = {{"part", i + 1}, {"cut", size > most_html}};
  }
  return object;
}

std::string attachment_of(std::string_view name) {
  std::string plain, coded;
  for (const char c : name) {
    const bool is_plain = ascii::is_letter(c) || ascii::is_digit(c) || c == '.' || c == '-' || c == '_';
    plain += is_plain ? c : '_';
    coded += is_plain ? std::string(1, c) : fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return fmt::format("attachment; filename=\"{}\"; filename*=UTF-8''{}", plain, coded);
}

namespace {

const mime::Part* image_called(const mime::Message& message, std::string_view id) {
  const auto found = std::ranges::find_if(message.parts, [id](const mime::Part& part) {
    return part.content_id == id && std::ranges::find(image_types, part.type) != std::end(image_types);
  });
  return found == message.parts.end() ? nullptr : &*found;
}

// Octets that a part has in base64 at most.
std::size_t most_in_base64(const mime::Part& part) {
  const bool is_base64 = part.encoding == mime::Encoding::base64;
  return is_base64 ? part.body.size() : part.body.size() / 3 * 4 + 4;
}

class Framing {
 public:
  explicit Framing(const mime::Message& message) : message_(message) {}

  // "data:image/png;base64,…" of the image that is called so; empty: there is none, or no room for it.
  std::string data_of(std::string_view written) {
    if (references_ == most_references) return {};
    ++references_;
    const mime::Part* const image = image_called(message_, mime::decode_percent(written));
    if (!image || most_in_base64(*image) > room_) return {};
    room_ -= most_in_base64(*image);
    return fmt::format("data:{};base64,{}", image->type,
                       base64::encode(mime::decode(image->encoding, image->body)));
  }

 private:
  static constexpr std::size_t most_references = 500;

  const mime::Message& message_;
  std::size_t room_ = most_images;
  std::size_t references_ = 0;
};

constexpr std::string_view cid_scheme = "cid:";

// An address "cid:…" in an attribute or in url(…); empty: none begins there.
std::string_view cid_at(std::string_view text, std::size_t at) {
  constexpr std::string_view before = "\"'(= \t\r\n", behind = "\"')> \t\r\n";
  const std::string_view rest = text.substr(at);
  if (at == 0 || !ascii::equal_ignoring_case(rest.substr(0, cid_scheme.size()), cid_scheme) ||
      before.find(text[at - 1]) == std::string_view::npos)
    return {};
  const std::string_view near = rest.substr(0, longest_content_id + 1);
  const std::string_view address = near.substr(0, near.find_first_of(behind));
  return address.size() > cid_scheme.size() && address.size() <= longest_content_id ? address : "";
}

// What a letter of ISO-2022-JP may have before it, and nobody sees.
std::size_t skip_shifts(std::string_view text, std::size_t at) {
  while (text.substr(at, 2) == "\x1b(" && at + 3 <= text.size()) at += 3;
  return at;
}

// Attributes, and elements, that could lead elsewhere. A policy does not stop what a browser does before a
// link is followed or a frame loaded: it looks up the name, and connects.
constexpr std::string_view leading_names[] = {"href",    "attributename", "<iframe",     "<frame",
                                              "<object", "<embed",        "<fencedframe"};

// Octets of such a name, an attribute's with a '=' behind it; zero: none begins there.
std::size_t leading_name_at(std::string_view text, std::size_t at) {
  for (const std::string_view name : leading_names) {
    std::size_t end = at;
    for (const char letter : name) {
      if (end > at) end = skip_shifts(text, end);
      if (end == text.size() || ascii::lower(text[end]) != letter) {
        end = 0;
        break;
      }
      ++end;
    }
    if (end <= at) continue;
    if (name.front() == '<') return end - at;
    std::size_t behind = skip_shifts(text, end);
    while (behind < text.size() && std::string_view(" \t\r\n\f").find(text[behind]) != std::string_view::npos)
      behind = skip_shifts(text, behind + 1);
    if (behind < text.size() && text[behind] == '=') return end - at;
  }
  return 0;
}

}  // namespace

std::string framed_html(const mime::Message& message, const mime::Part& html) {
  const std::string whole = mime::decode(html.encoding, html.body);
  const std::string_view text = std::string_view(whole).substr(0, most_html);
  Framing framing(message);
  // These octets would be a mark that text in UTF-16 follows, whatever the header says.
  std::string out = text.starts_with("\xfe\xff") || text.starts_with("\xff\xfe") ? " " : "";
  for (std::size_t at = 0; at < text.size();) {
    const std::string_view address = cid_at(text, at);
    const std::string data = address.empty() ? "" : framing.data_of(address.substr(cid_scheme.size()));
    const std::size_t name = data.empty() ? leading_name_at(text, at) : 0;
    if (!data.empty())
      out += data;
    else if (name > 0)
      out += fmt::format("{}&#{};", text.substr(at, name - 1), static_cast<int>(text[at + name - 1]));
    else
      out += text[at];
    at += data.empty() ? std::max<std::size_t>(name, 1) : address.size();
  }
  return out;
}

// In UTF-16 the names above would not be found.
std::string framed_type(const mime::Part& html) {
  const bool is_wide = std::ranges::any_of(
      wide_charsets, [&html](std::string_view name) { return html.charset.find(name) != std::string::npos; });
  return "text/html; charset=" + (html.charset.empty() || is_wide ? std::string("utf-8") : html.charset);
}

}  // namespace relayd::watch
