// Tests of the sparse head's kernel: against float64, at every edge, on several threads.
#include <bit>
#include <cmath>
#include <random>
#include <vector>

#include "softmax/head/gather.h"
#include "tests/check.h"

namespace {

using namespace slm::head;

float of_bits(std::uint16_t x) { return std::bit_cast<float>(static_cast<std::uint32_t>(x) << 16); }

void dot_products_are_right(Instructions use) {
  std::mt19937 random(0);
  std::uniform_real_distribution<float> number(-1, 1);
  for (std::size_t width : {1u, 2u, 63u, 64u, 65u, 130u, 896u}) {
    std::size_t rows = 40, stride = width + 5;
    // Exactly as long as promised: a read past an end is the sanitizer's to see.
    std::vector<float> weight((rows - 1) * stride + width), x(width), bias(rows);
    std::vector<std::uint16_t> narrow(weight.size()), narrow_x(width), narrow_bias(rows);
    auto fill = [&](std::vector<float>& wide, std::vector<std::uint16_t>& half) {
      for (std::size_t i = 0; i < wide.size(); ++i) {
        half[i] = static_cast<std::uint16_t>(std::bit_cast<std::uint32_t>(number(random)) >> 16);
        wide[i] = of_bits(half[i]);
      }
    };
    fill(weight, narrow), fill(x, narrow_x), fill(bias, narrow_bias);
    std::vector<std::int64_t> ids{0, 1, 7, 7, 39};
    std::vector<float> wide(ids.size()), half(ids.size());
    gather_dot({weight.data(), rows, width, stride, bias.data(), Type::kFloat32}, x.data(), ids, 1,
               wide.data(), use);
    gather_dot({narrow.data(), rows, width, stride, narrow_bias.data(), Type::kBFloat16},
               narrow_x.data(), ids, 3, half.data(), use);
    for (std::size_t i = 0; i < ids.size(); ++i) {
      auto row = static_cast<std::size_t>(ids[i]);
      double sum = bias[row], size = std::abs(bias[row]);
      for (std::size_t j = 0; j < width; ++j) {
        double term = double{weight[row * stride + j]} * x[j];
        sum += term, size += std::abs(term);
      }
      CHECK(std::abs(wide[i] - sum) <= 1e-6 * size);
      CHECK(std::abs(half[i] - sum) <= size / 256);
      CHECK((std::bit_cast<std::uint32_t>(half[i]) & 0xffffu) == 0);
    }
  }
}

void threads_change_nothing() {
  std::mt19937 random(1);
  std::uniform_real_distribution<float> number(-1, 1);
  std::size_t rows = 4000, width = 300;
  std::vector<float> weight(rows * width), x(width);
  for (float& one : weight) one = number(random);
  for (float& one : x) one = number(random);
  std::vector<std::int64_t> ids;
  for (std::size_t i = 0; i < rows; i += 2) ids.push_back(static_cast<std::int64_t>(i));
  Layer layer{weight.data(), rows, width, width, nullptr, Type::kFloat32};
  std::vector<float> one(ids.size()), many(ids.size());
  gather_dot(layer, x.data(), ids, 1, one.data());
  for (std::size_t threads : {0u, 2u, 5u, 64u}) {
    gather_dot(layer, x.data(), ids, threads, many.data());
    CHECK(one == many);
  }
  gather_dot(layer, x.data(), {}, 4, nullptr);
}

void ids_are_the_bits() {
  std::vector<std::uint32_t> mask{0x80000001u, 0, 0x6u, 0xffffffffu};
  std::vector<std::int64_t> ids(40, -1);
  CHECK(count_allowed(mask) == 36 && count_allowed({}) == 0);
  allowed_ids(mask, ids.data());
  CHECK(ids[0] == 0 && ids[1] == 31 && ids[2] == 65 && ids[3] == 66 && ids[4] == 96);
  CHECK(ids[35] == 127 && ids[36] == -1);
}

}  // namespace

int main() {
  for (Instructions use : {Instructions::kPortable, Instructions::kAvx2, Instructions::kAvx512})
    if (use <= best_instructions()) dot_products_are_right(use);
  threads_change_nothing();
  ids_are_the_bits();
  if (slm::tests::failures == 0) std::printf("all head tests passed\n");
  return slm::tests::failures == 0 ? 0 : 1;
}
