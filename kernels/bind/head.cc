// Some rows of an output layer, and the ids of a token mask.
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>

#include <algorithm>
#include <optional>
#include <stdexcept>
#include <vector>

#include "bind/bind.h"
#include "softmax/head/gather.h"

namespace slm {
namespace {

using Tensor = nb::ndarray<nb::ro, nb::device::cpu>;
using Ids = nb::ndarray<const std::int64_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Out = nb::ndarray<float, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Mask = nb::ndarray<const std::int32_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using NewIds = nb::ndarray<nb::numpy, std::int64_t, nb::ndim<1>>;

head::Type type_of(const Tensor& tensor) {
  auto is = [&](nb::dlpack::dtype_code code, unsigned bits) {
    nb::dlpack::dtype type = tensor.dtype();
    return type.code == static_cast<std::uint8_t>(code) && type.bits == bits && type.lanes == 1;
  };
  if (is(nb::dlpack::dtype_code::Float, 32)) return head::Type::kFloat32;
  if (is(nb::dlpack::dtype_code::Bfloat, 16)) return head::Type::kBFloat16;
  throw nb::type_error("only float32 and bfloat16");
}

bool is_vector(const Tensor& tensor, std::size_t size) {
  return tensor.ndim() == 1 && tensor.shape(0) == size && (size < 2 || tensor.stride(0) == 1);
}

void gather_dot(const Tensor& weight, const Tensor& hidden, const Ids& ids,
                const std::optional<Tensor>& bias, const Out& out, std::size_t threads) {
  if (weight.ndim() != 2 || (weight.shape(1) > 1 && weight.stride(1) != 1) || weight.stride(0) < 0)
    throw nb::value_error("weight: two dimensions, the last one contiguous");
  std::size_t rows = weight.shape(0), width = weight.shape(1), count = ids.shape(0);
  head::Type type = type_of(weight);
  if (type_of(hidden) != type || (bias && type_of(*bias) != type))
    throw nb::type_error("weight, hidden and bias are of one type");
  if (!is_vector(hidden, width) || (bias && !is_vector(*bias, rows)) || out.shape(0) != count)
    throw nb::value_error("hidden, bias or out does not have the weight's shape");
  std::span<const std::int64_t> chosen(ids.data(), count);
  if (std::any_of(chosen.begin(), chosen.end(),
                  [&](std::int64_t id) { return static_cast<std::uint64_t>(id) >= rows; }))
    throw nb::index_error("an id beyond the rows of weight");
  head::Layer layer{weight.data(),
                    rows,
                    width,
                    static_cast<std::size_t>(weight.stride(0)),
                    bias ? bias->data() : nullptr,
                    type};
  nb::gil_scoped_release release;
  head::gather_dot(layer, hidden.data(), chosen, threads, out.data());
}

std::optional<NewIds> allowed_ids(const Mask& mask, std::size_t limit) {
  std::span<const std::uint32_t> words(reinterpret_cast<const std::uint32_t*>(mask.data()),
                                       mask.shape(0));
  std::size_t count = head::count_allowed(words);
  if (count > limit) return std::nullopt;
  auto* ids = new std::int64_t[count];
  nb::capsule owner(ids, [](void* all) noexcept { delete[] static_cast<std::int64_t*>(all); });
  head::allowed_ids(words, ids);
  return NewIds(ids, {count}, owner);
}

}  // namespace

void bind_head(nb::module_& m) {
  // Nothing is converted: what is written into a copy would be lost.
  m.def("gather_dot", &gather_dot, "weight"_a.noconvert(), "hidden"_a.noconvert(),
        "ids"_a.noconvert(), "bias"_a.noconvert().none(), "out"_a.noconvert(), "threads"_a = 1);
  m.def("allowed_ids", &allowed_ids, "mask"_a.noconvert(), "limit"_a);
}

}  // namespace slm
