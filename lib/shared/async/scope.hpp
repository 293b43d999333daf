// Scope: owns the coroutines that nobody awaits, counts them, and waits for the last.
//
// Every child is spawned through a Scope; nothing is ever detached. A child that ends with an exception hands
// it to the scope's handler (a broken invariant: the handler logs and ends the process; dialogues catch their
// own I/O failures). To cancel children, close what they wait for (stream, timer), then await drained(). The
// destructor requires that all children have ended, or that their loop will never run again.
#pragma once

#include <cstddef>
#include <exception>
#include <functional>
#include <utility>

#include "shared/async/event.hpp"
#include "shared/async/task.hpp"

namespace relayd::async {

class Scope {
 public:
  using OnError = std::function<void(std::exception_ptr)>;

  // By default what escapes a child ends the process, with its text: dialogues catch what they expect.
  explicit Scope(OnError on_error = [](std::exception_ptr failure) { std::rethrow_exception(failure); })
      : on_error_(std::move(on_error)) {}
  Scope(const Scope&) = delete;
  Scope& operator=(const Scope&) = delete;
  ~Scope() {
    while (first_) first_->handle.destroy();
  }

  // Starts the task at once on the calling (loop) thread; its frame is freed when it ends.
  void spawn(Task<void> task) { run(*this, std::move(task)); }

  std::size_t count() const { return count_; }

  // Returns when no child is left; at once when there is none. One waiter at a time.
  Task<void> drained() {
    while (count_ != 0) co_await empty_;
  }

 private:
  struct Child {
    struct promise_type;
    Child() = default;
  };
  struct Links {
    Links* next = nullptr;
    Links* previous = nullptr;
    std::coroutine_handle<> handle;
  };

  static Child run(Scope& scope, Task<void> task);

  void add(Links& links) {
    links.next = first_;
    if (first_) first_->previous = &links;
    first_ = &links;
    ++count_;
  }
  void remove(Links& links) {
    (links.previous ? links.previous->next : first_) = links.next;
    if (links.next) links.next->previous = links.previous;
    --count_;
  }

  OnError on_error_;
  Links* first_ = nullptr;
  std::size_t count_ = 0;
  Event empty_;
};

struct Scope::Child::promise_type : Scope::Links {
  Scope& scope;

  promise_type(Scope& owner, Task<void>&) : scope(owner) {
    handle = std::coroutine_handle<promise_type>::from_promise(*this);
    scope.add(*this);
  }
  // Runs while the frame goes: at its end, or when the scope goes first.
  ~promise_type() {
    scope.remove(*this);
    if (scope.count_ == 0 && scope.empty_.has_waiter()) scope.empty_.set();
  }
  Child get_return_object() { return {}; }
  std::suspend_never initial_suspend() noexcept { return {}; }
  std::suspend_never final_suspend() noexcept { return {}; }
  void return_void() {}
  void unhandled_exception() noexcept { std::terminate(); }
};

inline Scope::Child Scope::run(Scope& scope, Task<void> task) {
  try {
    Task<void> body = std::move(task);  // gone, with all it holds, before the scope counts down
    co_await body;
  } catch (...) {
    scope.on_error_(std::current_exception());
  }
}

}  // namespace relayd::async
