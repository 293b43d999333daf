#include "rewrite/received.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "shared/base/ascii.hpp"
#include "shared/mail/address.hpp"

namespace relayd::rewrite {

namespace {

constexpr std::size_t max_name = 255;  // RFC 5321 4.5.3.1.2

// A host name or address literal as it may stand in a field; '?' for what may not.
std::string safe_name(std::string_view name) {
  std::string result(name.substr(0, max_name));
  for (char& c : result) {
    const bool fits = ascii::is_letter(c) || ascii::is_digit(c) ||
                      std::string_view(".-_:[]").find(c) != std::string_view::npos;
    if (!fits) c = '?';
  }
  return result.empty() ? "unknown" : result;
}

// RFC 5321 4.1.3.
std::string address_comment(std::string_view client) {
  if (client.starts_with("uid:")) return safe_name(client);
  if (client.find(':') != std::string_view::npos) return "[IPv6:" + safe_name(client) + ']';
  const bool address = !client.empty() && ascii::is_digit(client.front());
  return address ? '[' + safe_name(client) + ']' : safe_name(client);
}

// RFC 3848, RFC 6531 4.3.
std::string protocol(const ReceivedFacts& facts) {
  if (!facts.extended) return "SMTP";
  return fmt::format("{}{}{}", facts.smtp_utf8 ? "UTF8SMTP" : "ESMTP", facts.tls ? "S" : "",
                     facts.authenticated ? "A" : "");
}

}  // namespace

std::string received_field(const ReceivedFacts& facts) {
  std::string field =
      fmt::format("Received: from {} ({})\r\n\tby {} (relayd{}{}) with {} id {}", safe_name(facts.helo),
                  address_comment(facts.client), safe_name(facts.hostname), facts.mark.empty() ? "" : " ",
                  facts.mark, protocol(facts), safe_name(facts.id));
  if (mail::check_address(facts.recipient, facts.smtp_utf8) == mail::AddressFault::none)
    field += fmt::format("\r\n\tfor <{}>", facts.recipient);
  return field += fmt::format(";\r\n\t{}\r\n", format_date(facts.when));
}

std::string missing_fields(const mail::HeaderFacts& header, std::string_view id, std::string_view hostname,
                           std::string_view sender, WallTime when) {
  std::string fields;
  if (!header.has_date) fields += fmt::format("Date: {}\r\n", format_date(when));
  if (!header.has_message_id)
    fields += fmt::format("Message-ID: <{}@{}>\r\n", safe_name(id), safe_name(hostname));
  if (!header.has_from && !sender.empty()) fields += fmt::format("From: <{}>\r\n", sender);
  if (header.octets == 0) fields += "\r\n";
  return fields;
}

std::string format_date(WallTime when) {
  using namespace std::chrono;
  constexpr std::string_view days[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  constexpr std::string_view months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                         "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const auto day = floor<std::chrono::days>(when);
  const year_month_day date(day);
  const hh_mm_ss time(floor<seconds>(when - day));
  return fmt::format("{}, {} {} {:04} {:02}:{:02}:{:02} +0000", days[weekday(day).c_encoding()],
                     static_cast<unsigned>(date.day()), months[static_cast<unsigned>(date.month()) - 1],
                     static_cast<int>(date.year()), time.hours().count(), time.minutes().count(),
                     time.seconds().count());
}

}  // namespace relayd::rewrite
