// All that DNS has to say for mail from a domain: what is needed of it, which names to ask for, and what is
// wrong there.
//
// Used by `relayd dns`. Pure: whoever asks DNS calls names_to_ask() with the answers so far until it is
// empty; then check_records() has all it needs. It names no provider; what needs to be included is said to
// it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "shared/dns/answer.hpp"
#include "shared/dns/dkim_record.hpp"
#include "shared/dns/dmarc.hpp"
#include "shared/dns/finding.hpp"

namespace relayd::dns {

// Through which mail of the domain leaves.
struct WayOut {
  std::string name;
  std::string host;
  std::string include;  // what its operator has a sender's SPF record include; empty: not known
};

struct SenderRecords {
  std::string domain;         // of senders and authors; A-labels in lower case
  std::vector<DkimKey> keys;  // that sign for it
  std::vector<WayOut> ways;
};

// Every include once, in the order of the ways.
std::vector<std::string> includes_of(const SenderRecords& needed);

// What nobody here can say of the SPF record, in words.
std::vector<std::string> not_known(const SenderRecords& needed);

inline constexpr std::string_view no_key = "no key of 'dkim' signs for it; its providers may";

std::vector<std::string> names_to_ask(const SenderRecords& needed, const Answers& answers);

// At least one for SPF and DMARC, and for each key; then one for each way: whether its mail passes DMARC.
std::vector<Finding> check_records(const SenderRecords& needed, const Answers& answers);

// Whether mail with this domain in MAIL FROM and From passes DMARC on this way, by our keys or by SPF.
// `unknown`, too, where nothing else helps: the operator may sign it, or be allowed by address.
Passes passes_on(const WayOut& way, const SenderRecords& needed, const Answers& answers);

}  // namespace relayd::dns
