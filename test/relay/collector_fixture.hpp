// A collector over a real folder, with an intake that notes what it is given.
#pragma once

#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "accept/session_fixture.hpp"
#include "drop/batch.hpp"
#include "drop/name.hpp"
#include "drop/writer.hpp"
#include "relay/collector.hpp"
#include "support/temporary_directory.hpp"

namespace relayd::test {

namespace fs = std::filesystem;
using std::chrono::milliseconds;
using std::chrono::seconds;

// Lets a test do something while a message is under way.
class HookedIntake final : public accept::Intake {
  FakeIntake inner_;

 public:
  explicit HookedIntake(async::Loop& loop) : inner_(loop) {}

  std::function<void()> on_begin;
  Bytes& limit = inner_.limit;
  std::vector<Taken>& taken = inner_.taken;
  std::map<std::string, smtp::Reply>& refusals = inner_.refusals;

  Bytes size_limit() override { return inner_.size_limit(); }
  std::optional<smtp::Reply> check_sender(const accept::ClientFacts& facts, const mail::Envelope& envelope,
                                          std::uint64_t size) override {
    return inner_.check_sender(facts, envelope, size);
  }
  std::optional<smtp::Reply> add_recipient(mail::Envelope& envelope, mail::Recipient recipient) override {
    return inner_.add_recipient(envelope, std::move(recipient));
  }
  std::unique_ptr<accept::Incoming> begin(const accept::ClientFacts& facts,
                                          const mail::Envelope& envelope) override {
    if (on_begin) on_begin();
    return inner_.begin(facts, envelope);
  }
  std::shared_ptr<const accept::Accounts> accounts() override { return inner_.accounts(); }
};

class CollectorTest : public testing::Test {
 protected:
  CollectorTest() {
    drop::make_folder(path);
    config_->hostname = "relay.example";
  }
  ~CollectorTest() override { stop(); }

  static std::string batch(const std::string& content, const std::string& recipient = "bob@example.org") {
    mail::Envelope envelope;
    envelope.sender = "ann@example.com";
    envelope.recipients.push_back({recipient, "", ""});
    return drop::head(envelope, content.size()) + content;
  }
  std::string leave(const std::string& text = batch("text\r\n.\r\n")) {
    drop::Writer writer(path);
    writer.write(text);
    writer.commit();
    return drop::Folder(path).list(100).names.back();
  }
  // What somebody else left, under a name that could be a writer's.
  fs::path fresh() const { return fs::path(path) / drop::make_name(wall_now()); }

  void start() {
    collector_ =
        std::make_unique<Collector>(accept::Surroundings{loop, workers_, log_, intake, penalties_, gate_},
                                    drop::Folder(path), config_, allowance);
    settle();
  }
  void stop() {
    if (!collector_) return;
    collector_->shut_down();
    run_task(collector_->drained(), &loop);
    collector_.reset();
  }
  // Until it waits for its time.
  void settle() {
    loop.run_until([this] {
      loop.run();
      return loop.has_timers();
    });
  }
  void look() {
    advance(milliseconds(250));  // the look before is over for so long
    look_again();
  }
  void look_again() {
    collector_->look();
    settle();
  }
  void advance(Duration by) {
    loop.advance(by);
    settle();
  }

  // Those that it takes now and then.
  void looks(int count) {
    for (; count > 0; --count) advance(seconds(10));
  }

  // Under the name of another user.
  void leave_for(uid_t owner, const std::string& name = drop::make_name(wall_now())) {
    const fs::path file = fs::path(path) / name;
    std::ofstream(file) << batch("text\r\n.\r\n");
    ASSERT_EQ(::chown(file.c_str(), owner, static_cast<gid_t>(-1)), 0);
  }

  void leave_numbered(int count) {
    for (int i = 1; i <= count; ++i) leave_for(1000, fmt::format("{:016x}-{:032}", i, 0));
  }
  // Each message from now on.
  void refuse(const smtp::Reply& reply) {
    intake.on_begin = [this, reply] { intake.refusals["commit"] = reply; };
  }

  // How many lines of the log are of this event.
  std::size_t warnings(const std::string& event) {
    log_.flush();
    std::ifstream lines(parent_.path() / "log");
    std::size_t count = 0;
    for (std::string line; std::getline(lines, line);)
      count += line.find('"' + event + '"') != std::string::npos;
    return count;
  }

  std::vector<std::string> left() const {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(path)) names.push_back(entry.path().filename());
    return names;
  }

  TemporaryDirectory parent_;
  const std::string path = parent_.path() / "drop";
  ManualLoop loop;
  HookedIntake intake{loop};
  drop::Allowance allowance;
  std::shared_ptr<config::Config> config_ = std::make_shared<config::Config>();

  std::unique_ptr<Collector> collector_;

 private:
  async::Workers workers_{loop, 1};
  disk::Descriptor log_file_{
      ::open((parent_.path() / "log").c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600)};
  telemetry::Log log_{log_file_.number(), telemetry::Log::Format::json, telemetry::Level::debug,
                      telemetry::Log::Addresses::full};
  accept::Penalties penalties_;
  accept::Gate gate_;
};

}  // namespace relayd::test
