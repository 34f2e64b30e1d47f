#include "schema/compile.h"

#include "schema/lower.h"

namespace slm::schema {

namespace {

/// In one way; nothing where a more cautious one is needed.
std::optional<Compiled> compile(const Value& schema, const Options& options, Oracle& oracle,
                                Arena& memory, Way way) {
  Arena arena = Arena::passing();
  Goals goals(arena);
  Languages pool(arena, oracle);
  Reader reader(arena, goals, pool, oracle, schema, options.draft);
  if (options.content == Content::kAssert ||
      (options.content == Content::kByDraft && reader.draft() == Draft::k7)) {
    reader.defer_content();
  }
  if (way.frames) reader.merge_alike();
  Normaliser of(arena, goals, pool, reader, options.assert_formats, way);
  // With frames schemas that say the same are one, which only goals tell.
  Lowering lowering(of, options.compact, options.plain && !way.frames);
  Rule start = lowering.lower(reader.start());
  if (way.frames && pool.leaned) throw Deferred("what a format leaves out is excluded");
  if (!way.cautious && pool.leaned && of.concluded) return std::nullopt;
  if (!lowering.is_satisfiable(start)) throw Deferred("unsatisfiable");
  if (lowering.remembers && lowering.regulars.has_labels()) {
    throw Deferred("long labels of host names beside items that differ");  // see short_labels.py
  }
  std::span<const std::int32_t> words = lowering.words(start, memory);
  return Compiled{words, lowering.regulars.take_known(), std::string(reader.draft_name()),
                  lowering.remembers, lowering.is_whole()};
}

}  // namespace

Compiled compile(const Value& schema, const Options& options, Oracle& oracle, Arena& memory) {
  if (!schema.is(Value::Kind::kObject) && !schema.is(Value::Kind::kBool)) {
    throw Deferred("not a schema");
  }
  if (options.frames) return *compile(schema, options, oracle, memory, {.frames = true});
  try {
    if (auto made = compile(schema, options, oracle, memory, {})) return std::move(*made);
    return *compile(schema, options, oracle, memory, {.cautious = true});
  } catch (const Refused&) {
    return *compile(schema, options, oracle, memory, {.frames = true});
  }
}

}  // namespace slm::schema
