// The configuration that is being made: entries of sections, and what of the old files each stands for.
//
// Pure. It becomes text; where relayd's own check complains about a line, the entry of that line can be
// dropped, and is then reported instead of being written.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <vector>

#include "import/place.hpp"
#include "import/report.hpp"
#include "shared/base/secret.hpp"

namespace relayd::importing {

// In the order of the file.
enum class Section {
  top,
  listen,
  certificates,
  access_senders,
  access_recipients,
  aliases,
  bcc,
  rewrite,
  headers,
  dkim,
  limits,
  queue,
  upstreams,
  recipients,
  senders,
  tables,
};

struct Entry {
  Section section;
  std::string yaml;  // one line or several, without the indentation of the section and the last line's end
  Place where;
  std::string what;  // as the report names it
};

// A file with a secret or a key, beside the configuration.
struct SecretFile {
  std::string name;
  Secret text;
};

class Draft {
 public:
  void add(Section section, std::string yaml, Place where, std::string what);
  // The name of its file, which is made anew unless there is one with that secret and that stem.
  std::string add_secret(const std::string& stem, const Secret& secret);

  const std::vector<SecretFile>& secrets() const { return secrets_; }
  bool has(Section section) const;
  std::string text(const std::string& heading) const;
  // Drops the entries that these lines of text() belong to, and reports each with the complaint. A rule of
  // `senders` refuses its mail from then on: no other rule may take it. Returns how many were dropped; 0: the
  // lines belong to none that the rest can do without.
  std::size_t drop(const std::string& heading, const std::map<std::size_t, std::string>& complaints,
                   Report& report);

 private:
  // The text, and for each of its lines the entry; -1: none.
  std::string write(const std::string& heading, std::vector<int>& owners) const;

  std::vector<Entry> entries_;
  std::vector<SecretFile> secrets_;
};

// The rule of `senders` that refuses the mail of these.
std::string refusal_of(const std::string& match);

// A name for a file or an upstream: small letters, digits, '-' and '.'.
std::string plain_name(std::string_view text);

}  // namespace relayd::importing
