// The Python face of the core.
#include <nanobind/stl/string.h>

#include "bind/bind.h"
#include "bind/schema.h"
#include "core/error.h"

namespace slm {

void raise_too_complex(const TooComplex& error) {
  nb::object type = nb::module_::import_("slm.errors").attr("GrammarTooComplex");
  nb::object value = type(error.what(), "hint"_a = "simplify the grammar, or lower its bounds");
  PyErr_SetObject(type.ptr(), value.ptr());
}

}  // namespace slm

NB_MODULE(_native, m) {
  using namespace slm;
  nb::set_leak_warnings(false);  // a test runner may keep matchers past the interpreter's end
  m.doc() = "The native mask engine. Use it through slm.mask.";
  nb::register_exception_translator([](const std::exception_ptr& thrown, void*) {
    try {
      std::rethrow_exception(thrown);
    } catch (const TooComplex& error) {
      raise_too_complex(error);
    }
  });
  nb::exception<NoText>(m, "NoText");
  bind_schema(m);  // before what takes its programs
  bind_characters(m);
  bind_engine(m);
  bind_session(m);
  bind_front(m);
  bind_batch(m);
  bind_softmax(m);
  bind_head(m);
  bind_lower(m);
}
