// Event and Slot: how a coroutine waits for something that a callback or another coroutine brings.
//
// One waiter each, on the loop's thread; the waiter is resumed inside the call that wakes it. The object must
// outlive the wait. For many waiters keep a list of Events.
#pragma once

#include <coroutine>
#include <exception>
#include <optional>
#include <utility>

namespace relayd::async {

// A flag that can be awaited. set() before the wait makes the wait return at once; the wait clears it.
class Event {
 public:
  Event() = default;
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;

  void set() {
    set_ = true;
    if (waiter_) std::exchange(waiter_, nullptr).resume();
  }
  bool has_waiter() const { return waiter_ != nullptr; }

  bool await_ready() const noexcept { return set_; }
  void await_suspend(std::coroutine_handle<> waiter) noexcept { waiter_ = waiter; }
  void await_resume() noexcept { set_ = false; }

 private:
  bool set_ = false;
  std::coroutine_handle<> waiter_;
};

// A place for one value (or exception) that arrives later.
template <class T>
class Slot {
 public:
  Slot() = default;
  Slot(const Slot&) = delete;
  Slot& operator=(const Slot&) = delete;

  void put(T value) {
    value_.emplace(std::move(value));
    wake();
  }
  void fail(std::exception_ptr failure) {
    failure_ = std::move(failure);
    wake();
  }

  bool await_ready() const noexcept { return value_.has_value() || failure_; }
  void await_suspend(std::coroutine_handle<> waiter) noexcept { waiter_ = waiter; }
  T await_resume() {
    if (failure_) std::rethrow_exception(std::exchange(failure_, nullptr));
    T value = std::move(*value_);
    value_.reset();
    return value;
  }

 private:
  void wake() {
    if (waiter_) std::exchange(waiter_, nullptr).resume();
  }

  std::optional<T> value_;
  std::exception_ptr failure_;
  std::coroutine_handle<> waiter_;
};

}  // namespace relayd::async
