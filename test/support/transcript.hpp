// Transcript: an SMTP dialogue in a file of its own, with how it is set up before and what comes of it after.
//
// "set KEY VALUE" lines first, then the script (script.hpp) and whatever else the test program understands,
// in order. '#' begins a comment. Files lie in test/dialogs, a folder for each side that is under test.
#pragma once

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "support/script.hpp"

namespace relayd::test {

struct Transcript {
  std::string name;  // of the file, without its ending
  std::vector<std::pair<std::string, std::string>> settings;
  Script script;
  std::vector<std::string> notes;  // the other lines
};

// Throws std::invalid_argument.
Transcript read_transcript(const std::filesystem::path& file, Side peer);

// All of a folder under test/dialogs, by name.
std::vector<Transcript> read_transcripts(const std::string& folder, Side peer);

// "ann@example.com -> bob@example.org eve@example.org": sender and recipients.
struct Addresses {
  std::string sender;
  std::vector<std::string> recipients;
};
Addresses parse_addresses(std::string_view text);

}  // namespace relayd::test
