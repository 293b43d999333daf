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

class Secret {
 public:
  Secret() = default;
  explicit Secret(std::string text) : text_(std::move(text)) {}
  Secret(const Secret&) = default;
  // Moving a short std::string copies it and leaves the bytes behind; wipe the source by hand.
  Secret(Secret&& other) : text_(other.text_) { other.wipe(); }
  Secret& operator=(Secret other) {
    text_.swap(other.text_);
    return *this;
  }
  ~Secret() { wipe(); }

  std::string_view reveal() const { return text_; }
  bool empty() const { return text_.empty(); }
  bool operator==(const Secret&) const = default;

 private:
  void wipe() {
    ::explicit_bzero(text_.data(), text_.size());
    text_.clear();
  }

  std::string text_;
};

}  // namespace relayd
