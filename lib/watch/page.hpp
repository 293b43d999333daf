// The page of the operator's window: one document, with its style and its scripts inside (page/).
//
// Beside the path; sent by Web. It needs no other request but those to /api/.
#pragma once

#include <string>

namespace relayd::watch {

struct Page {
  std::string document;  // HTML
  // The value of Content-Security-Policy: nothing but the style and the scripts of the document, by their
  // digests, and what comes from here (CSP Level 3).
  std::string policy;
};

// Made once.
const Page& page();

}  // namespace relayd::watch
