// Which table of loops this processor runs.
#include <cstring>

#include "softmax/cpu/passes.h"

namespace slm::softmax {

namespace plain {
extern const Passes kPasses;
}
#if defined(SLM_HAVE_AVX2)
namespace avx2 {
extern const Passes kPasses;
}
namespace avx512 {
extern const Passes kPasses;
}
#endif
#if defined(SLM_HAVE_NEON)
namespace neon {
extern const Passes kPasses;
}
#endif

namespace {

struct Choice {
  const Passes* passes;
  bool runs;
};

/// From the widest to what runs everywhere. The compiler's run-time check asks the processor, and
/// the operating system for the registers.
template <class F>
const Passes* first(F wanted) noexcept {
#if defined(SLM_HAVE_AVX2)
  __builtin_cpu_init();
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
                    __builtin_cpu_supports("f16c") && __builtin_cpu_supports("popcnt");
  const bool avx512 = avx2 && __builtin_cpu_supports("avx512f") &&
                      __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
                      __builtin_cpu_supports("avx512vl");
  const Choice choices[] = {
      {&avx512::kPasses, avx512}, {&avx2::kPasses, avx2}, {&plain::kPasses, true}};
#elif defined(SLM_HAVE_NEON)
  const Choice choices[] = {{&neon::kPasses, true}, {&plain::kPasses, true}};
#else
  const Choice choices[] = {{&plain::kPasses, true}};
#endif
  for (const Choice& choice : choices) {
    if (choice.runs && wanted(*choice.passes)) return choice.passes;
  }
  return nullptr;
}

}  // namespace

const Passes& best_passes() noexcept {
  static const Passes* best = first([](const Passes&) { return true; });
  return *best;
}

const Passes* passes_by_name(const char* name) noexcept {
  return first([&](const Passes& passes) { return std::strcmp(passes.name, name) == 0; });
}

}  // namespace slm::softmax
