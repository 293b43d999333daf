// Task<T>: a coroutine that somebody awaits.
//
// Stands under every dialogue. Lazy: the body starts when it is awaited, on the awaiting thread, and the
// awaiter goes on when it ends. The Task object owns the frame; dropping a Task that is still suspended
// destroys it, so only a Scope (scope.hpp) may hold one that nobody awaits. Exceptions reach the awaiter. Not
// thread-safe: a task lives on the thread of its loop.
//
// Why not asio::awaitable: our dialogues must run without Asio (scripted streams in tests, no Asio headers
// outside shared/net), and a Task that finishes without suspending must cost one call and no stack.
// GCC 12 does not turn a symmetric transfer into a tail call without optimisation or under a sanitizer, so
// none is used: a child that ended synchronously returns to its parent as a plain call would.
#pragma once

#include <coroutine>
#include <exception>
#include <optional>
#include <utility>

namespace relayd::async {

template <class T>
class Task;

namespace detail {

struct PromiseBase {
  std::coroutine_handle<> continuation;
  bool awaited = false;  // the awaiter was truly suspended and must be resumed
  std::exception_ptr failure;

  struct Final {
    bool await_ready() noexcept { return false; }
    template <class P>
    void await_suspend(std::coroutine_handle<P> self) noexcept {
      if (PromiseBase& promise = self.promise(); promise.awaited) promise.continuation.resume();
    }
    void await_resume() noexcept {}
  };

  std::suspend_always initial_suspend() noexcept { return {}; }
  Final final_suspend() noexcept { return {}; }
  void unhandled_exception() { failure = std::current_exception(); }
};

template <class T>
struct Promise : PromiseBase {
  std::optional<T> value;
  Task<T> get_return_object();
  void return_value(T result) { value.emplace(std::move(result)); }
  T take() {
    if (failure) std::rethrow_exception(std::exchange(failure, nullptr));
    return std::move(*value);
  }
};

template <>
struct Promise<void> : PromiseBase {
  Task<void> get_return_object();
  void return_void() {}
  void take() {
    if (failure) std::rethrow_exception(std::exchange(failure, nullptr));
  }
};

}  // namespace detail

template <class T = void>
class [[nodiscard]] Task {
 public:
  using promise_type = detail::Promise<T>;
  using Handle = std::coroutine_handle<promise_type>;

  explicit Task(Handle handle) : handle_(handle) {}
  Task(Task&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
  Task& operator=(Task&& other) noexcept {
    std::swap(handle_, other.handle_);
    return *this;
  }
  ~Task() {
    if (handle_) handle_.destroy();
  }

  bool await_ready() const noexcept { return false; }
  // False (do not suspend) when the child ended without ever suspending.
  bool await_suspend(std::coroutine_handle<> awaiter) {
    promise_type& promise = handle_.promise();
    promise.continuation = awaiter;
    handle_.resume();
    if (handle_.done()) return false;
    promise.awaited = true;
    return true;
  }
  T await_resume() { return handle_.promise().take(); }

  // For a driver that is no coroutine (a test, a Scope): run to the first suspension.
  void start() { handle_.resume(); }
  bool done() const { return handle_.done(); }
  T result() { return handle_.promise().take(); }

 private:
  Handle handle_;
};

namespace detail {
template <class T>
Task<T> Promise<T>::get_return_object() {
  return Task<T>(std::coroutine_handle<Promise>::from_promise(*this));
}
inline Task<void> Promise<void>::get_return_object() {
  return Task<void>(std::coroutine_handle<Promise>::from_promise(*this));
}
}  // namespace detail

}  // namespace relayd::async
