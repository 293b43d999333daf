// A random model: events, clocks, kills, restarts and faults of the disk, against a map of what was written
// out. RELAYD_MODEL_SEED is the first seed, RELAYD_MODEL_SEEDS their number.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <map>
#include <random>

#include "relay/history_world.hpp"

namespace relayd {
namespace {

using namespace std::chrono_literals;
using tell::Fate;
using test::ForgettingDisk;

unsigned number_of(const char* variable, unsigned usual) {
  const char* const text = std::getenv(variable);
  return text ? static_cast<unsigned>(std::strtoul(text, nullptr, 10)) : usual;
}

class HistoryModelTest : public test::HistoryWorld {
 protected:
  using Lines = std::map<std::string, std::size_t>;

  unsigned pick(unsigned below) { return std::uniform_int_distribution<unsigned>(0, below - 1)(random); }

  void happen() {
    const bool fresh = known.empty() || pick(2) == 0;
    const std::string id = fmt::format("m{:06}", fresh ? ++count : 1 + pick(count));
    const std::string said = std::to_string(++events) + std::string(pick(600), static_cast<char>(pick(256)));
    if (fresh)
      accepted(id, sender_of(id), {"bob@customer.example"});
    else
      attempted(id, sender_of(id), "bob@customer.example", pick(2) == 0 ? Fate::failed : Fate::deferred,
                said);
    ++known[id];
  }

  static std::string sender_of(const std::string& id) {
    const int number = std::stoi(id.substr(1));
    return fmt::format("s{}@{}.example", number % 30, number % 3);
  }

  // What was written out is found, by each key, and nothing else.
  void check() {
    Lines lines;
    for (const MessageHistory& message : search_history(folder(), {}).messages)
      lines[message.id] = message.lines.size();
    ASSERT_EQ(lines, known);
    if (known.empty()) return;
    const std::string id = std::next(known.begin(), pick(static_cast<unsigned>(known.size())))->first;
    std::size_t same = 0;
    for (const auto& [other, count] : known) same += sender_of(other) == sender_of(id);
    ASSERT_EQ(found(sender_of(id)).size(), same);
  }

  // Of what was not written out some may be there. Whatever is there counts from now on.
  void learn() {
    const Lines before = std::exchange(known, {});
    for (const MessageHistory& message : search_history(folder(), {}).messages)
      known[message.id] = message.lines.size();
    for (const auto& [id, count] : known) ASSERT_LE(count, before.contains(id) ? before.at(id) : 0) << id;
    for (const auto& [id, count] : safe) ASSERT_GE(known[id], count) << id;
  }
  void remember() { safe = known; }

  void step() {
    switch (pick(12)) {
      case 0:
        stop();
        check();
        remember();
        return start();
      case 1:
        end();
        learn();
        remember();
        return start();
      case 2:
        run_task(book->flush(), &loop);
        check();
        return remember();
      case 3:
        return pass(std::chrono::milliseconds(pick(3'000)));
      case 4:
        return pass(std::chrono::hours(pick(60)));  // files end by their age
      case 5:                                       // a short trouble, which loses nothing
        disk.arm(1 + pick(6),
                 pick(2) == 0 ? ForgettingDisk::Fault::fails_once : ForgettingDisk::Fault::fails_on, ENOSPC);
        for (unsigned i = pick(20); i > 0; --i) happen();
        pass(2s);
        disk.heal();
        return pass(2s);
      default:
        for (unsigned i = pick(60); i > 0; --i) happen();
    }
  }

  std::mt19937 random;
  unsigned count = 0;
  unsigned events = 0;
  Lines known;  // that happened, by message
  Lines safe;   // those that were written out for certain
};

TEST_F(HistoryModelTest, WhatWasWrittenOutIsFound) {
  const unsigned first = number_of("RELAYD_MODEL_SEED", 1);
  for (unsigned seed = first; seed < first + number_of("RELAYD_MODEL_SEEDS", 30); ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    stop();
    for (const auto& [path, size] : disk.sizes()) disk.remove(path);
    random.seed(seed);
    known.clear();
    safe.clear();
    count = 0;
    config.history.size = pick(2) == 0 ? 4_MiB : 64_MiB;  // nothing has to go
    config.history.keep = 1600h;                          // a file ends after 100 hours
    start();
    for (int i = 0; i < 40 && !HasFatalFailure(); ++i) step();
    run_task(book->flush(), &loop);
    check();
    if (HasFatalFailure()) return;
  }
}

}  // namespace
}  // namespace relayd
