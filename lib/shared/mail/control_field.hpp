// ControlField: a header field by which a message gives orders to a provider of mail: recipients of its own,
// another account, a template, a time, a tag.
//
// Stands under providers, which list them for each provider, and rewrite, which takes them out of headers.
// Plain data that lives as long as the program.
#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

namespace relayd::mail {

struct ControlField {
  std::string_view name;  // in any case of letters; a '*' at its end stands for anything
  bool harmless = false;  // it labels the message and does nothing else: every client may use it
};

// How a value of our own field, X-Relayd-Tag or X-Relayd-Stream, is written for a provider.
struct OwnField {
  // text: graphic ASCII and blanks, without a comma. word: letters, digits, '-' and '_', the first one no
  // '_'. json: the text within quotes.
  enum class Form { text, word, json };
  std::string_view name = {};    // empty: the provider has none
  std::string_view before = {};  // what stands before the value
  std::string_view after = {};
  Form form = Form::text;
  std::size_t longest = 128;  // octets of the value
};

// What one provider acts on.
struct ControlFields {
  std::vector<ControlField> fields = {};
  OwnField tag = {};
  OwnField stream = {};
};

}  // namespace relayd::mail
