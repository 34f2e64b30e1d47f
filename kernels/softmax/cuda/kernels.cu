// The entry points. One source for nvcc (the fat binary of the wheel) and NVRTC (at first use).
#include "sample.cuh"

#define SLM_SAMPLE(suffix, number, ...)                                  \
  SLM_KERNEL void slm_sample_##suffix(SLM_PARAMS slm::SampleParams p) { \
    slm::sample_rows<slm::number, __VA_ARGS__>(p);                      \
  }
SLM_SAMPLE(float32, Float32, false)
SLM_SAMPLE(bfloat16, BFloat16, false)
SLM_SAMPLE(float16, Float16, false)
SLM_SAMPLE(float32_eager, Float32, true)
SLM_SAMPLE(bfloat16_eager, BFloat16, true)
SLM_SAMPLE(float16_eager, Float16, true)
