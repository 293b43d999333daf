// Secret: a string that does not end up in a log, a report or a freed page.
//
// Owns its bytes and overwrites them when it goes. There is no stream operator and no formatter on
// purpose: whoever needs the clear text says reveal(), and a reader of the code sees it.
#pragma once

#include <cstring>
#include <string>
#include <string_view>
#include <utility>

namespace relayd {

// Overwrites all that a string holds or has held in its present room, and empties it. A short string that was
// moved from or swapped away still has its octets there.
inline void wipe(std::string& text) {
  text.resize(text.capacity());
  ::explicit_bzero(text.data(), text.size());
  text.clear();
}

class Secret {
 public:
  Secret() = default;
  explicit Secret(const std::string& text) : text_(text) {}
  explicit Secret(std::string&& text) : text_(std::move(text)) { wipe(text); }
  Secret(const Secret&) = default;
  Secret(Secret&& other) : Secret(std::move(other.text_)) {}
  Secret& operator=(Secret other) {
    text_.swap(other.text_);
    return *this;
  }
  ~Secret() { wipe(text_); }

  std::string_view reveal() const { return text_; }
  bool empty() const { return text_.empty(); }
  bool operator==(const Secret&) const = default;

 private:
  std::string text_;
};

// In equal time for texts of one length; that a secret has another length is no secret worth more.
inline bool equal_secrets(std::string_view a, std::string_view b) {
  unsigned char difference = a.size() == b.size() ? 0 : 1;
  for (std::size_t i = 0; i < a.size(); ++i)
    difference |= static_cast<unsigned char>(a[i] ^ (b.empty() ? '\0' : b[i % b.size()]));
  return difference == 0;
}

}  // namespace relayd
