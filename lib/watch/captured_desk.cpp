#include "watch/captured_desk.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <random>

#include "shared/base/secret.hpp"
#include "watch/answer.hpp"
#include "watch/api.hpp"
#include "watch/captured_text.hpp"

namespace relayd::watch {

using async::Task;
using nlohmann::json;

namespace {

constexpr std::size_t piece = 64 * 1024;  // of a message that is saved

constexpr const char* type_field = "Content-Type";
constexpr const char* json_type = "application/json";
constexpr const char* octets_type = "application/octet-stream";
constexpr const char* disposition_field = "Content-Disposition";

// Nothing is loaded, run or sent, and nobody else may show it.
constexpr const char* frame_policy =
    "sandbox; default-src 'none'; img-src data:; style-src 'unsafe-inline'; frame-ancestors 'self'";

http::Answer missing() {
  return refusal(404, "there is no such message");
}

http::Answer octets(std::string text, const std::string& name) {
  return {200, {{type_field, octets_type}, {disposition_field, attachment_of(name)}}, std::move(text)};
}

// Blocks. The text of a message; nothing: it is not there, or is larger than what is read of one.
std::optional<std::string> read_text(const CapturedMessage& message) {
  if (message.size > CapturedDesk::most_message) return std::nullopt;
  return read_piece(message.file, 0, message.size);
}

// Blocks.
std::optional<json> read_message(const std::string& directory, const CapturedName& name) {
  const std::optional<CapturedMessage> message = open_captured(directory, name);
  const std::optional<std::string> text = message ? read_text(*message) : std::nullopt;
  if (!text) return std::nullopt;
  const Envelope envelope = read_envelope(message->envelope);
  json object = describe_message(mime::parse(*text));
  object["time"] = time_text(message->kept);
  object["size"] = message->size;
  object["envelope"] = {{"sender", envelope.sender},     {"recipients", envelope.recipients},
                        {"client", envelope.client},     {"account", envelope.account},
                        {"username", envelope.username}, {"smtp_utf8", envelope.smtp_utf8}};
  return object;
}

// Blocks.
http::Answer read_part(const std::string& directory, const CapturedName& name, std::size_t number) {
  const std::optional<CapturedMessage> found = open_captured(directory, name);
  const std::optional<std::string> text = found ? read_text(*found) : std::nullopt;
  if (!text) return missing();
  const mime::Message message = mime::parse(*text);
  if (number == 0 || number > message.parts.size()) return refusal(404, "there is no such part");
  const mime::Part& part = message.parts[number - 1];
  return octets(mime::decode(part.encoding, part.body), file_name_of(part, number));
}

// Blocks.
http::Answer read_frame(const std::string& directory, const CapturedName& name, std::size_t number) {
  const std::optional<CapturedMessage> found = open_captured(directory, name);
  const std::optional<std::string> text = found ? read_text(*found) : std::nullopt;
  if (!text) return missing();
  const mime::Message message = mime::parse(*text);
  if (number == 0 || number > message.parts.size()) return missing();
  const mime::Part& html = message.parts[number - 1];
  return {200,
          {{type_field, framed_type(html)},
           {"Content-Security-Policy", frame_policy},
           {"X-Frame-Options", "SAMEORIGIN"}},
          framed_html(message, html)};
}

// 128 bits that nobody can guess.
std::string random_text() {
  std::random_device device;
  std::string text;
  for (int i = 0; i < 4; ++i) text += fmt::format("{:08x}", device());
  return text;
}

}  // namespace

CapturedDesk::CapturedDesk(async::Loop& loop, async::Workers& workers, Places places)
    : loop_(loop), workers_(workers), places_(std::move(places)) {}

Task<void> CapturedDesk::answer(http::Exchange& exchange, const CapturedAsked& asked) {
  if (answers_ >= most_answers) {
    const http::Answer later = refusal(503, "too much is being read; try again in a moment");
    co_await exchange.answer(later);
    co_return;
  }
  struct Counted {
    explicit Counted(unsigned& answers) : count(answers) { ++count; }
    ~Counted() { --count; }
    unsigned& count;
  } const counted(answers_);
  co_await tell(exchange, asked);
}

Task<void> CapturedDesk::tell(http::Exchange& exchange, const CapturedAsked& asked) {
  using What = CapturedAsked::What;
  if (asked.what == What::list) {
    co_await tell_list(exchange, asked.question);
    co_return;
  }
  if (asked.what == What::clear) {
    co_await clear(exchange, asked.question.upstream);
    co_return;
  }
  if (asked.what == What::frame) {
    co_await tell_frame(exchange, asked.ticket);
    co_return;
  }
  const std::optional<Place> place = place_of(asked.upstream, asked.name);
  if (!place) {
    const http::Answer answer = missing();
    co_await exchange.answer(answer);
  } else if (asked.what == What::message) {
    co_await tell_message(exchange, *place);
  } else if (asked.what == What::source) {
    co_await tell_source(exchange, *place);
  } else {
    co_await tell_part(exchange, *place, asked.part);
  }
}

std::optional<CapturedDesk::Place> CapturedDesk::place_of(const std::string& upstream,
                                                          const std::string& name) const {
  const std::optional<CapturedName> known = captured_name(name);
  if (!known) return std::nullopt;
  for (const CapturedPlace& place : places_())
    if (place.upstream == upstream) return Place{upstream, place.directory, *known};
  return std::nullopt;
}

Task<void> CapturedDesk::tell_list(http::Exchange& exchange, const CapturedQuestion& question) {
  const std::vector<CapturedPlace> places = places_();
  const auto list = [&places, &question] { return list_captured(places, question); };
  http::Answer answer{200, {{type_field, "application/x-ndjson"}}, {}};
  answer.body = co_await workers_.run(list);
  co_await exchange.answer(answer);
}

Task<void> CapturedDesk::tell_message(http::Exchange& exchange, const Place& place) {
  const auto read = [&place] { return read_message(place.directory, place.name); };
  std::optional<json> object = co_await workers_.run(read);
  http::Answer answer = missing();
  if (object) {
    (*object)["upstream"] = place.upstream;
    (*object)["id"] = to_string(place.name);
    if (object->contains("html")) {
      json& html = (*object)["html"];
      html["address"] = "/captured/" + make_ticket(place, html["part"].get<std::size_t>());
    }
    answer = {200, {{type_field, json_type}}, line_of(*object)};
  }
  co_await exchange.answer(answer);
}

Task<void> CapturedDesk::tell_source(http::Exchange& exchange, const Place& place) {
  const auto open = [&place] { return open_captured(place.directory, place.name); };
  const std::optional<CapturedMessage> message = co_await workers_.run(open);
  if (!message) {
    const http::Answer answer = missing();
    co_await exchange.answer(answer);
    co_return;
  }
  const std::vector<http::Header> headers = {
      {type_field, octets_type}, {disposition_field, attachment_of(to_string(place.name) + ".eml")}};
  co_await exchange.begin(200, headers);
  std::uint64_t offset = 0;
  const auto read = [&message, &offset] { return read_piece(message->file, offset, piece); };
  while (offset < message->size) {
    const std::string text = co_await workers_.run(read);
    if (text.empty()) co_return;  // it is not whole, and the client shall see that
    co_await exchange.write(text);
    offset += text.size();
  }
  co_await exchange.end();
}

Task<void> CapturedDesk::tell_part(http::Exchange& exchange, const Place& place, std::size_t number) {
  const auto read = [&place, number] { return read_part(place.directory, place.name, number); };
  const http::Answer answer = co_await workers_.run(read);
  co_await exchange.answer(answer);
}

std::string CapturedDesk::make_ticket(const Place& place, std::size_t part) {
  if (tickets_.size() >= most_tickets) tickets_.pop_front();
  tickets_.push_back({random_text(), place.upstream, place.name, part, loop_.now() + ticket_time});
  return tickets_.back().text;
}

Task<void> CapturedDesk::tell_frame(http::Exchange& exchange, const std::string& ticket) {
  while (!tickets_.empty() && tickets_.front().until <= loop_.now()) tickets_.pop_front();
  http::Answer answer = refusal(404, "this address is no longer there");
  const auto found = std::ranges::find_if(
      tickets_, [&ticket](const Ticket& known) { return equal_secrets(ticket, known.text); });
  if (found != tickets_.end()) {
    const std::size_t part = found->part;
    const std::optional<Place> place = place_of(found->upstream, to_string(found->name));
    const auto read = [&place, part] { return read_frame(place->directory, place->name, part); };
    if (place) {
      http::Answer html = co_await workers_.run(read);
      answer = std::move(html);
    }
  }
  co_await exchange.answer(answer);
}

namespace {

// Why the messages of one upstream cannot be cleared; nothing: they can.
std::optional<http::Answer> refusal_of_clear(const std::vector<CapturedPlace>& places,
                                             const std::string& upstream) {
  if (upstream.empty()) return std::nullopt;
  const auto one = std::ranges::find(places, upstream, &CapturedPlace::upstream);
  if (one == places.end()) return refusal(404, fmt::format("there is no sandbox '{}'", upstream));
  for (const CapturedPlace& other : places)
    if (other.upstream != upstream && other.directory == one->directory)
      return refusal(
          400,
          fmt::format("'{}' and '{}' keep their messages in one directory: clear all, or give each its own",
                      upstream, other.upstream));
  return std::nullopt;
}

}  // namespace

Task<void> CapturedDesk::clear(http::Exchange& exchange, const std::string& upstream) {
  json done = {{"removed", 0}, {"errors", json::array()}};
  std::size_t removed = 0;
  const std::vector<CapturedPlace> places = places_();
  std::optional<http::Answer> refused = refusal_of_clear(places, upstream);
  // Two at a time could take the text of a message that is being kept under the name of one that has gone.
  if (is_clearing_) refused = refusal(503, "messages are being cleared; try again in a moment");
  if (refused) {
    co_await exchange.answer(*refused);
    co_return;
  }
  struct Clearing {
    explicit Clearing(bool& is) : is_clearing(is) { is_clearing = true; }
    ~Clearing() { is_clearing = false; }
    bool& is_clearing;
  };
  std::optional<Clearing> clearing(is_clearing_);
  for (const CapturedPlace& place : places) {
    if (!upstream.empty() && place.upstream != upstream) continue;
    const auto open = [&place] { return CapturedRemoval(place.directory); };
    CapturedRemoval removal = co_await workers_.run(open);
    co_await clear(removal);
    removed += removal.removed();
    if (!removal.fault().empty())
      done["errors"].push_back(fmt::format("{}: {}", place.upstream, removal.fault()));
  }
  clearing.reset();
  done["removed"] = removed;
  const http::Answer answer{200, {{type_field, json_type}}, line_of(done)};
  co_await exchange.answer(answer);
}

Task<void> CapturedDesk::clear(CapturedRemoval& removal) {
  const auto step = [&removal] { return removal.step(); };
  bool goes_on = true;
  while (goes_on) goes_on = co_await workers_.run(step);
}

}  // namespace relayd::watch
