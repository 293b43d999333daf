// Log: one line an event, for a person on a terminal or for a machine as JSON.
//
// Every stage writes here through the relay; the log owns its descriptor's lines, not the descriptor. Mail
// never waits for it: lines gather until flush(). Where the reader of a pipe does not keep up they wait for a
// later one, up to 16 MiB as long as it takes some, to 1 MiB once it takes nothing; the lines after that are
// dropped, whole, and counted. Values are escaped;
// secrets have no way in (a Secret does not convert).
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <string>
#include <string_view>
#include <variant>

#include "shared/base/time.hpp"

namespace relayd::telemetry {

enum class Level { debug, info, warning, error };

// A key and its value. An empty text is left out of the line.
struct Field {
  std::string_view key;
  std::variant<std::string_view, std::int64_t, double> value;

  Field(std::string_view name, std::string_view text) : key(name), value(text) {}
  Field(std::string_view name, const std::string& text) : key(name), value(std::string_view(text)) {}
  Field(std::string_view name, const char* text) : key(name), value(std::string_view(text)) {}
  template <class Integer>
  requires std::is_integral_v<Integer> Field(std::string_view name, Integer number)
      : key(name), value(static_cast<std::int64_t>(number)) {}
  Field(std::string_view name, double number) : key(name), value(number) {}
};

class Log {
 public:
  enum class Format { text, json };
  enum class Addresses { full, masked };

  // `descriptor` stays the caller's. `arrange` is called when something waits to be written; it arranges for
  // flush() after that time.
  Log(int descriptor, Format format, Level level, Addresses addresses);
  // From now on each line begins with its priority, "<4>", as a journal reads it (sd-daemon(3)).
  void put_priorities() { priorities_ = true; }
  void on_pending(std::function<void(Duration after)> arrange) { arrange_ = std::move(arrange); }
  ~Log() { flush(std::chrono::seconds(1)); }

  // Fields named from and to are addresses and obey `addresses`; so do the addresses within those named
  // response and reason, which quote what others said.
  void write(Level level, std::string_view event, std::initializer_list<Field> fields);
  void debug(std::string_view event, std::initializer_list<Field> fields) {
    write(Level::debug, event, fields);
  }
  void info(std::string_view event, std::initializer_list<Field> fields) {
    write(Level::info, event, fields);
  }
  void warning(std::string_view event, std::initializer_list<Field> fields) {
    write(Level::warning, event, fields);
  }
  void error(std::string_view event, std::initializer_list<Field> fields) {
    write(Level::error, event, fields);
  }

  // Writes what the reader takes now, or with little patience more; the rest is tried again later.
  void flush(std::chrono::milliseconds patience = {});
  std::uint64_t dropped() const { return dropped_; }

 private:
  void arrange(Duration after);
  std::string as_configured(std::string_view key, std::string_view text) const;
  void append_text(Level level, std::string_view event, std::initializer_list<Field> fields);
  void append_json(Level level, std::string_view event, std::initializer_list<Field> fields);

  int descriptor_;
  Format format_;
  Level level_;
  Addresses addresses_;
  bool priorities_ = false;
  std::string pending_;
  std::function<void(Duration)> arrange_;
  bool arranged_ = false;  // a flush() will come
  bool stuck_ = false;     // the latest flush() could write nothing
  std::uint64_t dropped_ = 0;
};

}  // namespace relayd::telemetry
