#include <gtest/gtest.h>

#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "shared/async/event.hpp"
#include "shared/async/scope.hpp"
#include "shared/async/shared_run.hpp"
#include "shared/async/task.hpp"
#include "shared/async/workers.hpp"
#include "support/manual_loop.hpp"

namespace relayd::async {
namespace {

using test::ManualLoop;
using test::run_task;

Task<int> answer() {
  co_return 42;
}
Task<int> thrower() {
  throw std::runtime_error("broken");
  co_return 0;
}

TEST(Task, AMillionSynchronousChildrenNeedNoStack) {
  auto sum = []() -> Task<long> {
    long total = 0;
    for (int i = 0; i < 1'000'000; ++i) {
      const int value = co_await answer();
      total += value;
    }
    co_return total;
  };
  EXPECT_EQ(run_task(sum()), 42'000'000);
}

TEST(Task, AnExceptionReachesTheAwaiter) {
  auto parent = []() -> Task<std::string> {
    try {
      co_await thrower();
    } catch (const std::runtime_error& error) {
      co_return error.what();
    }
    co_return "none";
  };
  EXPECT_EQ(run_task(parent()), "broken");
}

Task<int> wait_for(Slot<int>& slot) {
  const int value = co_await slot;
  co_return value + 1;
}

TEST(Task, ASuspendedChildResumesItsParent) {
  Slot<int> slot;
  auto parent = [](Slot<int>& s) -> Task<int> {
    const int value = co_await wait_for(s);
    co_return value * 2;
  };
  Task<int> task = parent(slot);
  task.start();
  EXPECT_FALSE(task.done());
  slot.put(4);
  ASSERT_TRUE(task.done());
  EXPECT_EQ(task.result(), 10);
}

Task<void> tick(Event& event, int& count) {
  co_await event;
  ++count;
}

TEST(Scope, CountsItsChildrenAndWaitsForTheLast) {
  Scope scope([](std::exception_ptr) { FAIL(); });
  Event first, second;
  int count = 0;
  scope.spawn(tick(first, count));
  scope.spawn(tick(second, count));
  EXPECT_EQ(scope.count(), 2u);
  Task<void> drained = scope.drained();
  drained.start();
  first.set();
  EXPECT_FALSE(drained.done());
  second.set();
  EXPECT_TRUE(drained.done());
  EXPECT_EQ(count, 2);
}

TEST(Scope, HandsAnEscapedExceptionToItsOwner) {
  std::string seen;
  Scope scope([&seen](std::exception_ptr failure) {
    try {
      std::rethrow_exception(failure);
    } catch (const std::exception& error) {
      seen = error.what();
    }
  });
  auto child = []() -> Task<void> {
    const int value = co_await thrower();
    (void)value;
  };
  scope.spawn(child());
  EXPECT_EQ(seen, "broken");
  EXPECT_EQ(scope.count(), 0u);
}

TEST(Scope, DestroysChildrenThatStillWait) {
  auto token = std::make_shared<int>(1);
  Event never;
  {
    Scope scope([](std::exception_ptr) {});
    auto child = [](std::shared_ptr<int>, Event& event) -> Task<void> { co_await event; };
    scope.spawn(child(token, never));
    EXPECT_EQ(token.use_count(), 2);
  }
  EXPECT_EQ(token.use_count(), 1);
}

TEST(SharedRun, WhoAsksMeanwhileSharesTheNext) {
  SharedRun run;
  Event over;
  int runs = 0;
  auto ask = [](SharedRun& shared, Event& disk, int& count) -> Task<void> {
    const bool is_ours = co_await shared.begin();
    if (!is_ours) co_return;
    ++count;
    co_await disk;
    shared.end();
  };
  Scope scope;
  scope.spawn(ask(run, over, runs));
  scope.spawn(ask(run, over, runs));
  scope.spawn(ask(run, over, runs));
  EXPECT_EQ(runs, 1);
  over.set();
  EXPECT_EQ(runs, 2) << "for both who came meanwhile";
  EXPECT_EQ(scope.count(), 2U) << "who wait until it is over";
  over.set();
  EXPECT_EQ(runs, 2);
  EXPECT_EQ(scope.count(), 0U);
  EXPECT_FALSE(run.under_way());
}

TEST(Timer, SleepsUntilTheClockSaysSo) {
  ManualLoop loop;
  Task<void> task = sleep_until(loop, loop.now() + std::chrono::seconds(5));
  task.start();
  loop.advance(std::chrono::seconds(4));
  EXPECT_FALSE(task.done());
  loop.advance(std::chrono::seconds(1));
  EXPECT_TRUE(task.done());
}

TEST(Workers, ResultsAndExceptionsComeBackOnTheLoop) {
  ManualLoop loop;
  Workers workers(loop, 2);
  EXPECT_EQ(run_task(workers.run([] { return 7; }), &loop), 7);
  EXPECT_THROW(run_task(workers.run([]() -> int { throw std::runtime_error("no"); }), &loop),
               std::runtime_error);
}

}  // namespace
}  // namespace relayd::async
