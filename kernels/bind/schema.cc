#include "bind/schema.h"

#include <nanobind/stl/optional.h>
#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <string_view>
#include <unordered_map>

#include "bind/environment.h"
#include "schema/compile.h"
#include "schema/written_out.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace slm {
namespace {

using schema::Deferred;
using schema::Value;
using Kind = Value::Kind;

constexpr int kMaxDepth = 900;  // of values; deeper ones are Python's business

/// Copies a Python value into a document.
///
/// Only the very types that `json.loads` makes are read: what a subclass means, Python knows.
class Copier {
 public:
  explicit Copier(schema::Arena& arena) : arena_(arena) {}

  const Value* copy(PyObject* object, int depth) {
    if (depth > kMaxDepth) throw Deferred("the schema is nested too deep");
    if (PyUnicode_CheckExact(object)) return arena_.make<Value>(Value::of_text(text(object)));
    if (PyDict_CheckExact(object)) return container(object, depth, &Copier::dict);
    if (PyList_CheckExact(object)) return container(object, depth, &Copier::list);
    if (object == Py_True) return &schema_true;
    if (object == Py_False) return &schema_false;
    if (object == Py_None) return arena_.make<Value>();
    if (PyLong_CheckExact(object)) return integer(object);
    if (!PyFloat_CheckExact(object)) throw Deferred("a value that is not JSON");
    return arena_.make<Value>(Value::of_real(PyFloat_AsDouble(object)));
  }

 private:
  using Make = void (Copier::*)(PyObject*, int, Value&);

  std::string_view text(PyObject* object) {
    Py_ssize_t size = 0;
    const char* data = PyUnicode_AsUTF8AndSize(object, &size);
    if (data == nullptr) {
      PyErr_Clear();
      throw Deferred("a string with half a surrogate pair");
    }
    return arena_.keep(std::string_view(data, static_cast<std::size_t>(size)));
  }

  const Value* integer(PyObject* object) {
    int overflow = 0;
    std::int64_t integer = PyLong_AsLongLongAndOverflow(object, &overflow);
    if (overflow == 0) return arena_.make<Value>(Value::of_integer(integer));
    nb::object written = nb::steal(PyObject_Str(object));
    if (!written.is_valid()) {
      PyErr_Clear();
      throw Deferred("an integer with too many digits");
    }
    return arena_.make<Value>(Value::of_text(text(written.ptr()), Kind::kBigInt));
  }

  /// A container that only its parent refers to cannot stand in two places: it is not looked up.
  const Value* container(PyObject* object, int depth, Make make) {
    if (Py_REFCNT(object) == 1) {
      Value* made = arena_.make<Value>();
      (this->*make)(object, depth, *made);
      return made;
    }
    if (auto known = shared_.find(object); known != shared_.end()) {
      known->second->shared = true;
      return known->second;
    }
    Value* made = arena_.make<Value>();
    (this->*make)(object, depth, *made);
    shared_.emplace(object, made);
    return made;
  }

  void dict(PyObject* object, int depth, Value& made) {
    std::uint32_t number = ++objects_;
    auto members = arena_.room<schema::Member>(static_cast<std::size_t>(PyDict_Size(object)));
    Py_ssize_t position = 0;
    PyObject *name = nullptr, *value = nullptr;
    for (std::size_t at = 0; PyDict_Next(object, &position, &name, &value); ++at) {
      if (!PyUnicode_CheckExact(name)) throw Deferred("a name that is no string");
      std::string_view copied = text(name);
      members[at] = {copied, schema::keyword_of(copied), copy(value, depth + 1)};
    }
    made = Value::of_members(members, number);
  }

  void list(PyObject* object, int depth, Value& made) {
    auto size = static_cast<std::size_t>(PyList_Size(object));
    auto items = arena_.room<const Value*>(size);
    for (std::size_t at = 0; at < size; ++at) {
      items[at] = copy(PyList_GetItem(object, static_cast<Py_ssize_t>(at)), depth + 1);
    }
    made = Value::of_items(items);
  }

  static inline const Value schema_true = Value::of_truth(true);
  static inline const Value schema_false = Value::of_truth(false);

  schema::Arena& arena_;
  std::unordered_map<PyObject*, Value*> shared_;
  std::uint32_t objects_ = 0;
};

nb::object text_of(std::string_view text) {
  return nb::steal(
      PyUnicode_DecodeUTF8(text.data(), static_cast<Py_ssize_t>(text.size()), nullptr));
}

/// The Python value again; what stood in several places does so again.
nb::object rebuilt(const Value& value, std::unordered_map<const Value*, nb::object>& shared) {
  switch (value.kind) {
    case Kind::kNull:
      return nb::none();
    case Kind::kBool:
      return nb::bool_(value.truth);
    case Kind::kInt:
      return nb::int_(value.integer);
    case Kind::kBigInt:
      return nb::steal(PyLong_FromString(std::string(value.text()).c_str(), nullptr, 10));
    case Kind::kFloat:
      return nb::float_(value.real);
    case Kind::kString:
      return text_of(value.text());
    default:
      break;
  }
  if (value.shared) {
    if (auto known = shared.find(&value); known != shared.end()) return known->second;
  }
  nb::object made;
  if (value.is(Kind::kArray)) {
    nb::list items;
    for (const Value* item : value.items()) items.append(rebuilt(*item, shared));
    made = items;
  } else {
    nb::dict members;
    for (const schema::Member& member : value.members()) {
      members[text_of(member.name)] = rebuilt(*member.value, shared);
    }
    made = members;
  }
  if (value.shared) shared.emplace(&value, made);
  return made;
}

class PythonOracle : public schema::Oracle {
 public:
  explicit PythonOracle(nb::handle answer) : answer_(answer) {}

  bool ask(const std::string& request, std::vector<std::int32_t>& answer) override {
    nb::object words = answer_(nb::str(request.data(), request.size()));
    if (words.is_none()) return false;
    answer = nb::cast<std::vector<std::int32_t>>(words);
    return true;
  }

 private:
  nb::handle answer_;
};

}  // namespace

nb::object compile_schema(nb::handle type, nb::handle value, nb::handle answer,
                          const SchemaOptions& chosen) {
  if (wanted_engine() == WantedEngine::kReference) {
    return nb::str("the native engine is not wanted");
  }
  try {
    auto kept = std::make_shared<SchemaProgram::Made>();
    schema::Document& document = kept->document;
    document.root = Copier(document.arena).copy(value.ptr(), 0);
    schema::Options options{std::nullopt,          chosen.compact,
                            chosen.assert_formats, static_cast<schema::Content>(chosen.content),
                            chosen.frames,         chosen.plain};
    if (chosen.draft) options.draft = static_cast<schema::Draft>(*chosen.draft);
    PythonOracle oracle(answer);
    kept->compiled = schema::compile(*document.root, options, oracle, document.arena);
    nb::object made = nb::inst_alloc(type);
    new (nb::inst_ptr<void>(made)) SchemaProgram{std::move(kept)};
    nb::inst_mark_ready(made);
    return made;
  } catch (const Deferred& why) {
    return nb::str(why.what());
  }
}

void bind_schema(nb::module_& m) {
  nb::class_<SchemaProgram>(m, "SchemaProgram", "A schema, compiled.")
      // A program, or why Python has to compile the schema: see slm/schema/native.py.
      .def_static(
          "compile",
          [](nb::type_object type, nb::handle schema, nb::handle answer, std::optional<int> draft,
             bool compact, bool assert_formats, int content, bool frames, bool plain) {
            return compile_schema(type, schema, answer,
                                  {draft, compact, assert_formats, content, frames, plain});
          },
          "type"_a, "schema"_a, "answer"_a, "draft"_a.none(), "compact"_a, "assert_formats"_a,
          "content"_a = 0, "frames"_a = false, "plain"_a = true)
      .def_prop_ro("draft",
                   [](const SchemaProgram& program) { return program.made->compiled.draft; })
      .def_prop_ro("remembers",
                   [](const SchemaProgram& program) { return program.made->compiled.remembers; })
      .def("words",
           [](const SchemaProgram& program) { return schema::written_out(program.program()); })
      .def("schema", [](const SchemaProgram& program) {
        std::unordered_map<const Value*, nb::object> shared;
        return rebuilt(*program.made->document.root, shared);
      });
}

}  // namespace slm
