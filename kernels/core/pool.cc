#include "core/pool.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <exception>
#include <memory>
#include <mutex>
#include <thread>

#ifdef _WIN32
#include <process.h>
#else
#include <unistd.h>
#endif

namespace slm {
namespace {

constexpr std::size_t kMostThreads = 256;

/// One call of run_parallel. Whoever helps takes numbers until there are none left.
struct Job {
  const std::function<void(std::size_t)>* work;
  std::size_t count;
  std::atomic<std::size_t> next{0};
  std::mutex mutex;
  std::condition_variable done;
  std::size_t finished = 0;
  std::exception_ptr error{};

  void help() {
    for (;;) {
      std::size_t i = next.fetch_add(1);
      if (i >= count) return;
      std::exception_ptr thrown;
      try {
        (*work)(i);
      } catch (...) {
        thrown = std::current_exception();
      }
      std::lock_guard lock(mutex);
      if (thrown && !error) error = thrown;
      if (++finished == count) done.notify_all();
    }
  }
  void wait() {
    std::unique_lock lock(mutex);
    done.wait(lock, [&] { return finished == count; });
    if (error) std::rethrow_exception(error);
  }
};

class Pool {
 public:
  void offer(const std::shared_ptr<Job>& job, std::size_t helpers) {
    {
      std::lock_guard lock(mutex_);
      for (; started_ < std::min(helpers, kMostThreads); ++started_) {
        std::thread([this] { serve(); }).detach();
      }
      waiting_.insert(waiting_.end(), helpers, job);
    }
    helpers == 1 ? ready_.notify_one() : ready_.notify_all();
  }

 private:
  [[noreturn]] void serve() {
    for (;;) {
      std::shared_ptr<Job> job;
      {
        std::unique_lock lock(mutex_);
        ready_.wait(lock, [&] { return !waiting_.empty(); });
        job = std::move(waiting_.front());
        waiting_.pop_front();
      }
      job->help();
    }
  }

  std::mutex mutex_;
  std::condition_variable ready_;
  std::deque<std::shared_ptr<Job>> waiting_;
  std::size_t started_ = 0;
};

long process_id() {
#ifdef _WIN32
  return _getpid();
#else
  return static_cast<long>(getpid());
#endif
}

/// The pool of this process. Never destroyed: its threads wait in it until the process ends, and
/// what a child of fork() inherits has no threads and perhaps a lock that nobody will open.
Pool& pool() {
  struct Owned {
    Pool* pool;
    long process;
  };
  static std::atomic<Owned*> current{nullptr};
  long here = process_id();
  Owned* owned = current.load();
  while (owned == nullptr || owned->process != here) {
    auto fresh = std::make_unique<Owned>(Owned{nullptr, here});
    auto made = std::make_unique<Pool>();
    fresh->pool = made.get();
    if (current.compare_exchange_strong(owned, fresh.get())) {
      made.release();
      owned = fresh.release();
    }
  }
  return *owned->pool;
}

}  // namespace

void run_parallel(std::size_t count, std::size_t threads,
                  const std::function<void(std::size_t)>& work) {
  threads = std::min({threads, count, kMostThreads});
  auto job = std::make_shared<Job>();
  job->work = &work;
  job->count = count;
  if (threads > 1) pool().offer(job, threads - 1);
  job->help();
  job->wait();
}

}  // namespace slm
