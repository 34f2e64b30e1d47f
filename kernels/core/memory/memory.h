// What a grammar remembers beside its rules: recognisers that wrap that of the rules.
#pragma once

#include <cstddef>
#include <memory>

#include "core/earley.h"
#include "core/program.h"
#include "core/recogniser.h"
#include "core/terminal_tables.h"
#include "core/trie.h"

namespace slm {

/// The first word of `Program::memory`; slm/grammar/memory.py has the same numbers.
enum class MemoryKind : std::uint32_t { kIndentation = 1, kDistinctItems = 2 };

/// The recogniser of a program: that of its rules, in that of its memory if it has one.
///
/// `trie` outlives it; `mask_memory`: bytes that a recogniser with masks of its own may take for
/// them. Throws NoText, TooComplex as EarleyRecogniser does, std::invalid_argument for a memory
/// that is none.
std::unique_ptr<Recogniser> make_recogniser(Program program, std::shared_ptr<TerminalTables> shared,
                                            const TokenTrie& trie, std::size_t mask_memory);

}  // namespace slm
