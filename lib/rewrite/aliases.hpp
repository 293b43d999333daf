// Aliases: who a recipient stands for (RFC 5321 3.9.1), as aliases(5) and virtual(5) have it.
//
// Asked at RCPT, before routing; what `access` says of the address and of each target is asked beside. The
// queue stores the targets; the header stays as it is. Pure. Built once for a configuration; a reload builds
// another.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "shared/mail/envelope.hpp"

namespace relayd::rewrite {

// NAME, NAME+EXTENSION (both of a local domain), USER@DOMAIN or @DOMAIN stands for targets: addresses, names
// of the first local domain, \NAME (which is looked up no more), and @DOMAIN (the local part stays).
struct Alias {
  std::string name;
  std::vector<std::string> targets;
};

// What is wrong with a target; empty: it is sound. `for_domain`: of "@DOMAIN", for which \\@DOMAIN is one.
std::string fault_of_target(std::string_view target, bool for_domain);

class Aliases {
 public:
  // What is wrong with the alias of that index, and the other one that it is about.
  struct Fault {
    std::size_t alias = 0;
    std::string text;
    std::optional<std::size_t> other = {};
  };

  // `local_domains`: whose addresses names are; the first is put behind names that are targets. The empty set
  // has none.
  Aliases() = default;
  // `ask` says what a table has for a key (as mail::lookup_spelling() makes it) that is none of the aliases:
  // its targets, none of them where its value cannot be used, or nothing.
  using Ask = std::function<std::optional<std::vector<std::string>>(std::string_view key)>;
  Aliases(std::vector<Alias> aliases, std::vector<std::string> local_domains, Ask ask = nullptr);

  // Empty: it can be used. Aliases that lead back to themselves are found here, but for a name that is among
  // its own targets ("root: root, ann"): it is final there.
  const std::vector<Fault>& faults() const { return faults_; }
  bool empty() const { return aliases_.empty() && !ask_; }

  const Alias& operator[](std::size_t alias) const { return aliases_[alias]; }

  // Told of each step on the way: the address, and the index of the alias that it fell under, or the key that
  // the table has.
  using OnStep =
      std::function<void(std::string_view address, std::optional<std::size_t> alias, std::string_view key)>;
  // An address that another one stands for, and the owner of the innermost list that led to it, as an
  // address; empty: none. What has an alias "owner-NAME" beside it is a list (aliases(5)); rows of the table
  // are no owners.
  struct Target {
    std::string address;
    std::string owner;
  };
  // The addresses that this one stands for in the end, each once; itself where no alias is about it. Nothing:
  // more than `most` of them, more than `most` aliases in a row, an address that is too long, none but itself
  // again, or a value of the table that cannot be used.
  static constexpr std::size_t most = 1000;
  std::optional<std::vector<Target>> targets(std::string_view address, const OnStep& on_step = nullptr) const;
  // The same without owners.
  std::optional<std::vector<std::string>> expand(std::string_view address,
                                                 const OnStep& on_step = nullptr) const;

 private:
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
  };
  // An alias, or a key of the table with its targets; and the "+extension" that the name did not have.
  struct Found {
    std::optional<std::size_t> alias;
    std::string key;
    std::vector<std::string> of_table;
    std::string extension;
  };
  class Expansion;

  bool is_local(std::string_view folded_domain) const;
  std::optional<Found> lookup(const std::string& key) const;
  std::optional<Found> find(std::string_view address) const;
  std::string owner_of(const Found& found) const;
  std::string target_of(std::string_view target, std::string_view address, std::string_view extension) const;
  std::vector<std::size_t> next_of(std::size_t alias) const;
  void find_circles();

  std::vector<Alias> aliases_;
  std::vector<std::string> local_domains_;  // in lower case and as A-labels
  std::string origin_;                      // the first of them as it was given
  std::unordered_map<std::string, std::size_t, Hash, std::equal_to<>> by_name_;  // by lookup keys
  Ask ask_;
  std::vector<Fault> faults_;
};

// Replaces a recipient by its targets, with what it asked for in notifications: one target inherits all of
// it; several inherit NOTIFY without SUCCESS (RFC 3461 5.2.7.3). Each has an ORCPT, if need be of the address
// that was given. Members of a list have nothing of it: mail to them is the list's (RFC 3461 5.2.7.1).
std::vector<mail::Recipient> stand_ins(const mail::Recipient& recipient,
                                       const std::vector<Aliases::Target>& targets);

// Leaves one recipient for each address (the domain in any case) and owner: the first, with every NOTIFY that
// was asked for.
void unite(std::vector<mail::Recipient>& recipients);

}  // namespace relayd::rewrite
