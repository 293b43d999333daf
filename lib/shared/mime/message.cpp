#include "shared/mime/message.hpp"

#include <algorithm>

#include "shared/base/ascii.hpp"
#include "shared/mail/field.hpp"
#include "shared/mime/file_name.hpp"
#include "shared/mime/parameters.hpp"

namespace relayd::mime {

namespace {

constexpr std::string_view text_type = "text/plain", message_type = "message/rfc822";
constexpr std::size_t longest_boundary = 200;  // RFC 2046 5.1.1 says 70

// RFC 2045 5.1.
bool is_token_letter(char c) {
  return ascii::is_ascii(c) && !ascii::is_control(c) && c != ' ' &&
         std::string_view("()<>@,;:\\\"/[]?=").find(c) == std::string_view::npos;
}

std::string token(std::string_view text) {
  const auto end = std::ranges::find_if_not(text, is_token_letter);
  return ascii::lower(text.substr(0, static_cast<std::size_t>(end - text.begin())));
}

bool is_type(std::string_view word) {
  const std::size_t slash = word.find('/');
  if (slash == std::string_view::npos || slash == 0 || slash + 1 == word.size()) return false;
  return std::ranges::all_of(word.substr(0, slash), is_token_letter) &&
         std::ranges::all_of(word.substr(slash + 1), is_token_letter);
}

struct Divided {
  std::string_view header, body;
};

// At the first empty line. A header that is longer than what is read of one has its end there.
Divided divide(std::string_view text) {
  std::string_view rest = text.substr(0, most_header);
  for (mail::Field field; mail::next_field(rest, field);) {
  }
  const auto header = static_cast<std::size_t>(rest.data() - text.data());
  Divided divided{text.substr(0, header), text.substr(header)};
  if (divided.body.starts_with("\r\n"))
    divided.body.remove_prefix(2);
  else if (divided.body.starts_with('\n'))
    divided.body.remove_prefix(1);
  return divided;
}

struct Delimiter {
  std::size_t begin = 0;  // with the end of line before it
  std::size_t end = 0;    // behind its line
  bool is_found = false;
  bool is_last = false;
};

// The next line of that dash-boundary (RFC 2046 5.1.1) from the line at an offset on. One comparison a line.
Delimiter next_delimiter(std::string_view text, std::string_view dashed, std::size_t from) {
  for (std::size_t at = from, before = 0; before != std::string_view::npos;
       before = text.find("\n--", at), at = before + 1) {
    if (!text.substr(at).starts_with(dashed)) continue;
    const std::size_t feed = text.find('\n', at);
    const std::size_t end = feed == std::string_view::npos ? text.size() : feed + 1;
    std::string_view tail = text.substr(at + dashed.size(), end - at - dashed.size());
    const bool is_last = tail.starts_with("--");
    if (is_last) tail.remove_prefix(2);
    if (!is_last && !ascii::trimmed(tail, ascii::white_space).empty()) continue;
    std::size_t begin = at;
    if (begin > from && text[begin - 1] == '\n') --begin;
    if (begin > from && text[begin - 1] == '\r') --begin;
    return {begin, end, true, is_last};
  }
  return {text.size(), text.size(), false, true};
}

class Reader {
 public:
  explicit Reader(std::vector<Part>& parts) : parts_(parts) {}

  // A header and a body. `usual`: its type where it says none.
  void read(const Divided& entity, std::string_view usual, unsigned level) {
    const Parameters type = parameters_of(field_body(entity.header, "Content-Type"));
    const std::string boundary = type.value("boundary");
    const bool divides = type.word.starts_with("multipart/") && !boundary.empty() &&
                         boundary.size() <= longest_boundary && level < most_levels;
    if (divides && read_parts(entity.body, boundary, type.word == "multipart/digest", level)) return;
    add(entity, type, usual);
  }

 private:
  // False: there is no such boundary, and so no part.
  bool read_parts(std::string_view body, const std::string& boundary, bool is_digest, unsigned level) {
    const std::string dashed = "--" + boundary;
    Delimiter delimiter = next_delimiter(body, dashed, 0);
    if (!delimiter.is_found) return false;
    while (delimiter.is_found && !delimiter.is_last && parts_.size() < most_parts) {
      const std::size_t begin = delimiter.end;
      delimiter = next_delimiter(body, dashed, begin);
      const std::string_view entity = body.substr(begin, delimiter.begin - begin);
      read(divide(entity), is_digest ? message_type : text_type, level + 1);
    }
    return true;
  }

  void add(const Divided& entity, const Parameters& type, std::string_view usual) {
    if (parts_.size() >= most_parts) return;
    const Parameters disposition = parameters_of(field_body(entity.header, "Content-Disposition"));
    Part part;
    // What says it has parts, and has none that can be found, is a text.
    const bool is_known = is_type(type.word) && !type.word.starts_with("multipart/");
    part.type = is_known ? type.word : std::string(usual);
    part.charset = token(type.value("charset"));
    part.disposition = token(disposition.word);
    part.name = clean_file_name(disposition.value("filename"));
    if (part.name.empty()) part.name = clean_file_name(type.value("name"));
    part.content_id =
        ascii::trimmed(ascii::trimmed(field_body(entity.header, "Content-ID"), ascii::white_space), "<>");
    part.encoding = encoding_of(parameters_of(field_body(entity.header, "Content-Transfer-Encoding")).word);
    part.body = entity.body;
    parts_.push_back(std::move(part));
  }

  std::vector<Part>& parts_;
};

}  // namespace

Message parse(std::string_view message) {
  const Divided whole = divide(message);
  Message parsed{whole.header, {}};
  Reader(parsed.parts).read(whole, text_type, 0);
  if (parsed.parts.empty())
    parsed.parts.push_back({std::string(text_type), {}, {}, {}, {}, Encoding::none, {}});
  return parsed;
}

std::string_view field_body(std::string_view header, std::string_view name) {
  for (mail::Field field; mail::next_field(header, field);)
    if (field.is(name)) return field.body;
  return {};
}

const Part* shown_part(const Message& message, std::string_view type) {
  const auto found = std::ranges::find_if(
      message.parts, [type](const Part& part) { return part.type == type && !part.is_attachment(); });
  return found == message.parts.end() ? nullptr : &*found;
}

}  // namespace relayd::mime
