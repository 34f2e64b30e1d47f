// The entry points. One source for nvcc (the fat binary of the wheel) and NVRTC (at first use).
//
// SLM_PART picks a part: NVRTC compiles what is asked for, which takes seconds and not a minute.
#ifndef SLM_PART
#define SLM_PART 0  // all of them
#endif
#include "bitmask.cuh"
#include "filter.cuh"
#include "loss.cuh"
#include "sample_full.cuh"
#include "softmax.cuh"

#if SLM_PART == 0 || SLM_PART == 1
#define SLM_SAMPLE(suffix, number, threads, blocks)                                      \
  SLM_KERNEL(threads, blocks) void slm_sample_##suffix(SLM_PARAMS slm::SampleParams p) { \
    slm::sample_rows<slm::number>(p);                                                    \
  }
SLM_SAMPLE(float32, Float32, 512, 1)
SLM_SAMPLE(bfloat16, BFloat16, 1024, 1)
SLM_SAMPLE(float16, Float16, 1024, 1)
#endif

#if SLM_PART == 0 || SLM_PART == 2
#define SLM_SAMPLE_FULL(suffix, number)                                              \
  SLM_KERNEL(512, 1) void slm_sample_full_##suffix(SLM_PARAMS slm::SampleParams p) { \
    slm::sample_full_rows<slm::number>(p);                                           \
  }
SLM_SAMPLE_FULL(float32, Float32)
SLM_SAMPLE_FULL(bfloat16, BFloat16)
SLM_SAMPLE_FULL(float16, Float16)
#endif

#if SLM_PART == 0 || SLM_PART == 3
// float32 holds twice the registers of a chunk: one block of 16 warps has enough loads under way.
#define SLM_SOFTMAX(name, number, out, blocks)                                       \
  SLM_KERNEL(512, blocks) void slm_softmax_##name(SLM_PARAMS slm::SoftmaxParams p) { \
    slm::softmax_rows<slm::number, slm::out>(p);                                     \
  }
SLM_SOFTMAX(float32_float32, Float32, Float32, 1)
SLM_SOFTMAX(bfloat16_bfloat16, BFloat16, BFloat16, 2)
SLM_SOFTMAX(bfloat16_float32, BFloat16, Float32, 2)
SLM_SOFTMAX(float16_float16, Float16, Float16, 2)
SLM_SOFTMAX(float16_float32, Float16, Float32, 2)
#endif

#if SLM_PART == 0 || SLM_PART == 4
#define SLM_LOSS(suffix, number, blocks)                                         \
  SLM_KERNEL(512, blocks) void slm_loss_##suffix(SLM_PARAMS slm::LossParams p) { \
    slm::loss_rows<slm::number>(p);                                              \
  }
SLM_LOSS(float32, Float32, 1)
SLM_LOSS(bfloat16, BFloat16, 1)
SLM_LOSS(float16, Float16, 1)
#endif

#if SLM_PART == 0 || SLM_PART == 2
#define SLM_FILTER(suffix, number)                                              \
  SLM_KERNEL(512, 1) void slm_filter_##suffix(SLM_PARAMS slm::FilterParams p) { \
    slm::filter_rows<slm::number>(p);                                           \
  }
SLM_FILTER(float32, Float32)
SLM_FILTER(bfloat16, BFloat16)
SLM_FILTER(float16, Float16)
#endif

#if SLM_PART == 0 || SLM_PART == 5
#define SLM_BITMASK(suffix, number)                                       \
  SLM_KERNEL(1024, 1) void slm_bitmask_##suffix(SLM_PARAMS slm::Rows p) { \
    slm::bitmask_rows<slm::number>(p);                                    \
  }
SLM_BITMASK(float32, Float32)
SLM_BITMASK(bfloat16, BFloat16)
SLM_BITMASK(float16, Float16)
#endif
