// What makes an engine of a compiled schema.
#pragma once

#include <memory>
#include <vector>

#include "bind/schema.h"
#include "core/source.h"

namespace slm {

/// Throws NoText and TooComplex. Lets go of the GIL where that pays: for long programs.
std::shared_ptr<EngineSource> make_schema_engine(const SchemaProgram& schema,
                                                 std::shared_ptr<VocabularyTables> vocabulary,
                                                 std::vector<TokenId> ends, std::size_t memory);

}  // namespace slm
