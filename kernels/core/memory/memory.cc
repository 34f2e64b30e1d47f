#include "core/memory/memory.h"

#include <stdexcept>

#include "core/memory/distinct.h"

namespace slm {

std::unique_ptr<Recogniser> make_recogniser(Program program, std::shared_ptr<TerminalTables> shared,
                                            const TokenTrie& trie, std::size_t mask_memory) {
  Program::Words memory = program.memory();
  if (memory.empty()) {
    return std::make_unique<EarleyRecogniser>(std::move(program), std::move(shared));
  }
  if (memory[0] == static_cast<std::uint32_t>(MemoryKind::kDistinctItems)) {
    return std::make_unique<DistinctRecogniser>(std::move(program), shared, trie, mask_memory);
  }
  throw std::invalid_argument("the grammar program has an unknown memory");
}

}  // namespace slm
