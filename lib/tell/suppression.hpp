// Suppression: recipients whom nothing is sent for a time, since an upstream has said that they do not exist.
//
// Last stage of the path, with an effect on the first: what it remembers, RCPT is refused for. Pure: which
// outcome suppresses whom, the list as a value, and its form as comma-separated values (RFC 4180). Kept on
// disk by relay/suppression_book.hpp.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "shared/base/result.hpp"
#include "shared/base/time.hpp"
#include "shared/table/parse.hpp"
#include "tell/outcome.hpp"

namespace relayd::tell {

// To the second, from 1970 to 2106.
using Second = std::chrono::sys_seconds;

struct Suppression {
  std::string recipient;  // as mail::lookup_key has it
  std::string sender;     // domain of the senders that it is for, as mail::a_labels has it; empty: all, the
                          // null sender too
  Second since{};
  Second until{};      // from here on it does not count
  std::string reason;  // escaped, at most `longest_reason`

  bool operator==(const Suppression&) const = default;
};
inline constexpr std::size_t longest_reason = 120;  // octets

// Whom the outcome suppresses, for the senders of its sender's domain: a recipient that was refused for good
// at RCPT as one that does not exist (5.1.1, 5.1.2, 5.1.3, 5.1.6 of RFC 3463, 5.1.10 of RFC 7505), with no
// word of the sender or of a block. Nothing for the null sender, which belongs to no domain; where the
// upstream was given another address than `to`; and where the row could not be read again.
std::optional<Suppression> suppression_of(const Outcome& outcome, WallTime now, std::chrono::seconds keep);

// With everything folded and checked, so that it can be written and read. `sender` may begin with '@', and be
// empty.
Result<Suppression> make_suppression(std::string_view recipient, std::string_view sender, Second since,
                                     Second until, std::string_view reason);

// The answer to RCPT, without its codes; ASCII alone.
std::string refusal_text(std::string_view recipient, const Suppression& suppression);

// Entries by recipient and domain of the sender. Small ones: about 170 octets with a reply of usual length.
// In slices, so that somebody who reads a million of them can do other work in between.
class SuppressionList {
 public:
  static constexpr std::size_t most = 1'000'000;
  static constexpr std::size_t slices = 256;

  explicit SuppressionList(std::size_t limit = most) : limit_(limit) {}

  // In place of an earlier one. Returns how many of the oldest had to go for it: a part of all at once, as
  // finding them takes long.
  std::size_t put(const Suppression& suppression);
  bool erase(std::string_view sender, std::string_view recipient);

  // The one that holds for this domain, else one for all senders; in any spelling. Nothing: neither counts
  // now.
  std::optional<Suppression> find(std::string_view sender, std::string_view recipient, WallTime now) const;

  std::size_t size() const { return size_; }  // with those whose time is over, until drop_expired()
  void drop_expired(std::size_t slice, WallTime now);
  std::vector<Suppression> slice(std::size_t slice) const;  // in no order

 private:
  // The texts in one block.
  struct Entry {
    std::unique_ptr<char[]> texts;
    std::uint32_t since = 0;
    std::uint32_t until = 0;
    std::uint16_t sender = 0;  // octets
    std::uint16_t recipient = 0;
    std::uint16_t reason = 0;
  };
  struct Key {
    std::string_view sender;
    std::string_view recipient;
    bool operator==(const Key&) const = default;
  };
  static Key key_of(const Entry& entry);
  static const Key& key_of(const Key& key) { return key; }
  static Suppression read(const Entry& entry);
  struct Hash {
    using is_transparent = void;
    template <class T>
    std::size_t operator()(const T& one) const noexcept {
      return hash_of(key_of(one));
    }
  };
  struct Equal {
    using is_transparent = void;
    template <class A, class B>
    bool operator()(const A& a, const B& b) const {
      return key_of(a) == key_of(b);
    }
  };
  using Slice = std::unordered_set<Entry, Hash, Equal>;
  static std::size_t hash_of(const Key& key) noexcept;
  // Not the bits by which a slice chooses its bucket.
  static std::size_t slice_of(const Key& key) { return (hash_of(key) >> 48) % slices; }
  std::optional<Suppression> lookup(const Key& key, WallTime now) const;
  std::size_t make_room();

  std::size_t limit_;
  std::size_t size_ = 0;
  std::array<Slice, slices> slices_;
};

// --- as comma-separated values ---

inline constexpr std::string_view suppression_columns = "address,sender,since,until,reason";

// A row of these columns with its line end; it is one line of the text.
void append_row(std::string& text, const Suppression& suppression);

// "2026-11-20T07:31:42Z" or "2026-11-20".
std::string to_text(Second second);
Result<Second> parse_second(std::string_view text);

// What a row does not say.
struct RowDefaults {
  Second since{};
  std::chrono::seconds keep{};  // `until`, from `since`
};
// A row of the columns above, in their order.
Result<Suppression> parse_row(std::string_view line, const RowDefaults& defaults);

struct SuppressionRows {
  std::vector<Suppression> rows;
  std::vector<table::Fault> faults;  // in the text's order; with one, nothing of the text is to be used
};
// A file of an operator: its first row names its columns, of which `address` must be there.
SuppressionRows parse_suppressions(std::string_view text, const RowDefaults& defaults);

}  // namespace relayd::tell
