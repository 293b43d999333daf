// RuleIndex: which of many rules, each with a pattern and what else it asks for, a message falls under.
//
// Stands under the router. Prepared once and asked for every message; the cost of asking does not grow with
// the number of rules, but for those that differ in the clients alone that they ask for. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "shared/config/config.hpp"
#include "shared/mail/matcher.hpp"

namespace relayd::route {

// Who handed a message in; see mail::Envelope.
struct Client {
  std::string_view account;
  std::string_view address;
  std::string_view listener;
};

// The value of the first field of each name that rules ask for, by the name in lower case: unfolded, without
// the blanks around it.
using HeaderValues = std::map<std::string, std::string, std::less<>>;

// What rules ask of a message. What is not known yet is absent.
struct Mail {
  std::uint64_t number = 0;                        // of the message: weights share by it
  std::optional<std::string_view> sender = {};     // see mail::Envelope::routing_sender
  std::optional<std::string_view> recipient = {};  // one of them: each has a route of its own
  const Client* client = nullptr;
  const HeaderValues* header = nullptr;
};

class RuleIndex {
 public:
  // How many rules there will be: a speed-up.
  void reserve(std::size_t rules) { patterns_.reserve(rules); }
  // False: another rule asks for the same.
  bool add(std::string_view pattern, const config::RuleConditions& conditions, std::size_t rule);
  // After the last one.
  void finish();

  struct Found {
    std::optional<std::size_t> rule;
    bool open = false;  // it depends on what is absent
  };
  // The rule of the most specific pattern (see mail::Matcher), and of several with that the one that asks for
  // most of those whose conditions hold: of as many, for the account before the client, for that before the
  // listener, for that before the header. Where none of them holds, that of the next wider pattern.
  Found find(std::string_view address, const Mail& mail) const;

  bool empty() const { return patterns_.empty(); }
  // Names of header fields, in lower case.
  const std::set<std::string, std::less<>>& header_names() const { return header_names_; }

 private:
  // What a rule asks for, but for the values.
  struct Shape {
    bool account = false;
    bool client = false;
    bool listener = false;
    std::vector<std::string> headers;  // names in lower case, sorted

    std::size_t count() const { return std::size_t{account} + client + listener + headers.size(); }
    bool operator==(const Shape&) const = default;
  };
  // All rules of one pattern.
  struct Group {
    std::string pattern;                     // where it has shapes
    std::optional<std::size_t> plain = {};   // the rule that asks for nothing
    std::optional<std::size_t> wider = {};   // the group that is asked next
    std::vector<std::uint32_t> shapes = {};  // those that ask for most first
  };
  // Of rules alike in all but their clients.
  struct Candidate {
    std::optional<config::Network> network;
    std::optional<std::uint32_t> uid;
    std::size_t rule = 0;
    bool holds(const Client* client) const;
  };

  bool asks_more(std::uint32_t a, std::uint32_t b) const;
  std::uint32_t shape_of(const config::RuleConditions& conditions);
  bool add_candidates(std::string key, const config::RuleConditions& conditions, std::size_t rule);
  std::optional<Found> ask(std::size_t group, std::uint32_t number, const Mail& mail) const;

  mail::Matcher patterns_;  // to groups
  std::vector<Group> groups_;
  std::vector<Shape> shapes_;
  std::unordered_map<std::string, std::vector<Candidate>> candidates_;  // by group, shape and values
  std::set<std::string, std::less<>> header_names_;
};

}  // namespace relayd::route
