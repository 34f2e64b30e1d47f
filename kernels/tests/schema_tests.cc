// Schemas of random shape through the native compiler, so that sanitizers see it. What schemas mean
// is tested in Python, against the compiler's twin there; here nobody answers its questions.
#include <array>
#include <atomic>
#include <cstdio>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "core/engine.h"
#include "core/error.h"
#include "core/session.h"
#include "schema/compile.h"
#include "tests/check.h"

namespace {

using namespace slm;
using namespace slm::tests;
using schema::Arena;
using schema::Value;
using Kind = Value::Kind;

/// The questions of patterns, formats and the like: such schemas are deferred.
class Silence final : public schema::Oracle {
 public:
  bool ask(const std::string& /*request*/, std::vector<std::int32_t>& /*answer*/) override {
    return false;
  }
};

/// Schemas that are mostly right, and sometimes wrong in any way JSON can be.
class Writer {
 public:
  Writer(Arena& arena, unsigned seed) : arena_(arena), random_(seed) {}

  /// The whole schema, with some definitions that `$ref` may name.
  const Value* document() {
    std::vector<schema::Member> members = this->members(4);
    add(members, "$defs", object({{"a", schema(3)}, {"b", schema(3)}}));
    return object_of(members);
  }

  /// Arrays and objects inside one another.
  const Value* nested(int depth) {
    const Value* at = object({});
    for (int i = 0; i < depth; ++i) {
      const char* name = i % 3 == 0 ? "items" : i % 3 == 1 ? "not" : "additionalProperties";
      at = object({{name, at}});
    }
    return at;
  }

 private:
  using Named = std::pair<std::string_view, const Value*>;

  std::size_t below(std::size_t n) { return random_() % n; }
  bool one_in(std::size_t n) { return below(n) == 0; }
  template <std::size_t N>
  const char* one_of(const std::array<const char*, N>& names) {
    return names[below(N)];
  }

  const Value* text(std::string_view text) {
    return arena_.make<Value>(Value::of_text(arena_.keep(text)));
  }
  const Value* integer(std::int64_t number) {
    return arena_.make<Value>(Value::of_integer(number));
  }
  const Value* truth(bool holds) { return arena_.make<Value>(Value::of_truth(holds)); }
  const Value* array(const std::vector<const Value*>& items) {
    return arena_.make<Value>(Value::of_items(arena_.keep(items)));
  }
  void add(std::vector<schema::Member>& members, std::string_view name, const Value* value) {
    for (const schema::Member& member : members) {
      if (member.name == name) return;
    }
    std::string_view kept = arena_.keep(name);
    members.push_back({kept, schema::keyword_of(kept), value});
  }
  const Value* object_of(const std::vector<schema::Member>& members) {
    return arena_.make<Value>(Value::of_members(arena_.keep(members), ++objects_));
  }
  const Value* object(const std::vector<Named>& named) {
    std::vector<schema::Member> members;
    for (auto [name, value] : named) add(members, name, value);
    return object_of(members);
  }

  const char* property() { return one_of<5>({"a", "b", "name", "\xC3\xA9\"\n", ""}); }
  const Value* number() {
    switch (below(5)) {
      case 0: {
        double real = static_cast<double>(below(2000)) / 8 - 100;
        return arena_.make<Value>(Value::of_real(real));
      }
      case 1: {
        std::string_view digits = "123456789012345678901234567890";
        return arena_.make<Value>(Value::of_text(digits, Kind::kBigInt));
      }
      default:
        return integer(static_cast<std::int64_t>(below(24)) - 4);
    }
  }
  const Value* anything(int depth) {
    switch (below(depth > 0 ? 6 : 4)) {
      case 0:
        return text(property());
      case 1:
        return number();
      case 2:
        return truth(one_in(2));
      case 3:
        return arena_.make<Value>();
      case 4:
        return array({anything(depth - 1), anything(depth - 1)});
      default:
        return object({{property(), anything(depth - 1)}, {property(), anything(depth - 1)}});
    }
  }
  const Value* schema(int depth) {
    if (depth <= 0) return one_in(3) ? truth(!one_in(4)) : object({{"type", type()}});
    return one_in(8) ? truth(!one_in(3)) : object_of(members(depth));
  }
  const Value* schemas(int depth) {
    std::vector<const Value*> items;
    for (std::size_t n = 1 + below(3); n > 0; --n) items.push_back(schema(depth));
    return array(items);
  }
  const Value* properties(int depth) {
    return object({{property(), schema(depth)}, {property(), schema(depth)}});
  }
  const Value* names() { return array({text(property()), text(property())}); }
  const Value* type() {
    auto one = [&] {
      return text(one_of<7>({"object", "array", "string", "number", "integer", "boolean", "null"}));
    };
    return one_in(4) ? array({one(), one()}) : one();
  }

  std::vector<schema::Member> members(int depth) {
    std::vector<schema::Member> members;
    for (std::size_t n = 1 + below(4); n > 0; --n) {
      if (one_in(60)) {  // a keyword with any value
        add(members, one_of<6>({"type", "items", "required", "$ref", "properties", "maxLength"}),
            anything(2));
        continue;
      }
      switch (below(19)) {
        case 0:
        case 1:
          add(members, "type", type());
          break;
        case 2:
        case 3:
          add(members, "properties", properties(depth - 1));
          break;
        case 4:
          add(members, "required", names());
          break;
        case 5:
          add(members, "additionalProperties", schema(depth - 1));
          break;
        case 6:
          add(members, one_of<3>({"items", "contains", "propertyNames"}), schema(depth - 1));
          break;
        case 7:
          add(members, one_of<2>({"prefixItems", "items"}), schemas(depth - 1));
          break;
        case 8:
        case 9:
          add(members, one_of<3>({"anyOf", "allOf", "oneOf"}), schemas(depth - 1));
          break;
        case 10:
          add(members, one_of<4>({"not", "if", "then", "else"}), schema(depth - 1));
          break;
        case 11:
          add(members, "$ref", text(one_of<5>({"#", "#/$defs/a", "#/$defs/b", "#/no", "%zz"})));
          break;
        case 12:
          add(members, one_of<4>({"minimum", "maximum", "exclusiveMinimum", "multipleOf"}),
              number());
          break;
        case 13:
          add(members, one_of<4>({"minLength", "maxLength", "minItems", "maxItems"}),
              integer(static_cast<std::int64_t>(below(6))));
          break;
        case 14:
          add(members, one_of<2>({"minProperties", "maxProperties"}),
              integer(static_cast<std::int64_t>(below(4))));
          break;
        case 15:
          add(members, one_in(2) ? "enum" : "const",
              one_in(2) ? array({anything(2), anything(2)}) : anything(2));
          break;
        case 16:
          add(members, "contains", schema(depth - 1));
          add(members, one_of<2>({"minContains", "maxContains"}),
              integer(static_cast<std::int64_t>(below(4))));
          if (one_in(4)) add(members, "uniqueItems", truth(true));
          break;
        case 17:
          add(members, one_of<2>({"pattern", "format"}),
              text(one_of<7>({"^[a-c]+$", "a{2,3}|b", "\\d*x", "(?=a)b", "[", "date", "uuid"})));
          break;
        default:
          add(members, one_of<2>({"patternProperties", "dependentSchemas"}), properties(depth - 1));
      }
    }
    return members;
  }

  Arena& arena_;
  std::mt19937 random_;
  std::uint32_t objects_ = 0;
};

std::vector<std::string> tokens() {
  std::vector<std::string> made;
  for (int byte = 0; byte < 256; ++byte) made.push_back(std::string(1, static_cast<char>(byte)));
  for (const char* more : {"\":", "\",", "{\"", "true", "null", "},", "[]", " \"a", "12"}) {
    made.push_back(more);
  }
  made.push_back("");
  return made;
}

/// A hash of the program, and of the masks on a walk; 0: deferred, 1: nothing matches.
std::uint64_t look_at(const Value& value, Arena& memory, unsigned seed,
                      const std::shared_ptr<VocabularyTables>& tables) {
  try {
    Silence silence;
    schema::Options options{std::nullopt, seed % 2 == 0, seed % 3 == 0};
    options.frames = seed % 4 == 1;  // what is excluded is walked, whether it needs it or not
    schema::Compiled compiled = schema::compile(value, options, silence, memory);
    std::uint64_t hash = 2;
    for (std::int32_t word : compiled.words) hash = mix(hash, static_cast<std::uint32_t>(word));
    auto end = static_cast<TokenId>(tables->trie.vocabulary() - 1);
    auto known = std::make_shared<const KnownLanguages>(std::move(compiled.known));
    auto nobody = std::shared_ptr<const void>();  // `memory` outlives all
    Program program(nobody, compiled.words, std::move(known), compiled.whole);
    Session session(
        std::make_shared<Engine>(std::move(program), tables, std::vector<TokenId>{end}));
    std::mt19937 random(seed);
    std::vector<std::uint32_t> row(tables->trie.words());
    for (int step = 0; step < 8; ++step) {
      session.fill_mask(row);
      std::vector<TokenId> allowed;
      for (TokenId token = 0; token <= end; ++token) {
        if (row[token >> 5] >> (token & 31) & 1) allowed.push_back(token);
      }
      CHECK(!allowed.empty());
      if (allowed.empty()) break;
      for (std::uint32_t word : row) hash = mix(hash, word);
      CHECK(session.accept(allowed[random() % allowed.size()]));
    }
    return hash;
  } catch (const schema::Deferred&) {
    return 0;
  } catch (const NoText&) {
    return 1;
  }
}

/// Whatever a schema looks like, it is compiled to a program that the engine takes and whose masks
/// are not empty, or it is deferred.
void test_random_schemas() {
  auto tables = std::make_shared<VocabularyTables>(tokens());
  int compiled = 0;
  for (unsigned seed = 0; seed < 3000; ++seed) {
    Arena arena;
    if (look_at(*Writer(arena, seed).document(), arena, seed, tables) > 1) ++compiled;
  }
  std::printf("%d of 3000 schemas were compiled\n", compiled);
  CHECK(compiled > 150);
}

/// Schemas as deep as Python hands them over are compiled or deferred.
void test_deep_schemas() {
  auto tables = std::make_shared<VocabularyTables>(tokens());
  for (int depth : {10, 100, 900}) {
    Arena arena;
    look_at(*Writer(arena, 0).nested(depth), arena, 1, tables);
  }
}

/// Threads that compile the same schemas at once get the same programs and masks.
void test_threads_compile_alike() {
  std::vector<std::uint64_t> expected;
  auto tables = std::make_shared<VocabularyTables>(tokens());
  for (unsigned seed = 0; seed < 200; ++seed) {
    Arena arena;
    expected.push_back(look_at(*Writer(arena, seed).document(), arena, seed, tables));
  }
  auto shared = std::make_shared<VocabularyTables>(tokens());
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (unsigned t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (unsigned i = 0; i < 200; ++i) {
        unsigned seed = (i + t * 3) % 200;
        Arena arena;
        if (look_at(*Writer(arena, seed).document(), arena, seed, shared) != expected[seed])
          ++wrong;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(wrong == 0);
}

}  // namespace

int main() {
  test_random_schemas();
  test_deep_schemas();
  test_threads_compile_alike();
  if (failures == 0) std::printf("all schema tests passed\n");
  return failures == 0 ? 0 : 1;
}
