// From a schema to its first mask in three calls, without what bindings and frames of Python cost.
//
// Where the caches are cold a frame of Python is some microseconds, and a small schema's first mask
// is not much more. So what `slm.json_schema`, `slm.compile` and `CompiledGrammar.matcher` do in
// the plain case is done here, with the very objects that they would make; what is not plainly
// right is None, and Python's. `slm/decode/quick.py` is the other end.
#include <nanobind/stl/shared_ptr.h>

#include "bind/calls.h"
#include "bind/engine.h"
#include "bind/environment.h"
#include "bind/schema.h"

namespace slm {
namespace {

/// The names of the attributes that are set and read here, made once and for ever.
struct Names {
  PyObject* twin = name("_twin");
  PyObject* schema = name("schema");
  PyObject* is_json = name("is_json");
  PyObject* compiled = name("_compiled");
  PyObject* of = name("_of");
  PyObject* vocabulary = name("_vocabulary");
  PyObject* memory = name("_memory");
  PyObject* native = name("_native");
  PyObject* new_matcher = name("_new_matcher");
  PyObject* engine_name = name("_engine_name");
  PyObject* grammar = name("_grammar");
  PyObject* engine = name("_engine");
  PyObject* bare = name("_bare");
  PyObject* made = name("_made");
  PyObject* fill_mask = name("fill_mask");
  PyObject* accept = name("accept");
  PyObject* native_engine = name("native");

 private:
  static PyObject* name(const char* text) { return PyUnicode_InternFromString(text); }
};

const Names& names() {
  static const Names made;
  return made;
}

/// An object of a class written in Python, as `object.__new__` makes it.
class Object {
 public:
  explicit Object(PyObject* type)
      : object_(nb::steal(PyType_GenericAlloc(reinterpret_cast<PyTypeObject*>(type), 0))) {
    if (!object_.is_valid()) throw nb::python_error();
  }
  /// As `object.__setattr__` does it.
  Object& with(PyObject* name, nb::handle value) {
    if (PyObject_GenericSetAttr(object_.ptr(), name, value.ptr()) != 0) throw nb::python_error();
    return *this;
  }
  PyObject* release() { return object_.release().ptr(); }
  nb::handle get() const { return object_; }

 private:
  nb::object object_;
};

/// As `object.__getattribute__`; nothing where there is none of the name.
nb::object attribute(PyObject* object, PyObject* name) {
  nb::object found = nb::steal(PyObject_GenericGetAttr(object, name));
  if (!found.is_valid()) PyErr_Clear();
  return found;
}

PyObject* part(PyObject* held, Py_ssize_t at) { return PyTuple_GetItem(held, at); }

bool is_exactly(PyObject* object, PyObject* type) {
  return reinterpret_cast<PyObject*>(Py_TYPE(object)) == type;
}

/// What `work` returns, a new reference; where it throws, Python's error is set.
template <class Work>
PyObject* guarded(Work work) noexcept {
  try {
    return work();
  } catch (...) {
    restore_error();
    return nullptr;
  }
}

PyObject* none() { return Py_NewRef(Py_None); }

/// Held: (Spec, Twin, answer). A schema, a dict, with the options that nobody chose.
PyObject* plain_spec(PyObject* held, PyObject* schema) {
  return guarded([&]() -> PyObject* {
    if (!PyDict_CheckExact(schema)) return none();
    nb::object twin = compile_schema(part(held, 1), schema, part(held, 2));
    if (PyUnicode_CheckExact(twin.ptr())) return none();
    return Object(part(held, 0))
        .with(names().twin, twin)
        .with(names().schema, schema)
        .with(names().is_json, Py_True)
        .release();
  });
}

/// The ends of a vocabulary, from a list of ints.
std::vector<TokenId> ends_of(PyObject* list) {
  std::vector<TokenId> ends(static_cast<std::size_t>(PyList_Size(list)));
  for (std::size_t at = 0; at < ends.size(); ++at) {
    PyObject* id = PyList_GetItem(list, static_cast<Py_ssize_t>(at));
    ends[at] = static_cast<TokenId>(PyLong_AsLong(id));
  }
  return ends;
}

/// Held: (Spec, CompiledGrammar, vocabularies, what makes matchers, the memory that nobody chose).
/// A spec that `plain_spec` made and nobody has compiled yet, and a vocabulary that is known: by
/// its id, (what gives it while it lives, tables, ends).
PyObject* plain_compile(PyObject* held, PyObject* const* arguments, Py_ssize_t count,
                        PyObject* keywords) {
  return guarded([&]() -> PyObject* {
    if (count != 2 || keywords != nullptr) return none();
    PyObject *spec = arguments[0], *vocabulary = arguments[1], *memory = part(held, 4);
    if (!is_exactly(spec, part(held, 0)) || wanted_engine() != WantedEngine::kAny) return none();
    nb::object twin = attribute(spec, names().twin);
    if (!twin.is_valid()) return none();
    nb::object compiled = attribute(spec, names().compiled);
    if (!compiled.is_valid() || PyTuple_Size(compiled.ptr()) != 0) return none();
    nb::object id = nb::steal(PyLong_FromVoidPtr(vocabulary));
    nb::object known = nb::borrow(PyDict_GetItemWithError(part(held, 2), id.ptr()));
    if (!known.is_valid()) return PyErr_Occurred() != nullptr ? nullptr : none();
    nb::object alive = nb::steal(PyObject_CallNoArgs(part(known.ptr(), 0)));
    if (alive.ptr() != vocabulary) return alive.is_valid() ? none() : nullptr;

    auto tables = nb::cast<std::shared_ptr<VocabularyTables>>(nb::handle(part(known.ptr(), 1)));
    std::shared_ptr<EngineSource> made;
    try {
      made = make_schema_engine(*nb::inst_ptr<SchemaProgram>(twin), std::move(tables),
                                ends_of(part(known.ptr(), 2)), PyLong_AsSize_t(memory));
    } catch (const NoText&) {
      return none();  // Python knows the rule to blame
    }
    Object grammar(part(held, 1));
    grammar.with(names().of, twin)
        .with(names().vocabulary, vocabulary)
        .with(names().memory, memory)
        .with(names().native, nb::cast(std::move(made)))
        .with(names().new_matcher, part(held, 3))
        .with(names().engine_name, names().native_engine)
        .with(names().grammar, Py_None)
        .with(names().engine, Py_None);
    nb::object row = nb::steal(PyTuple_Pack(3, grammar.get().ptr(), Py_None, memory));
    nb::object rows = nb::steal(PyTuple_Pack(1, row.ptr()));
    if (PyObject_GenericSetAttr(spec, names().compiled, rows.ptr()) != 0) return nullptr;
    return grammar.release();
  });
}

/// Held: (QuickMatcher, the slow `fill_mask`, the slow `accept`). A compiled grammar, and a session
/// of it unless it is a new one.
PyObject* new_matcher(PyObject* held, PyObject* const* arguments, Py_ssize_t count,
                      PyObject* keywords) {
  return guarded([&]() -> PyObject* {
    if ((count != 1 && count != 2) || keywords != nullptr) {
      throw nb::type_error("a compiled grammar, and perhaps a session of it");
    }
    nb::handle compiled = arguments[0];
    nb::object session;
    if (count == 2) {
      session = nb::borrow(arguments[1]);
    } else {
      nb::object engine = attribute(compiled.ptr(), names().native);
      if (!engine.is_valid()) throw nb::type_error("not a compiled grammar");
      session = nb::cast(Session(nb::cast<std::shared_ptr<EngineSource>>(engine)));
    }
    nb::tuple kept = nb::steal<nb::tuple>(
        PyTuple_Pack(4, session.ptr(), part(held, 1), part(held, 2), compiled.ptr()));
    auto [fill_mask, accept] = quick_calls(kept);
    return Object(part(held, 0))
        .with(names().compiled, compiled)
        .with(names().bare, session)
        .with(names().made, Py_None)
        .with(names().fill_mask, fill_mask)
        .with(names().accept, accept)
        .release();
  });
}

nb::object holding(PyMethodDef& definition, const nb::tuple& held, std::size_t parts) {
  if (nb::len(held) != parts) throw std::invalid_argument("not what the call has to hold");
  return nb::steal(PyCFunction_NewEx(&definition, held.ptr(), nullptr));
}

}  // namespace

void bind_front(nb::module_& m) {
  static PyMethodDef spec{"plain_spec", &plain_spec, METH_O,
                          "The spec of a schema; None where that is not plain."};
  static PyMethodDef compile{"plain_compile", builtin(&plain_compile),
                             METH_FASTCALL | METH_KEYWORDS,
                             "A spec for a vocabulary; None where that is not plain."};
  static PyMethodDef matcher{"new_matcher", builtin(&new_matcher), METH_FASTCALL | METH_KEYWORDS,
                             "A matcher whose two calls of every token are C++."};
  m.def("plain_spec", [](nb::tuple held) { return holding(spec, held, 3); }, "held"_a);
  m.def("plain_compile", [](nb::tuple held) { return holding(compile, held, 5); }, "held"_a);
  m.def("new_matcher", [](nb::tuple held) { return holding(matcher, held, 3); }, "held"_a);
}

}  // namespace slm
