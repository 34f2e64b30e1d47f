#include "bind/bitmask.h"

namespace slm {
namespace {

/// numpy.ndarray; null where there is no numpy.
PyObject* array_type() {
  static PyObject* type = [] {
    PyObject* numpy = PyImport_ImportModule("numpy");
    PyObject* found = numpy == nullptr ? nullptr : PyObject_GetAttrString(numpy, "ndarray");
    Py_XDECREF(numpy);
    PyErr_Clear();
    return found;
  }();
  return type;
}

bool is_int32(const Py_buffer& buffer) {
  if (buffer.itemsize != 4 || buffer.format == nullptr) return false;
  const char* format = buffer.format;
  return (format[0] == 'i' || format[0] == 'l') && format[1] == '\0';  // native byte order
}

}  // namespace

Bitmask::Bitmask(nanobind::handle array, std::size_t words) {
  if (reinterpret_cast<PyObject*>(Py_TYPE(array.ptr())) != array_type()) return;
  if (PyObject_GetBuffer(array.ptr(), &buffer_, PyBUF_STRIDES | PyBUF_FORMAT | PyBUF_WRITABLE)) {
    PyErr_Clear();  // read-only
    return;
  }
  held_ = true;
  plain_ = buffer_.ndim == 2 && is_int32(buffer_) &&
           static_cast<std::size_t>(buffer_.shape[1]) == words &&
           (buffer_.strides[1] == 4 || words == 1) && buffer_.strides[0] % 4 == 0 &&
           reinterpret_cast<std::uintptr_t>(buffer_.buf) % 4 == 0;
}

Bitmask::~Bitmask() {
  if (held_) PyBuffer_Release(&buffer_);
}

}  // namespace slm
