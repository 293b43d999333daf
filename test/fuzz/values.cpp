// The small ones: single values of a configuration, names and numbers in files of ours.
#include <fmt/format.h>

#include <algorithm>

#include "drop/name.hpp"
#include "fuzz/targets.hpp"
#include "queue/ground.hpp"
#include "queue/message.hpp"
#include "shared/base/ascii.hpp"
#include "shared/config/network.hpp"
#include "shared/config/pin.hpp"
#include "shared/config/suggest.hpp"
#include "shared/config/value.hpp"
#include "shared/mail/matcher.hpp"

namespace relayd::fuzz {

namespace {

void numbers(std::string_view input) {
  using namespace std::chrono_literals;
  if (const auto duration = config::parse_duration(input))
    demand(*duration > 0ms && *duration <= 24h * 3653, "a duration is more than nothing, at most ten years");
  if (const auto count = config::parse_count(input)) demand(*count > 0, "a count is more than nothing");
  if (const auto rate = config::parse_rate(input)) demand(rate->count > 0, "a rate lets something through");
  if (const auto quota = config::parse_quota(input)) demand(quota->count > 0, "so does a quota");
  if (const auto size = config::parse_size(input))
    demand(config::parse_size(std::to_string(size->count)).ok(), "a size can be written in octets");
}

void networks(std::string_view input) {
  const Result<config::Network> network = config::Network::parse(input);
  if (!network) return;
  const std::string text = network->text();
  const Result<config::Network> again = config::Network::parse(text);
  demand(again.ok() && again->text() == text, "a network is read as it is written");
  demand(network->contains(text.substr(0, text.find('/'))), "a network has its first address");
  demand(network->is_loopback() == again->is_loopback(), "loopback stays loopback");
}

void places(std::string_view input) {
  if (const auto endpoint = config::parse_endpoint(input)) {
    const int kinds = !endpoint->host.empty() + !endpoint->unix_path.empty() + !endpoint->inherited.empty();
    demand(kinds == 1, "an endpoint is of one kind");
  }
  if (const auto host = config::parse_host(input))
    demand(config::parse_host(*host).ok(), "a host without its brackets is a host");
  if (const auto pin = config::parse_pin(input)) demand(pin->size() == 32, "a pin has 32 octets");
  if (const auto reject = config::parse_reject(input))
    demand(std::ranges::none_of(*reject, ascii::is_control), "a reply is one line");
}

void patterns(std::string_view input) {
  const Result<std::string> pattern = config::parse_pattern(input);
  if (!pattern) return;
  const Result<std::string> again = config::parse_pattern(*pattern);
  demand(again.ok() && *again == *pattern, "a pattern has one form");
  demand(ascii::lower(*pattern) == *pattern, "and that is in lower case");
  mail::Matcher matcher;
  demand(matcher.add(*pattern, 1) && !matcher.add(input, 2), "two ways to write a pattern are one");
  const bool one_address = *pattern != "*" && !pattern->starts_with('@');
  demand(!one_address || matcher.find(input) == 1, "an address falls under its own pattern");
  demand(*pattern != "*" || matcher.find("") == 1, "everybody falls under '*'");
}

void names(std::string_view input) {
  if (const auto id = queue::parse_message_id(input))
    demand(queue::to_string(*id) == input, "an id has one text");
  if (const auto number = queue::Ground::site_number(queue::Ground::Log::messages, input))
    demand(fmt::format("{:016}.journal", *number) == input,
           "the name of a file is the one that its number gives");
  demand(!drop::is_name(input) || input.find('/') == std::string_view::npos, "a name stays in its folder");
  const std::string suggestion = config::suggestion(input, {"upstream", "upstreams", "senders", "listen"});
  demand(suggestion.empty() || suggestion.starts_with(" (did you mean '"), "a suggestion is a known word");
}

}  // namespace

void values(std::string_view input) {
  numbers(input);
  networks(input);
  places(input);
  patterns(input);
  names(input);
}

}  // namespace relayd::fuzz
