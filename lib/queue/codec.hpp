// Codec: little-endian integers and counted strings, into a buffer and out of one.
//
// Stands under the records and headers of the journal. Knows no record.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace relayd::queue {

template <std::unsigned_integral T>
void store(char* to, T value) {
  for (std::size_t i = 0; i < sizeof(T); ++i) to[i] = static_cast<char>(value >> (8 * i));
}

template <std::unsigned_integral T>
T load(const char* from) {
  T value = 0;
  for (std::size_t i = 0; i < sizeof(T); ++i)
    value = static_cast<T>(value | static_cast<T>(static_cast<unsigned char>(from[i])) << (8 * i));
  return value;
}

template <std::unsigned_integral T>
void put(std::string& out, T value) {
  char bytes[sizeof(T)];
  store(bytes, value);
  out.append(bytes, sizeof bytes);
}

inline void put_string(std::string& out, std::string_view text) {
  put(out, static_cast<std::uint32_t>(text.size()));
  out += text;
}

// Takes values off the front of a buffer. Past its end every value is zero or empty and sound() is false, so
// that a decoder asks once, at its end.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : rest_(bytes) {}

  template <std::unsigned_integral T>
  T take() {
    const std::string_view bytes = take_bytes(sizeof(T));
    return sound_ ? load<T>(bytes.data()) : T{};
  }
  std::string_view take_bytes(std::size_t count) {
    if (count > rest_.size()) sound_ = false;
    if (!sound_) return {};
    const std::string_view bytes = rest_.substr(0, count);
    rest_.remove_prefix(count);
    return bytes;
  }
  std::string_view take_string() { return take_bytes(take<std::uint32_t>()); }

  bool sound() const { return sound_; }
  std::size_t left() const { return rest_.size(); }

 private:
  std::string_view rest_;
  bool sound_ = true;
};

}  // namespace relayd::queue
