// Finding: what a check of DNS records has to say, a line of it.
//
// Made by the checks of this room, shown by commands. `text` and `needed` may quote what DNS said.
#pragma once

#include <array>
#include <string>

#include "shared/base/words.hpp"

namespace relayd::dns {

enum class Record { spf, dkim, dmarc };

constexpr auto words_of(Record) {
  return std::array<Word<Record>, 3>{
      {{"spf", Record::spf}, {"dkim", Record::dkim}, {"dmarc", Record::dmarc}}};
}

// `note`: nothing has to be done; `unknown`: DNS did not tell.
enum class State { ok, note, unknown, wrong };

constexpr auto words_of(State) {
  return std::array<Word<State>, 4>{
      {{"ok", State::ok}, {"note", State::note}, {"unknown", State::unknown}, {"wrong", State::wrong}}};
}

struct Finding {
  State state = State::ok;
  Record record = Record::spf;
  std::string name;         // under which it stands, or should
  std::string text;         // what is so, or what to change
  std::string needed = {};  // the record as it should be; empty: nothing to put there
};

}  // namespace relayd::dns
