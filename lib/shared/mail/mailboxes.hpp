// Mailboxes: every address in a field such as From or To, or in a word of a command line (RFC 5322 3.4).
//
// Stands under the header scanner, which asks whom a message is from, under rewrite, which asks where a
// domain is missing, and under sendmail, which collects recipients: one parser, so that all of them see the
// same addresses. Pure; linear time. It decodes nothing.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "shared/base/result.hpp"

namespace relayd::mail {

struct Mailbox {
  std::string address;    // no display name, no comments, no route; empty: none that can be read
  std::string_view text;  // where it stands in the list, display name and comments included
  std::size_t end = 0;    // offset behind the address: there its domain would be if it has none
  std::size_t begin = 0;  // offset of the address, or of the route before it
  // Where `address` is empty: one with space or comments around its dots, without them (RFC 5322 4.4).
  std::string obsolete = {};
};

// The mailboxes of `"X, Y" (c) <a@b>, friends: d@e;` and the like, in order; a group's are among them, its
// name is not. The text may be folded. Space and comments may stand around an address and its '@', not
// elsewhere in it. What has no address, or one that check_address() refuses, is a mailbox with an empty one;
// so is a lone encoded word, which is a name (RFC 2047 5), what stands for a group's name with an '@', and a
// name behind brackets that has an '@' in it or may hide one.
std::vector<Mailbox> mailboxes(std::string_view field_body);

// Whether readers of a header may take the address for another one: it has an encoded word in it, a character
// that looks like '@', or within quotes what an address stands in.
bool may_be_misread(std::string_view address);

// Their addresses alone, for who must not leave one out: a mailbox that cannot be read is an error, which
// quotes it. An empty list has none. The text is unfolded.
Result<std::vector<std::string>> mailbox_list(std::string_view field_body);

}  // namespace relayd::mail
