#include "shared/smtp/command.hpp"

#include <algorithm>
#include <utility>

#include "shared/base/ascii.hpp"
#include "shared/smtp/envelope_command.hpp"

namespace relayd::smtp {

namespace {

constexpr EnhancedCode bad_syntax{5, 5, 2};    // RFC 3463 3.6
constexpr EnhancedCode bad_argument{5, 5, 4};  // RFC 3463 3.6

constexpr std::size_t plain_limit = 512;        // RFC 5321 4.5.3.1.4
constexpr std::size_t parameter_limit = 2'048;  // above what the extensions of MAIL and RCPT add up to
constexpr std::size_t auth_limit = 12'288;      // RFC 4954 4

Rejected bad_arguments(std::string_view text) {
  return {{501, bad_argument, std::string(text)}};
}

template <class T>
Command parse_bare(std::string_view arguments, bool) {
  if (!arguments.empty()) return bad_arguments("No arguments allowed");
  return T{};
}

template <class T>
Command parse_any(std::string_view, bool) {
  return T{};
}

// RFC 5321 4.1.4: a name that is not what it should be is no reason to refuse.
template <class T>
Command parse_hello(std::string_view arguments, bool) {
  if (arguments.empty()) return bad_arguments("A domain or address literal is needed");
  return T{escape(arguments)};
}

// RFC 6531 3.7.4.2: an argument in UTF-8 comes with the parameter SMTPUTF8.
Command parse_vrfy(std::string_view arguments, bool) {
  if (arguments.empty()) return bad_arguments("Syntax: VRFY user");
  const std::string folded = ascii::upper(arguments);
  if (!ascii::all_ascii(arguments) && !folded.ends_with(" SMTPUTF8"))
    return Rejected{{553, {5, 6, 7}, "Argument needs SMTPUTF8"}};
  return Vrfy{escape(arguments)};
}

Command parse_auth(std::string_view arguments, bool) {
  const std::size_t space = arguments.find(' ');
  const std::string_view mechanism = arguments.substr(0, space);
  if (mechanism.empty() || !ascii::all_ascii(arguments)) return bad_arguments("Syntax: AUTH mechanism");
  Auth auth{ascii::upper(mechanism), std::nullopt};
  if (space == std::string_view::npos) return auth;
  std::string_view response = arguments.substr(space);
  response.remove_prefix(response.find_first_not_of(' '));
  if (response.find(' ') != std::string_view::npos) return bad_arguments("Syntax: AUTH mechanism response");
  auth.response = response == "=" ? "" : response;
  return auth;
}

struct Row {
  std::string_view verb;
  std::size_t limit;  // of the line, CR LF included
  Command (*parse)(std::string_view arguments, bool smtp_utf8);
};

constexpr Row table[] = {
    {"EHLO", plain_limit, parse_hello<Ehlo>},
    {"HELO", plain_limit, parse_hello<Helo>},
    {"MAIL", parameter_limit, [](std::string_view arguments, bool) { return parse_mail(arguments); }},
    {"RCPT", parameter_limit, parse_rcpt},
    {"DATA", plain_limit, parse_bare<Data>},
    {"RSET", plain_limit, parse_bare<Rset>},
    {"NOOP", plain_limit, parse_any<Noop>},
    {"VRFY", plain_limit, parse_vrfy},
    {"QUIT", plain_limit, parse_bare<Quit>},
    {"STARTTLS", plain_limit, parse_bare<StartTls>},
    {"AUTH", auth_limit, parse_auth},
    {"HELP", plain_limit, parse_any<Help>},
};

}  // namespace

Command parse_command(std::string_view line, bool smtp_utf8) {
  if (std::any_of(line.begin(), line.end(), ascii::is_control))
    return Rejected{{500, bad_syntax, "Control character in a command"}};
  const std::size_t octets = line.size() + 2;
  line = line.substr(0, line.find_last_not_of(' ') + 1);
  const std::string verb = ascii::upper(line.substr(0, line.find(' ')));
  const Row* const row = std::find_if(std::begin(table), std::end(table),
                                      [&verb](const Row& candidate) { return candidate.verb == verb; });
  const bool known = row != std::end(table);
  if (octets > (known ? row->limit : plain_limit)) return Rejected{{500, bad_syntax, "Line too long"}};
  if (line.empty()) return Rejected{{500, bad_syntax, "Empty command"}};
  if (!known) return Unknown{escape(verb, 40)};
  std::string_view arguments = line.substr(verb.size());
  arguments.remove_prefix(std::min(arguments.find_first_not_of(' '), arguments.size()));
  return row->parse(arguments, smtp_utf8);
}

}  // namespace relayd::smtp
