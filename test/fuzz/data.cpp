#include "shared/smtp/data.hpp"

#include <string>

#include "fuzz/targets.hpp"

namespace relayd::fuzz {

namespace {

// The content of a message on the wire, fed in two pieces.
std::string decoded(std::string_view wire, std::size_t cut, smtp::DataDecoder& decoder, std::size_t& taken) {
  std::string content;
  taken = decoder.feed(wire.substr(0, cut), content);
  taken += decoder.feed(wire.substr(cut), content);
  return content;
}

std::string encoded(std::string_view content, std::size_t cut) {
  smtp::DataEncoder encoder;
  std::string wire;
  encoder.feed(content.substr(0, cut), wire);
  encoder.feed(content.substr(cut), wire);
  encoder.finish(wire);
  return wire;
}

void demand_canonical(std::string_view text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool bare_feed = text[i] == '\n' && (i == 0 || text[i - 1] != '\r');
    const bool bare_return = text[i] == '\r' && (i + 1 == text.size() || text[i + 1] != '\n');
    demand(!bare_feed && !bare_return, "no bare CR or LF");
  }
}

}  // namespace

void data(std::string_view input) {
  const std::size_t cut = cut_of(input);
  std::size_t taken = 0;
  std::size_t taken_whole = 0;
  constexpr auto message = smtp::DataDecoder::Content::message;
  smtp::DataDecoder decoder(message);
  smtp::DataDecoder whole(message);
  const std::string content = decoded(input, cut, decoder, taken);
  demand(content == decoded(input, input.size(), whole, taken_whole),
         "the cut does not matter to the content");
  demand(taken == taken_whole && decoder.done() == whole.done(), "the cut does not matter to the end");
  demand(decoder.bare_newlines() == whole.bare_newlines(), "the cut does not matter to the count");
  demand(decoder.done() == (input.substr(0, taken).ends_with("\r\n.\r\n") || input.starts_with(".\r\n")),
         "CR LF . CR LF and nothing else ends a message");
  demand_canonical(content);

  const std::string wire = encoded(input, cut);
  demand(wire == encoded(input, input.size()), "the cut does not matter to the wire");
  demand_canonical(wire);
  smtp::DataDecoder receiver;
  decoded(wire, wire.size(), receiver, taken);
  demand(receiver.done() && taken == wire.size() && receiver.bare_newlines() == 0, "one message on the wire");

  if (!decoder.done()) return;
  smtp::DataDecoder next_hop(message);
  demand(decoded(encoded(content, content.size()), 0, next_hop, taken) == content, "a hop changes nothing");
}

}  // namespace relayd::fuzz
