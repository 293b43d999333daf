// Collector: takes into the queue what programs left in the drop folder while no relay answered them.
//
// Joins drop and accept. Owned by the relay. A file goes through a server session like any client's mail, and
// is removed once the queue has it: a crash in between sends it twice, never loses it. What no session will
// ever take is set aside in the folder; what its writer never finished is removed. It looks at once, when it
// is told to, and now and then.
#pragma once

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "accept/session.hpp"
#include "drop/folder.hpp"
#include "relay/batch_stream.hpp"
#include "shared/async/scope.hpp"
#include "shared/net/directory_watch.hpp"

namespace relayd {

class Collector {
 public:
  // `around` is what its sessions get.
  Collector(accept::Surroundings around, drop::Folder folder, std::shared_ptr<const config::Config> config);

  void use(std::shared_ptr<const config::Config> config) { config_ = std::move(config); }

  // There may be something new. After mail was refused for now it waits its time all the same.
  void look();
  // Has itself told whenever a file is moved into the folder. Throws std::system_error.
  void watch(net::AsioLoop& loop, const std::string& directory);

  // Finishes the present file and takes no other.
  void shut_down();
  // Gives the present file up; it stays where it is.
  void abort();
  async::Task<void> drained() { return scope_.drained(); }

 private:
  async::Task<void> run();
  async::Task<void> tidy();
  async::Task<bool> collect();
  async::Task<bool> take(std::string name);
  async::Task<bool> hand_over(const std::string& name, drop::File file);
  async::Task<void> set_aside(const std::string& name, std::string reason);
  async::Task<void> remove(const std::string& name);
  std::vector<std::string> list();

  accept::Surroundings around_;
  drop::Folder folder_;
  std::shared_ptr<const config::Config> config_;
  config::Listener listener_;       // what a session wants to know of the place its client came to
  std::set<std::string> finished_;  // could not be removed, and must not be taken again
  accept::Session* session_ = nullptr;
  async::Event wake_;
  async::Timer timer_;
  bool news_ = false;     // since the last look began
  bool patient_ = false;  // mail was refused for now
  bool stopping_ = false;
  SteadyTime tidied_ = SteadyTime::min();
  std::unique_ptr<net::DirectoryWatch> watch_;
  async::Scope scope_;
};

// The collector of a configuration; null when there is no drop folder. What is wrong with it is logged.
std::unique_ptr<Collector> make_collector(net::AsioLoop& loop, accept::Surroundings around,
                                          std::shared_ptr<const config::Config> config);

}  // namespace relayd
