// The softmax kernels of CPUs, for numpy arrays and whatever gives DLPack.
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "bind/bind.h"
#include "core/pool.h"
#include "softmax/cpu/rows.h"

namespace slm {
namespace {

using namespace softmax;

/// KernelArgumentError of slm.errors: the argument's name, what was given, what is expected.
[[noreturn]] void refuse(const char* argument, const std::string& given, const char* expected) {
  nb::object type = nb::module_::import_("slm.errors").attr("KernelArgumentError");
  std::string name = argument;
  nb::object error =
      type(name + " is " + given, "argument"_a = name, "hint"_a = name + " must be " + expected);
  PyErr_SetObject(type.ptr(), error.ptr());
  throw nb::python_error();
}

/// The memory of an array, checked: on the CPU, of this rank, its last dimension contiguous.
template <class Array>
struct Memory {
  Array array;
  char* data = nullptr;
  std::size_t rows = 0, columns = 0;
  std::int64_t stride = 0;  ///< bytes

  Memory(nb::handle given, std::size_t rank, const char* argument, const char* expected) {
    if (!nb::try_cast(given, array)) {
      refuse(argument, "no array in CPU memory that can be used as it is", expected);
    }
    const bool on_cpu = array.device_type() == nb::device::cpu::value ||
                        array.device_type() == nb::device::cuda_host::value;
    if (!on_cpu || array.ndim() != rank) refuse(argument, shape(), expected);
    data = const_cast<char*>(static_cast<const char*>(static_cast<const void*>(array.data())));
    rows = rank == 2 ? array.shape(0) : 1;
    columns = array.shape(rank - 1);
    stride = rank == 2 ? array.stride(0) * static_cast<std::int64_t>(array.itemsize()) : 0;
    if (rows == 0 || columns == 0) return;
    if ((columns > 1 && array.stride(rank - 1) != 1) ||
        reinterpret_cast<std::uintptr_t>(data) % array.itemsize() != 0) {
      refuse(argument, "not contiguous in its last dimension, or not aligned", expected);
    }
  }

  bool is(nb::dlpack::dtype_code code, int bits) const {
    auto type = array.dtype();
    return type.code == static_cast<std::uint8_t>(code) && type.bits == bits && type.lanes == 1;
  }
  char* row(std::size_t i) const { return data + static_cast<std::int64_t>(i) * stride; }
  std::string shape() const {
    std::string text = "of shape (";
    for (std::size_t i = 0; i < array.ndim(); ++i) {
      text += (i > 0 ? ", " : "") + std::to_string(array.shape(i));
    }
    return text + ")";
  }
};

using Input = Memory<nb::ndarray<nb::ro>>;
using Output = Memory<nb::ndarray<>>;
using Code = nb::dlpack::dtype_code;

/// bfloat16 has no type in numpy: 16-bit whole numbers are its bits.
template <class Array>
Dtype dtype_of(const Memory<Array>& memory, const char* argument, const char* expected) {
  if (memory.is(Code::Float, 32)) return Dtype::f32;
  if (memory.is(Code::Float, 16)) return Dtype::f16;
  if (memory.is(Code::Bfloat, 16) || memory.is(Code::UInt, 16)) return Dtype::bf16;
  refuse(argument, "of another dtype", expected);
}

/// A number for every row, or one a row.
template <class T, Code kCode>
class Column {
 public:
  Column(nb::handle given, std::size_t rows, const char* argument, T absent) : value_(absent) {
    if (given.is_none()) return;
    // Before arrays: numpy's numbers are both.
    if (PyFloat_Check(given.ptr()) || PyLong_Check(given.ptr())) {
      if (nb::try_cast(given, value_)) return;
      if constexpr (std::is_integral_v<T>) {
        std::uint64_t bits;
        if (nb::try_cast(given, bits)) {
          value_ = static_cast<T>(bits);
          return;
        }
      }
      refuse(argument, "out of range", "a number, or an array of one a row");
    }
    const char* expected = "a number, or a contiguous array of one a row, of the kernel's dtype";
    memory_.emplace(given, 1, argument, expected);
    if (!memory_->is(kCode, 8 * sizeof(T)) || memory_->columns != rows) {
      refuse(argument, memory_->shape() + " or of another dtype", expected);
    }
  }
  T operator[](std::size_t row) const {
    return memory_ ? reinterpret_cast<const T*>(memory_->data)[row] : value_;
  }

 private:
  T value_;
  std::optional<Input> memory_;
};
using Floats = Column<float, Code::Float>;
using Ints = Column<std::int32_t, Code::Int>;
using Longs = Column<std::int64_t, Code::Int>;

/// A Python number keeps the precision of a double; an array has floats.
class Reals {
 public:
  Reals(nb::handle given, std::size_t rows, const char* argument, double absent)
      : number_(absent),
        column_(plain(given) ? nb::none() : nb::borrow(given), rows, argument, 0),
        rows_(!given.is_none() && !plain(given)) {
    if (plain(given)) number_ = nb::cast<double>(given);
  }
  double operator[](std::size_t row) const { return rows_ ? column_[row] : number_; }

 private:
  static bool plain(nb::handle given) {
    return PyFloat_Check(given.ptr()) || PyLong_Check(given.ptr());
  }
  double number_;
  Floats column_;
  bool rows_;
};

/// Logits and their masks.
class Batch {
 public:
  Batch(nb::handle logits, nb::handle bitmask, nb::handle mask_index, std::size_t limit)
      : logits(logits, 2, "logits", kLogits),
        dtype(dtype_of(this->logits, "logits", kLogits)),
        index_(mask_index, this->logits.rows, "mask_index", 0),
        indexed_(!mask_index.is_none()),
        limit_(limit) {
    if (limit > this->logits.columns)
      refuse("limit", std::to_string(limit), "at most padded_vocab");
    if (bitmask.is_none()) return;
    masks_.emplace(bitmask, 2, "bitmask", kMask);
    if (!masks_->is(Code::Int, 32)) refuse("bitmask", "of another dtype", kMask);
    if (masks_->columns < (limit + 31) / 32) {
      refuse("bitmask", masks_->shape(), "wide enough for every id below the limit");
    }
    if (!indexed_ && masks_->rows != this->logits.rows) {
      refuse("bitmask", masks_->shape(), "of as many rows as the logits, without mask_index");
    }
  }

  std::size_t rows() const { return logits.rows; }
  std::size_t width() const { return logits.columns; }
  Row operator[](std::size_t i) const {
    Row row{logits.row(i), dtype, nullptr, limit_};
    if (!masks_) return row;
    std::int64_t at = indexed_ ? index_[i] : static_cast<std::int64_t>(i);
    if (at == -1) return row;
    if (at < 0 || at >= static_cast<std::int64_t>(masks_->rows)) {
      row.limit = 0;  // no such mask: nothing is legal
      return row;
    }
    row.mask = reinterpret_cast<const std::uint32_t*>(masks_->row(static_cast<std::size_t>(at)));
    return row;
  }

  Input logits;
  Dtype dtype;

 private:
  static constexpr const char* kLogits =
      "float32, bfloat16 or float16 (batch, padded_vocab), its rows contiguous, in CPU memory";
  static constexpr const char* kMask =
      "int32 (masks, words), its rows contiguous; token t is bit t % 32 of word t // 32";
  Ints index_;
  bool indexed_;
  std::size_t limit_;
  std::optional<Input> masks_;
};

/// A matrix of the logits' shape that is written.
Output output_like(const Batch& batch, nb::handle given, const char* argument) {
  const char* expected = "writable, of the logits' shape, its rows contiguous and apart";
  Output out(given, 2, argument, expected);
  const auto apart = static_cast<std::int64_t>(out.columns * out.array.itemsize());
  if (out.rows != batch.rows() || out.columns != batch.width() ||
      (out.rows > 1 && out.stride < apart)) {
    refuse(argument, out.shape(), expected);
  }
  return out;
}

/// A vector of one number a row that is written.
template <class T>
T* column_like(const Batch& batch, std::vector<Output>& kept, nb::handle given,
               const char* argument) {
  const char* expected = "writable, one number a row, of the kernel's dtype";
  Output out(given, 1, argument, expected);
  if (out.columns != batch.rows() || out.array.itemsize() != sizeof(T)) {
    refuse(argument, out.shape(), expected);
  }
  kept.push_back(out);
  return reinterpret_cast<T*>(out.data);
}

const Passes& passes_of(const std::string& isa) {
  if (isa.empty()) return best_passes();
  const Passes* found = passes_by_name(isa.c_str());
  if (found == nullptr) refuse("isa", isa, "one of softmax_isas()");
  return *found;
}

/// Calls `work(space, i)` for every row, without the GIL. Threads cost more than a few rows do.
template <class F>
void for_rows(const Batch& batch, std::size_t threads, F work) {
  nb::gil_scoped_release release;
  auto one = [&](std::size_t i) {
    static thread_local Workspace space;
    work(space, i);
  };
  const std::size_t rows = batch.rows();
  if (threads > 1 && rows >= 4 && rows * batch.width() >= (std::size_t{1} << 18)) {
    run_parallel(rows, threads, one);
  } else {
    for (std::size_t i = 0; i < rows; ++i) one(i);
  }
}

void masked_softmax(nb::handle logits, nb::handle bitmask, nb::handle mask_index,
                    nb::handle temperature, std::size_t limit, nb::handle out, bool log,
                    std::size_t threads, const std::string& isa) {
  const Batch batch(logits, bitmask, mask_index, limit);
  const Reals temperatures(temperature, batch.rows(), "temperature", 1);
  const Output to = output_like(batch, out, "out");
  const Dtype dtype = dtype_of(to, "out", "float32, bfloat16 or float16");
  const Passes& passes = passes_of(isa);
  for_rows(batch, threads, [&](Workspace& space, std::size_t i) {
    softmax_row(passes, space, batch[i], batch.width(), temperatures[i], log, dtype, to.row(i));
  });
}

void masked_sample(nb::handle logits, nb::handle bitmask, nb::handle mask_index,
                   nb::handle temperature, nb::handle top_k, nb::handle top_p, nb::handle min_p,
                   nb::handle seed, nb::handle position, bool gumbel, std::size_t limit,
                   nb::handle token, nb::handle logprob, nb::handle lse, nb::handle mass,
                   nb::handle status, std::size_t threads, const std::string& isa) {
  const Batch batch(logits, bitmask, mask_index, limit);
  const std::size_t rows = batch.rows();
  const Reals temperatures(temperature, rows, "temperature", 1);
  const Ints top_ks(top_k, rows, "top_k", 0);
  const Reals top_ps(top_p, rows, "top_p", 1), min_ps(min_p, rows, "min_p", 0);
  const Longs seeds(seed, rows, "seed", 0), positions(position, rows, "position", 0);
  std::vector<Output> kept;
  auto* tokens = column_like<std::int64_t>(batch, kept, token, "token");
  auto* logprobs = column_like<float>(batch, kept, logprob, "logprob");
  auto* sums = column_like<float>(batch, kept, lse, "lse");
  auto* masses = mass.is_none() ? nullptr : column_like<float>(batch, kept, mass, "log_legal_mass");
  auto* states = column_like<std::uint8_t>(batch, kept, status, "status");
  const Passes& passes = passes_of(isa);
  for_rows(batch, threads, [&](Workspace& space, std::size_t i) {
    Draw draw;
    draw.temperature = temperatures[i];
    draw.top_k = top_ks[i];
    draw.top_p = top_ps[i];
    draw.min_p = min_ps[i];
    draw.gumbel = gumbel;
    draw.seed = static_cast<std::uint64_t>(seeds[i]);
    draw.position = static_cast<std::uint64_t>(positions[i]);
    draw.mass = masses != nullptr;
    Drawn drawn = sample_row(passes, space, batch[i], draw);
    tokens[i] = drawn.token;
    logprobs[i] = static_cast<float>(drawn.logprob);
    sums[i] = static_cast<float>(drawn.lse);
    if (masses != nullptr) masses[i] = static_cast<float>(drawn.log_mass);
    states[i] = drawn.status;
  });
}

void masked_cross_entropy(nb::handle logits, nb::handle target, nb::handle bitmask,
                          nb::handle mask_index, nb::handle weight, std::int64_t ignore_index,
                          double legality_weight, std::size_t limit, nb::handle grad,
                          nb::handle loss, nb::handle mass, nb::handle status, std::size_t threads,
                          const std::string& isa) {
  const Batch batch(logits, bitmask, mask_index, limit);
  const std::size_t rows = batch.rows();
  const Longs targets(target, rows, "target", ignore_index);
  const Floats weights(weight, rows, "weight", 1);
  std::vector<Output> kept;
  auto* losses = column_like<float>(batch, kept, loss, "loss");
  auto* masses = column_like<float>(batch, kept, mass, "log_legal_mass");
  auto* states = column_like<std::uint8_t>(batch, kept, status, "status");
  std::optional<Output> to;
  if (!grad.is_none()) {
    to.emplace(output_like(batch, grad, "grad"));
    if (dtype_of(*to, "grad", "of the logits' dtype") != batch.dtype) {
      refuse("grad", "of another dtype", "of the logits' dtype");
    }
  }
  const Passes& passes = passes_of(isa);
  for_rows(batch, threads, [&](Workspace& space, std::size_t i) {
    const bool ignored = targets[i] == ignore_index;
    Loss made =
        cross_entropy_row(passes, space, batch[i], batch.width(), targets[i],
                          ignored ? 0 : weights[i], legality_weight, to ? to->row(i) : nullptr);
    losses[i] = static_cast<float>(made.loss);
    masses[i] = static_cast<float>(made.log_mass);
    states[i] = ignored ? made.status & static_cast<std::uint8_t>(~kIllegal) : made.status;
  });
}

void apply_bitmask(nb::handle logits, nb::handle bitmask, nb::handle mask_index, std::size_t limit,
                   std::size_t threads, const std::string& isa) {
  const Batch batch(logits, bitmask, mask_index, limit);
  const Output to = output_like(batch, logits, "logits");
  const Passes& passes = passes_of(isa);
  for_rows(batch, threads, [&](Workspace&, std::size_t i) {
    apply_row(passes, batch[i], batch.width(), to.row(i));
  });
}

using Vector = nb::ndarray<const float, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Words = nb::ndarray<const std::int32_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

/// One row's token: (token, the model's log-probability of it, P(legal), legal tokens); token -1
/// where no legal one is above -inf. `penalised` are the logits that the draw sees, if others.
std::tuple<std::int64_t, double, double, std::size_t> choose(
    Vector logits, std::optional<Vector> penalised, std::optional<Words> mask, std::size_t size,
    double temperature, std::int64_t top_k, double top_p, double min_p, double uniform,
    bool likelihoods, const std::string& isa) {
  const std::size_t words = (size + 31) / 32;
  if (logits.shape(0) < size || (penalised && penalised->shape(0) < size)) {
    refuse("logits", "too short", "as long as the vocabulary");
  }
  if (mask && mask->shape(0) < words) refuse("mask", "too short", "as long as the vocabulary");
  const Passes& passes = passes_of(isa);
  nb::gil_scoped_release release;
  static thread_local Workspace space;
  Row row{logits.data(), Dtype::f32, nullptr, size};
  if (mask) row.mask = reinterpret_cast<const std::uint32_t*>(mask->data());
  Row seen = row;
  if (penalised) seen.logits = penalised->data();
  Draw draw;
  draw.temperature = temperature;
  draw.top_k = top_k;
  draw.top_p = top_p;
  draw.min_p = min_p;
  draw.uniform = uniform;
  draw.mass = likelihoods && !penalised;
  Drawn drawn = sample_row(passes, space, seen, draw);
  if (likelihoods && penalised && drawn.token >= 0)
    drawn = likelihood(passes, space, row, drawn.token);
  std::size_t legal = size;
  if (mask && size > 0) {
    std::uint32_t last = row.mask[words - 1];
    if (size % 32 != 0) last &= (1u << size % 32) - 1;
    legal = passes.count(row.mask, words - 1) + passes.count(&last, 1);
  }
  return {drawn.token, drawn.model_logprob, std::exp(drawn.log_mass), legal};
}

std::vector<std::string> softmax_isas() {
  std::vector<std::string> names;
  for (const char* name : {"avx512", "avx2", "neon", "plain"}) {
    if (passes_by_name(name) != nullptr) names.emplace_back(name);
  }
  return names;
}

}  // namespace

void bind_softmax(nb::module_& m) {
  m.def("masked_softmax", &masked_softmax, "logits"_a, "bitmask"_a.none(), "mask_index"_a.none(),
        "temperature"_a, "limit"_a, "out"_a, "log"_a, "threads"_a, "isa"_a);
  m.def("masked_sample", &masked_sample, "logits"_a, "bitmask"_a.none(), "mask_index"_a.none(),
        "temperature"_a, "top_k"_a.none(), "top_p"_a.none(), "min_p"_a.none(), "seed"_a,
        "position"_a, "gumbel"_a, "limit"_a, "token"_a, "logprob"_a, "lse"_a,
        "log_legal_mass"_a.none(), "status"_a, "threads"_a, "isa"_a);
  m.def("masked_cross_entropy", &masked_cross_entropy, "logits"_a, "target"_a, "bitmask"_a.none(),
        "mask_index"_a.none(), "weight"_a.none(), "ignore_index"_a, "legality_weight"_a, "limit"_a,
        "grad"_a.none(), "loss"_a, "log_legal_mass"_a, "status"_a, "threads"_a, "isa"_a);
  m.def("apply_bitmask", &apply_bitmask, "logits"_a, "bitmask"_a.none(), "mask_index"_a.none(),
        "limit"_a, "threads"_a, "isa"_a);
  m.def("choose", &choose, "logits"_a, "penalised"_a.none(), "mask"_a.none(), "size"_a,
        "temperature"_a, "top_k"_a, "top_p"_a, "min_p"_a, "uniform"_a, "likelihoods"_a,
        "isa"_a = "");
  m.def("softmax_isas", &softmax_isas);
}

}  // namespace slm
