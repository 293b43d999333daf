// Script: the other side of an SMTP dialogue, step by step, as a ScriptedPeer plays it.
//
// Written as RFCs write their examples, one step a line:
//   S: 220 mail.example.com     what the server says
//   C: EHLO client.example.org  what the client says
//   TLS                         the handshake
//   PAUSE 90s                   silence (s, m or h)
//   CLOSE, RESET                the peer ends the connection, in order or not
//   DO name                     the test is called while the peer waits
// A line ends with CR LF unless it ends with a single backslash. \r \n \0 \\ and \xHH stand for octets,
// {A*80} for eighty times A. Where our own side is expected to say something, "..." at the end matches any
// rest.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "shared/base/time.hpp"

namespace relayd::test {

struct Step {
  enum class Kind { say, expect, tls, pause, close, reset, call };
  Kind kind = Kind::say;
  std::string text;  // say: octets; expect: a line without its CR LF; call: the name
  Duration pause{};
  // say: makes the text when its time has come, from the line that was heard last.
  std::function<std::string(std::string_view heard)> answer;
};
using Script = std::vector<Step>;

// Which side the script plays; the other is under test.
enum class Side { client, server };

// Adds the step that a line describes; false when it describes none. Throws std::invalid_argument.
bool add_step(Script& script, Side peer, std::string_view line);

// A whole script; lines that are empty or begin with '#' are skipped.
Script make_script(Side peer, std::string_view lines);

// The octets of a line's text, with the escapes above.
std::string unescape(std::string_view text);

}  // namespace relayd::test
