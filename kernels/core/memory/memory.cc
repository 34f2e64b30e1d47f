#include "core/memory/memory.h"

#include <stdexcept>

namespace slm {

std::unique_ptr<Recogniser> make_recogniser(Program program, std::shared_ptr<TerminalTables> shared,
                                            const TokenTrie& /*trie*/,
                                            std::size_t /*mask_memory*/) {
  Program::Words memory = program.memory();
  if (memory.empty()) {
    return std::make_unique<EarleyRecogniser>(std::move(program), std::move(shared));
  }
  throw std::invalid_argument("the grammar program has an unknown memory");
}

}  // namespace slm
