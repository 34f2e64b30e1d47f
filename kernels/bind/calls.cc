// The two calls of every token, without what a general binding and a frame of Python cost.
//
// A matcher's `fill_mask` and `accept` are builtin functions that hold its session. What is plainly
// right is done here; all else, a token that is refused, too, is Python's, which is given the same
// arguments.
#include "bind/calls.h"

#include "bind/bitmask.h"

namespace slm {
namespace {

/// What a call holds: (session, slow fill_mask, slow accept, what these want to know).
Session& session_of(PyObject* held) {
  return *nb::inst_ptr<Session>(nb::handle(PyTuple_GetItem(held, 0)));
}

/// Python's way: `slow(held, *arguments)`.
PyObject* slowly(PyObject* held, Py_ssize_t which, PyObject* const* arguments, Py_ssize_t count,
                 PyObject* names) {
  Py_ssize_t named = names == nullptr ? 0 : PyTuple_Size(names);
  nb::object all = nb::steal(PyTuple_New(count + 1));
  nb::object keywords = nb::steal(PyDict_New());
  if (!all.is_valid() || !keywords.is_valid()) return nullptr;
  PyTuple_SetItem(all.ptr(), 0, Py_NewRef(held));
  for (Py_ssize_t i = 0; i < count; ++i) {
    PyTuple_SetItem(all.ptr(), i + 1, Py_NewRef(arguments[i]));
  }
  for (Py_ssize_t i = 0; i < named; ++i) {
    if (PyDict_SetItem(keywords.ptr(), PyTuple_GetItem(names, i), arguments[count + i]) != 0) {
      return nullptr;
    }
  }
  return PyObject_Call(PyTuple_GetItem(held, which), all.ptr(), keywords.ptr());
}

enum class Done { kYes, kNotPlain, kFailed };

/// What `work` says; where it throws, Python's error is set.
template <class Work>
Done guarded(Work work) noexcept {
  try {
    return work() ? Done::kYes : Done::kNotPlain;
  } catch (...) {
    restore_error();
    return Done::kFailed;
  }
}

bool fill_plainly(PyObject* held, PyObject* const* arguments, Py_ssize_t count) {
  Session& session = session_of(held);
  Bitmask bitmask(arguments[0], session.engine().trie().words());
  if (!bitmask.plain() || bitmask.rows() == 0) return false;
  std::int64_t row = count == 2 ? plain_index(arguments[1], bitmask.rows()) : 0;
  if (row < 0) return false;
  write_mask(session, bitmask.row(static_cast<std::size_t>(row)));
  return true;
}

PyObject* fill_mask(PyObject* held, PyObject* const* arguments, Py_ssize_t count, PyObject* names) {
  Done done = Done::kNotPlain;
  if (names == nullptr && (count == 1 || count == 2)) {
    done = guarded([&] { return fill_plainly(held, arguments, count); });
  }
  if (done == Done::kNotPlain) return slowly(held, 1, arguments, count, names);
  return done == Done::kYes ? Py_NewRef(Py_None) : nullptr;
}

bool accept_plainly(PyObject* held, PyObject* token) {
  Session& session = session_of(held);
  std::int64_t id = plain_index(token, session.engine().trie().vocabulary());
  return id >= 0 && session.accept(static_cast<TokenId>(id));
}

PyObject* accept(PyObject* held, PyObject* const* arguments, Py_ssize_t count, PyObject* names) {
  Done done = Done::kNotPlain;
  if (names == nullptr && count == 1) {
    done = guarded([&] { return accept_plainly(held, arguments[0]); });
  }
  if (done == Done::kNotPlain) return slowly(held, 2, arguments, count, names);
  return done == Done::kYes ? Py_NewRef(Py_None) : nullptr;
}

}  // namespace

void restore_error() noexcept {
  try {
    throw;
  } catch (nb::python_error& error) {
    error.restore();
  } catch (const TooComplex& error) {
    try {
      raise_too_complex(error);
    } catch (nb::python_error& worse) {
      worse.restore();
    }
  } catch (const std::bad_alloc&) {
    PyErr_NoMemory();
  } catch (const std::exception& error) {
    PyErr_SetString(PyExc_RuntimeError, error.what());
  }
}

std::pair<nb::object, nb::object> quick_calls(const nb::tuple& held) {
  static PyMethodDef fill{"fill_mask", builtin(&fill_mask), METH_FASTCALL | METH_KEYWORDS,
                          "Write the mask into one row of the caller's array, in place."};
  static PyMethodDef take{"accept", builtin(&accept), METH_FASTCALL | METH_KEYWORDS,
                          "Take a token."};
  return {nb::steal(PyCFunction_NewEx(&fill, held.ptr(), nullptr)),
          nb::steal(PyCFunction_NewEx(&take, held.ptr(), nullptr))};
}

}  // namespace slm
