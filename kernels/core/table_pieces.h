// Tables as bytes, to be kept in a TableStore.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "core/terminal_tables.h"
#include "core/trie.h"

namespace slm {

// Reading gives nothing where bytes are missing, left over, or speak of tokens beyond the
// vocabulary; what is in between is taken as it was written.

/// All but the loop, which has a piece of its own. No table: the expression is better walked.
std::string pack_table(const TerminalTable* table);
/// `found`: whether the bytes are a piece; `table` may then be none.
struct UnpackedTable {
  bool found = false;
  std::unique_ptr<TerminalTable> table;
};
UnpackedTable unpack_table(std::string_view bytes, std::size_t vocabulary);

}  // namespace slm
