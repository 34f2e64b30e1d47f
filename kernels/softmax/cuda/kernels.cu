// The entry points. One source for nvcc (the fat binary of the wheel) and NVRTC (at first use).
#include "sample.cuh"

SLM_KERNEL void slm_sample_float32(SLM_PARAMS slm::SampleParams p) { slm::sample_rows<slm::Float32>(p); }
SLM_KERNEL void slm_sample_bfloat16(SLM_PARAMS slm::SampleParams p) { slm::sample_rows<slm::BFloat16>(p); }
SLM_KERNEL void slm_sample_float16(SLM_PARAMS slm::SampleParams p) { slm::sample_rows<slm::Float16>(p); }
