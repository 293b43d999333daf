// Client: sends requests to one HTTP server and returns its responses.
//
// StreamClient does so over the network; tests hand in scripted clients.
#pragma once

#include <stop_token>

#include "shared/async/stream.hpp"
#include "shared/async/task.hpp"
#include "shared/base/time.hpp"
#include "shared/http/message.hpp"

namespace relayd::http {

class Client {
 public:
  virtual ~Client() = default;

  // One at a time. The connection stays open for the next, where the server lets it. A redirect is a response
  // like any other. Throws IoError: that of Dialer::dial and of a Stream; unreachable also where the
  // configuration does not allow the address, protocol where what comes is no HTTP. Its text is one line for
  // the operator and names neither the URL's query nor a secret.
  virtual async::Task<Response> exchange(const Request& request, Deadline deadline, std::stop_token stop) = 0;
};

}  // namespace relayd::http
