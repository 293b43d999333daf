// Collector: takes into the queue what programs left in the drop folder while no relay answered them.
//
// Joins drop and accept. Owned by the relay. A file goes through a server session like any client's mail, and
// is removed once the queue has it: a crash in between sends it twice, never loses it. What no session will
// ever take is set aside in the folder; what is refused for now is tried later and later, and holds up
// nothing else. What its writer never finished is removed, and in the end what was set aside; what a user has
// above his allowance goes before. It looks at once, when it is told to, and now and then.
#pragma once

#include <map>
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
  Collector(accept::Surroundings around, drop::Folder folder,
            const std::shared_ptr<const config::Config>& config, const drop::Allowance& allowance = {});

  void use(const std::shared_ptr<const config::Config>& config);

  // There may be something new. It is looked at once, but soon after a look a little later; while the relay
  // can take nothing it waits its time all the same.
  void look();
  // Has itself told whenever a file is moved into the folder. Throws std::system_error.
  void watch(net::AsioLoop& loop, const std::string& directory);

  // Finishes the present file and takes no other.
  void shut_down();
  // Gives the present file up; it stays where it is.
  void abort();
  async::Task<void> drained() { return scope_.drained(); }

 private:
  // When one that waits is tried again.
  struct Delay {
    SteadyTime due;
    Duration length{};
  };

  async::Task<void> run();
  async::Task<void> tidy();
  async::Task<void> keep_to_allowance();
  async::Task<std::size_t> cut_down(drop::Kind kind, const drop::Excess& excess,
                                    const drop::Allowance& allowance);
  async::Task<void> collect();
  async::Task<std::size_t> take_all(const std::vector<std::string>& names);
  async::Task<bool> take(std::string name);
  async::Task<bool> hand_over(const std::string& name, drop::File file);
  void delay(const std::string& name);
  async::Task<void> set_aside(const std::string& name, std::string reason);
  async::Task<void> remove(const std::string& name);
  async::Task<drop::Listing> list();

  accept::Surroundings around_;
  drop::Folder folder_;
  drop::Allowance allowance_;  // of each user; in octets, a file of the largest is always allowed
  std::shared_ptr<const config::Config> config_;
  config::Listener listener_;       // what a session wants to know of the place its client came to
  std::set<std::string> finished_;  // could not be removed, and must not be taken again
  std::map<std::string, Delay> delays_;
  uid_t first_owner_ = 0;       // of the next listing
  std::set<uid_t> in_trouble_;  // whose files wait for the next look
  accept::Session* session_ = nullptr;
  async::Event wake_;
  async::Timer timer_;
  bool news_ = false;     // since the last look began
  bool patient_ = false;  // the relay could take nothing
  bool full_ = false;     // for its disk is full
  bool stopping_ = false;
  SteadyTime looked_ = SteadyTime::min();  // the last look was over
  SteadyTime tidied_ = SteadyTime::min();
  SteadyTime counted_ = SteadyTime::min();  // what each owner has
  std::unique_ptr<net::DirectoryWatch> watch_;
  async::Scope scope_;
};

// The collector of a configuration; null when there is no drop folder. What is wrong with it is logged.
std::unique_ptr<Collector> make_collector(net::AsioLoop& loop, accept::Surroundings around,
                                          const std::shared_ptr<const config::Config>& config);

}  // namespace relayd
