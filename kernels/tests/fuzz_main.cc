// The entry of libFuzzer. SLM_FUZZ_TARGET names the target.
#include "tests/fuzz_input.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  slm::fuzz::SLM_FUZZ_TARGET({data, size});
  return 0;
}
