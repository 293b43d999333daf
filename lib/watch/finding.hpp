// Finding: one line of what a look at an upstream or an account has found: a step of the way, and how it
// went.
//
// Beside the path. Made by relay/doctor, shown by `relayd doctor`, gathered by the account watch. Plain
// values; nothing in it is secret. `text` and `advice` may quote what a server said.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "shared/base/time.hpp"
#include "shared/base/words.hpp"

namespace relayd::watch {

enum class Step { configuration, resolve, connect, tls, ehlo, auth, sender, certificate, secret, dns };

constexpr auto words_of(Step) {
  using enum Step;
  return std::to_array<Word<Step>>({{"configuration", configuration},
                                    {"resolve", resolve},
                                    {"connect", connect},
                                    {"tls", tls},
                                    {"ehlo", ehlo},
                                    {"auth", auth},
                                    {"sender", sender},
                                    {"certificate", certificate},
                                    {"secret", secret},
                                    {"dns", dns}});
}

// `note`: nothing has to be done. `warning`: mail goes, and something had better be done.
enum class Health { ok, note, warning, failed };

constexpr auto words_of(Health) {
  using enum Health;
  return std::to_array<Word<Health>>({{"ok", ok}, {"note", note}, {"warning", warning}, {"failed", failed}});
}

struct Finding {
  Health health = Health::ok;
  Step step = Step::connect;
  std::string upstream = {};           // empty: of no upstream
  std::string account = {};            // user name; empty: of all accounts of the upstream
  std::string at = {};                 // "192.0.2.1:587", an address of mail, a file; empty: there is none
  std::string text = {};               // what is so
  std::string advice = {};             // what to change; empty: nothing, or `text` says it
  std::string where = {};              // in which file and line; empty: nowhere
  std::string reply_class = {};        // of what failed, as in the log
  std::optional<WallTime> until = {};  // when a certificate or a secret ends
};

// "ses as app auth 192.0.2.1:587: text. Advice (FILE:LINE)", one line without line end.
std::string to_text(const Finding& finding);
// One object in one line without line end; what is empty is left out. Names stay: scripts read them.
std::string to_line(const Finding& finding);

// The worst of them; `ok` of none.
Health worst(const std::vector<Finding>& findings);

}  // namespace relayd::watch
