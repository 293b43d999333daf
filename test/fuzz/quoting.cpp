// What strangers said, where we write it: a field of the header, a line of the log, a report.
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "fuzz/targets.hpp"
#include "rewrite/received.hpp"
#include "shared/base/ascii.hpp"
#include "shared/disk/posix_disk.hpp"
#include "shared/mail/utf8.hpp"
#include "shared/smtp/reply.hpp"
#include "shared/telemetry/log.hpp"

namespace relayd::fuzz {

namespace {

constexpr std::size_t longest_line = 998;  // RFC 5322 2.1.1

void field(std::string_view said, std::string_view recipient) {
  rewrite::ReceivedFacts facts;
  facts.helo = facts.client = said;
  facts.hostname = "relay.example.com";
  facts.id = "0123456789a";
  facts.recipient = recipient;
  facts.smtp_utf8 = true;
  const std::string field = rewrite::received_field(facts);
  mail::HeaderScanner scanner;
  scanner.feed(field + "\r\n");
  demand(scanner.done() && scanner.facts().received == 1, "a field is one field");
  demand(field.ends_with("\r\n"), "a field ends with its line");
  for (std::size_t begin = 0; begin < field.size(); begin = field.find("\r\n", begin) + 2)
    demand(field.find("\r\n", begin) - begin <= longest_line, "no line is too long");
  demand(std::ranges::count(field, '(') == std::ranges::count(field, ')'), "no comment is closed early");
}

std::string logged(std::string_view text, telemetry::Log::Format format) {
  const disk::Descriptor file(::memfd_create("log", MFD_CLOEXEC));
  telemetry::Log(file.number(), format, telemetry::Level::info, telemetry::Log::Addresses::full)
      .info("rejected", {{"from", text}});
  std::string line(16 * text.size() + 256, '\0');
  line.resize(static_cast<std::size_t>(::pread(file.number(), line.data(), line.size(), 0)));
  demand(std::ranges::count_if(line, ascii::is_control) == 1 && line.ends_with('\n'), "an event is one line");
  return line;
}

void log_line(std::string_view said) {
  logged(said, telemetry::Log::Format::text);
  const auto line = nlohmann::json::parse(logged(said, telemetry::Log::Format::json));
  demand(line.at("event") == "rejected", "nobody else names an event");
  const bool plain = std::ranges::all_of(said, [](char c) { return c >= ' ' && c < 0x7f; });
  demand(!plain || said.empty() || line.at("from") == said, "a machine reads what was said");
}

void report(std::string_view said, std::size_t limit) {
  std::string text = smtp::escape(said, limit);
  demand(text.size() <= limit, "an escaped text keeps its limit");
  for (std::string_view rest = text; !rest.empty();) {
    const std::optional<mail::CodePoint> point = mail::first_code_point(rest);
    demand(point && !mail::is_invisible_control(point->value), "an escaped text is UTF-8 that can be seen");
    rest.remove_prefix(point->octets);
  }
}

}  // namespace

void quoting(std::string_view input) {
  const std::size_t cut = cut_of(input);
  field(input.substr(0, cut), input.substr(cut));
  log_line(input);
  report(input, cut);
}

}  // namespace relayd::fuzz
