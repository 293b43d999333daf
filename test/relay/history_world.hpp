// A history on a disk in memory: events go in through the Publisher, the search reads what is there.
#pragma once

#include <gtest/gtest.h>

#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "relay/history_book.hpp"
#include "relay/history_search.hpp"
#include "shared/disk/whole_file.hpp"
#include "support/forgetting_disk.hpp"
#include "support/manual_loop.hpp"
#include "support/quiet_log.hpp"

namespace relayd::test {

class HistoryWorld : public testing::Test {
 protected:
  void SetUp() override {
    config.history.size = 1_MiB;
    config.queue.reserve = 0_B;
    start();
  }
  void TearDown() override {
    stop();
    std::fclose(log_file_);
  }

  // A process on the same disk, and its orderly end.
  void start() {
    publisher = std::make_unique<tell::Publisher>(quiet);
    book = std::make_unique<HistoryBook>(loop, workers, disk, log, config);
    publisher->subscribe(book->subscriber());
    book->open();
    settle();
  }
  void stop() {
    run_task(book->flush(), &loop);
    end();
  }
  // The process is killed: what is being written comes to its end.
  void end() {
    book->shut_down();
    run_task(book->drained(), &loop);
    book.reset();
    publisher.reset();
  }
  // What a worker has been given comes to its end, and what follows from it begins.
  void settle() {
    for (int i = 0; i < 3; ++i) {
      run_task(workers.run([] {}), &loop);
      loop.run();
    }
  }
  void pass(Duration time) {
    settle();
    for (; time > Duration(); time -= std::min<Duration>(time, std::chrono::hours(1))) {
      loop.advance(std::min<Duration>(time, std::chrono::hours(1)));
      settle();
    }
  }

  void accepted(const std::string& id, const std::string& from, const std::vector<std::string>& to,
                const std::string& message_id = "") {
    mail::Envelope envelope;
    envelope.sender = from;
    for (const std::string& one : to) envelope.recipients.push_back({one, {}, {}});
    publisher->publish(tell::Arrival{
        .id = id, .envelope = envelope, .to = envelope.recipients, .tls = {}, .message_id = message_id});
  }
  void attempted(const std::string& id, const std::string& from, const std::string& to, tell::Fate fate,
                 const std::string& said = "Ok", const std::string& provider_id = "") {
    const smtp::Event event(smtp::Stage::final_dot, smtp::Reply{250, {}, said});
    publisher->publish(tell::Outcome{.fate = fate,
                                     .id = id,
                                     .from = from,
                                     .to = to,
                                     .sent_from = from,
                                     .sent_to = to,
                                     .event = event,
                                     .provider_id = provider_id,
                                     .attempt = 1,
                                     .age = {}});
  }

  void handled(const std::string& id, tell::Handled::Kind kind) {
    publisher->publish(tell::Handled{kind, id, "ann@example.com"});
  }

  HistoryFolder folder() {
    HistoryFolder found;
    try {
      found.names = disk.list(history_folder);
    } catch (const disk::DiskError&) {
    }
    found.read = [this](const std::string& name) -> std::optional<std::string> {
      try {
        return disk::read_whole(disk, std::string(history_folder) + "/" + name);
      } catch (const disk::DiskError& error) {
        if (error.code() != std::errc::no_such_file_or_directory) throw;
        return std::nullopt;
      }
    };
    return found;
  }
  struct Found {
    std::vector<MessageHistory> messages;
    bool more = false;
  };
  static Found search_history(const HistoryFolder& folder, const HistoryQuery& query) {
    Found found;
    const auto keep = [&](MessageHistory& message) { found.messages.push_back(std::move(message)); };
    found.more = relayd::search_history(folder, query, keep).more;
    return found;
  }
  std::vector<std::string> found(const HistoryQuery& query) {
    std::vector<std::string> ids;
    for (const MessageHistory& message : search_history(folder(), query).messages) ids.push_back(message.id);
    return ids;
  }
  std::vector<std::string> found(const std::string& what) { return found(HistoryQuery{.what = what}); }
  std::size_t files() { return history_files(folder().names).size(); }
  std::uint64_t octets() {
    std::uint64_t sum = 0;
    for (const auto& [path, size] : disk.sizes())
      if (path.ends_with(".jsonl")) sum += size;
    return sum;
  }
  std::size_t logged(const std::string& event) {
    log.flush();
    std::fflush(log_file_);
    std::rewind(log_file_);
    std::string text(1 << 20, '\0');
    text.resize(std::fread(text.data(), 1, text.size(), log_file_));
    std::size_t count = 0;
    for (std::size_t at = 0; (at = text.find("\"event\":\"" + event, at)) != std::string::npos; ++at) ++count;
    std::fseek(log_file_, 0, SEEK_END);
    return count;
  }

  std::FILE* log_file_ = std::tmpfile();
  telemetry::Log log{fileno(log_file_), telemetry::Log::Format::json, telemetry::Level::info,
                     telemetry::Log::Addresses::full};
  QuietLog quiet;  // of the mail
  ManualLoop loop;
  async::Workers workers{loop, 1};
  ForgettingDisk disk;
  config::Config config;
  std::unique_ptr<tell::Publisher> publisher;
  std::unique_ptr<HistoryBook> book;
};

}  // namespace relayd::test
