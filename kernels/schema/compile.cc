#include "schema/compile.h"

#include "schema/lower.h"

namespace slm::schema {

Compiled compile(const Value& schema, const Options& options, Oracle& oracle) {
  if (!schema.is(Value::Kind::kObject) && !schema.is(Value::Kind::kBool)) {
    throw Deferred("not a schema");
  }
  Arena arena = Arena::passing();
  Goals goals(arena);
  Languages pool(arena, oracle);
  Reader reader(arena, goals, pool, oracle, schema, options.draft);
  if (options.content == Content::kAssert ||
      (options.content == Content::kByDraft && reader.draft() == Draft::k7)) {
    reader.defer_content();
  }
  Normaliser of(arena, goals, pool, reader, options.assert_formats);
  Lowering lowering(of, options.compact);
  Rule start = lowering.lower(reader.start());
  if (pool.leaned && of.concluded) throw Deferred("branches apart by what a format leaves out");
  if (!lowering.is_satisfiable(start)) throw Deferred("unsatisfiable");
  return {lowering.words(start), std::string(reader.draft_name())};
}

}  // namespace slm::schema
