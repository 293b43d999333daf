#include "shared/http/url.hpp"

#include <algorithm>

#include "fuzz/targets.hpp"
#include "shared/base/ascii.hpp"
#include "shared/base/ip_kind.hpp"
#include "shared/http/request.hpp"

namespace relayd::fuzz {

void url(std::string_view input) {
  const Result<http::Url> parsed = http::parse_url(input);
  if (!parsed) {
    demand(!parsed.error().empty() &&
               std::none_of(parsed.error().begin(), parsed.error().end(), ascii::is_control),
           "a complaint is one line");
    return;
  }
  const http::Url& url = parsed.value();
  const std::string text = (url.tls ? "https://" : "http://") + url.authority + url.target;
  const Result<http::Url> again = http::parse_url(text);
  demand(again.ok() && again.value() == url, "what is written is read as it was meant");
  demand(url.host.find_first_of("@/?#%\\[]") == std::string::npos, "a host is no more than a host");
  demand(url.host.find(':') == std::string::npos || ip_kind(url.host), "a colon is an IPv6 address's");
  const std::string shown = http::shown(url);
  demand(shown.find('?') == std::string::npos, "no query is shown");
  const Result<std::string> request = http::write_request({"GET", {}, ""}, url);
  demand(request.ok() && std::count(request->begin(), request->end(), '\n') == 3,
         "a request is its three lines");
}

}  // namespace relayd::fuzz
