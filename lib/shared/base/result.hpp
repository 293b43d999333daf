// Result<T>: what a parser or another pure function returns when bad input is an ordinary outcome.
//
// Stands under every room. Holds either a value or an Error, never both; it owns what it holds.
// It is not for I/O failures (async::IoError) nor for mail outcomes (values of their own).
#pragma once

#include <string>
#include <utility>
#include <variant>

namespace relayd {

// Why an input was refused, in words for the person who can change it. One line, no trailing stop.
struct Error {
  std::string text;
};

template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : held_(std::in_place_index<0>, std::move(value)) {}
  Result(Error error) : held_(std::in_place_index<1>, std::move(error)) {}

  bool ok() const { return held_.index() == 0; }
  explicit operator bool() const { return ok(); }

  // Only when ok().
  T& value() { return std::get<0>(held_); }
  const T& value() const { return std::get<0>(held_); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }
  T& operator*() { return value(); }
  const T& operator*() const { return value(); }

  // Only when !ok().
  const std::string& error() const { return std::get<1>(held_).text; }

 private:
  std::variant<T, Error> held_;
};

}  // namespace relayd
