// The entry points. One source for nvcc (the fat binary of the wheel) and NVRTC (at first use).
#include "sample.cuh"
#include "softmax.cuh"

#define SLM_SAMPLE(suffix, number, way, threads, blocks)                                  \
  SLM_KERNEL(threads, blocks) void slm_sample_##suffix(SLM_PARAMS slm::SampleParams p) { \
    slm::sample_rows<slm::number, way>(p);                                               \
  }
SLM_SAMPLE(float32, Float32, 0, 512, 1)
SLM_SAMPLE(bfloat16, BFloat16, 0, 1024, 1)
SLM_SAMPLE(float16, Float16, 0, 1024, 1)
SLM_SAMPLE(float32_eager, Float32, 1, 512, 1)
SLM_SAMPLE(bfloat16_eager, BFloat16, 1, 1024, 1)
SLM_SAMPLE(float16_eager, Float16, 1, 1024, 1)
SLM_SAMPLE(bfloat16_double, BFloat16, 2, 1024, 1)
SLM_SAMPLE(bfloat16_four, BFloat16, 3, 1024, 1)
SLM_SAMPLE(bfloat16_double80, BFloat16, 2, 256, 3)

// float32 holds twice the registers of a chunk: one block of 16 warps has enough loads under way.
#define SLM_SOFTMAX(name, number, out, blocks)                                      \
  SLM_KERNEL(512, blocks) void slm_softmax_##name(SLM_PARAMS slm::SoftmaxParams p) { \
    slm::softmax_rows<slm::number, slm::out>(p);                                    \
  }
SLM_SOFTMAX(float32_float32, Float32, Float32, 1)
SLM_SOFTMAX(bfloat16_bfloat16, BFloat16, BFloat16, 2)
SLM_SOFTMAX(bfloat16_float32, BFloat16, Float32, 2)
SLM_SOFTMAX(float16_float16, Float16, Float16, 2)
SLM_SOFTMAX(float16_float32, Float16, Float32, 2)
