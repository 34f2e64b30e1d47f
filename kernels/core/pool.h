// Threads that wait for work: one pool a process.
#pragma once

#include <cstddef>
#include <functional>

namespace slm {

/// Calls `work(i)` for every i below `count`, on at most `threads` threads, this one among them.
/// Returns when all are done; the first exception that one of them threw is thrown here.
///
/// Threads are started when first needed and kept. A child of fork() has none of its parent's, and
/// starts its own. Calls from several threads share the pool.
/// Cost: a few microseconds a call more than the work, so worth it above that.
void run_parallel(std::size_t count, std::size_t threads,
                  const std::function<void(std::size_t)>& work);

}  // namespace slm
