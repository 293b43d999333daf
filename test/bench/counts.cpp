// counts: a library to preload under relayd. It counts the allocations of all its threads, in a small file
// that the test has mapped as well (COUNTS names it; costs_test.py reads it).
//
// It stands on the entries that glibc has below malloc(3): looking the next malloc up would allocate.
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdlib>

extern "C" {
void* __libc_malloc(std::size_t size);
void* __libc_calloc(std::size_t count, std::size_t size);
void* __libc_realloc(void* block, std::size_t size);
void* __libc_memalign(std::size_t alignment, std::size_t size);
}

namespace {

std::atomic<std::uint64_t> before_the_file{0};
std::atomic<std::uint64_t>* allocations = &before_the_file;

__attribute__((constructor)) void map_counter() {
  const char* const path = std::getenv("COUNTS");
  if (!path) return;
  const int file = ::open(path, O_RDWR | O_CLOEXEC);
  if (file < 0) std::abort();
  void* const mapped = ::mmap(nullptr, sizeof *allocations, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  ::close(file);
  if (mapped == MAP_FAILED) std::abort();
  allocations = static_cast<std::atomic<std::uint64_t>*>(mapped);
}

void* counted(void* block) {
  allocations->fetch_add(1, std::memory_order_relaxed);
  return block;
}

}  // namespace

extern "C" {

void* malloc(std::size_t size) noexcept {
  return counted(__libc_malloc(size));
}

void* calloc(std::size_t count, std::size_t size) noexcept {
  return counted(__libc_calloc(count, size));
}

void* realloc(void* block, std::size_t size) noexcept {
  return counted(__libc_realloc(block, size));
}

void* aligned_alloc(std::size_t alignment, std::size_t size) noexcept {
  return counted(__libc_memalign(alignment, size));
}

int posix_memalign(void** block, std::size_t alignment, std::size_t size) noexcept {
  *block = counted(__libc_memalign(alignment, size));
  return *block ? 0 : ENOMEM;
}

}  // extern "C"
