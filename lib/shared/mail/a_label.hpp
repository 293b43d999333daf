// A-labels: a domain in the ASCII form that DNS has (RFC 5890 2.3.2.1, RFC 3492).
//
// Stands under whatever looks a domain up: rules (lookup_key.hpp), signing keys. Pure. It takes U-labels as
// they have to be, in lower case and composed (RFC 5890 2.3.2.1), and checks or maps no characters.
#pragma once

#include <string>
#include <string_view>

namespace relayd::mail {

// The domain in lower case (ASCII only), each label that is not ASCII as an A-label. A label that is no
// UTF-8, or longer than 63 octets, stays as it is: no domain of DNS is equal to it.
std::string a_labels(std::string_view domain);

}  // namespace relayd::mail
