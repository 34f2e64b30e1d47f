// The kernels as a library for tests: `slm_emulate` is a launch, by the kernel's name.
#define SLM_HOST_EMULATION
#include "../kernels.cu"

namespace {

std::string failure;

template <class Params, void (*kKernel)(Params)>
void call(const void* params) {
  kKernel(*static_cast<const Params*>(params));
}

struct Entry {
  const char* name;
  void (*run)(const void*);
};
#define SLM_ENTRY(name, params) {#name, call<slm::params, name>}
const Entry kEntries[] = {
    SLM_ENTRY(slm_sample_float32, SampleParams),
    SLM_ENTRY(slm_sample_bfloat16, SampleParams),
    SLM_ENTRY(slm_sample_float16, SampleParams),
    SLM_ENTRY(slm_sample_full_float32, SampleParams),
    SLM_ENTRY(slm_sample_full_bfloat16, SampleParams),
    SLM_ENTRY(slm_sample_full_float16, SampleParams),
    SLM_ENTRY(slm_softmax_float32_float32, SoftmaxParams),
    SLM_ENTRY(slm_softmax_bfloat16_bfloat16, SoftmaxParams),
    SLM_ENTRY(slm_softmax_bfloat16_float32, SoftmaxParams),
    SLM_ENTRY(slm_softmax_float16_float16, SoftmaxParams),
    SLM_ENTRY(slm_softmax_float16_float32, SoftmaxParams),
    SLM_ENTRY(slm_loss_float32, LossParams),
    SLM_ENTRY(slm_loss_bfloat16, LossParams),
    SLM_ENTRY(slm_loss_float16, LossParams),
    SLM_ENTRY(slm_filter_float32, FilterParams),
    SLM_ENTRY(slm_filter_bfloat16, FilterParams),
    SLM_ENTRY(slm_filter_float16, FilterParams),
    SLM_ENTRY(slm_bitmask_float32, Rows),
    SLM_ENTRY(slm_bitmask_bfloat16, Rows),
    SLM_ENTRY(slm_bitmask_float16, Rows),
};

}  // namespace

/// Null if the launch went well, else what went wrong.
extern "C" const char* slm_emulate(const char* name, const void* params, unsigned blocks,
                                   unsigned threads, unsigned shared, unsigned cluster,
                                   unsigned long long order) {
  for (const Entry& entry : kEntries) {
    if (std::string(entry.name) != name) continue;
    failure = slm::emulator::launch(entry.run, params, blocks, threads, shared, cluster, order);
    return failure.empty() ? nullptr : failure.c_str();
  }
  failure = std::string("no kernel is named ") + name;
  return failure.c_str();
}

extern "C" unsigned long long slm_size_of(const char* name) {
  const std::string wanted = name;
  if (wanted == "Rows") return sizeof(slm::Rows);
  if (wanted == "SampleParams") return sizeof(slm::SampleParams);
  if (wanted == "SoftmaxParams") return sizeof(slm::SoftmaxParams);
  if (wanted == "LossParams") return sizeof(slm::LossParams);
  if (wanted == "FilterParams") return sizeof(slm::FilterParams);
  return 0;
}
