// A word with parameters, as Content-Type and Content-Disposition have it (RFC 2045 5.1, RFC 2183), also
// those that are cut or have a charset (RFC 2231).
//
// Stands under the reader of messages. Pure; linear time, bounded memory. What is written carelessly (blanks
// without quotes, quotes that do not end) is read as most would mean it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace relayd::mime {

inline constexpr std::size_t most_parameters = 100;

struct Parameters {
  struct Parameter {
    std::string name;  // in lower case, with the '*'s of RFC 2231
    std::string value;
  };

  std::string word;  // in lower case: "text/html", "attachment"
  std::vector<Parameter> all = {};

  // The value, its pieces put together and its codes decoded; empty where there is none. One that says its
  // charset comes first (RFC 6266 4.3 has it so). Octets in whatever charset it is written in.
  std::string value(std::string_view name) const;
};

// Of a field's body, which may be folded.
Parameters parameters_of(std::string_view body);

}  // namespace relayd::mime
