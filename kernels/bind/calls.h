// What builtin functions of this module have in common, and more than one way to ask a session.
#pragma once

#include <cstdint>
#include <span>

#include "bind/bind.h"
#include "core/session.h"

namespace slm {

/// Writes the mask of a session: a remembered one at once, since letting go of the GIL would cost
/// more than the copy; else without the GIL.
void write_mask(Session& session, std::span<std::uint32_t> words);

/// Turns the error that is being handled into Python's. Only for use in a catch block.
void restore_error() noexcept;

using Builtin = PyObject* (*)(PyObject* held, PyObject* const* arguments, Py_ssize_t count,
                              PyObject* names);

/// A function as the tables of Python want it, with METH_FASTCALL | METH_KEYWORDS.
inline PyCFunction builtin(Builtin call) {
  return reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(call));
}

/// `fill_mask` and `accept` of a session as builtin functions. `held`: (session, the slow
/// `fill_mask`, the slow `accept`, what these want to know).
std::pair<nb::object, nb::object> quick_calls(const nb::tuple& held);

}  // namespace slm
