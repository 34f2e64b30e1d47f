// The parts of the module, one a concept; only files beside this one include nanobind.
#pragma once

#include <nanobind/nanobind.h>

#include <string_view>

#include "core/error.h"

namespace slm {

namespace nb = nanobind;
using namespace nb::literals;

inline std::string_view view(const nb::bytes& bytes) { return {bytes.c_str(), bytes.size()}; }

/// Sets Python's error.
void raise_too_complex(const TooComplex& error);

void bind_characters(nb::module_& m);
void bind_engine(nb::module_& m);
void bind_session(nb::module_& m);
void bind_front(nb::module_& m);
void bind_batch(nb::module_& m);
void bind_softmax(nb::module_& m);
void bind_head(nb::module_& m);
void bind_lower(nb::module_& m);

}  // namespace slm
