// Line breaks within tokens: where a token goes on behind one.
#pragma once

#include <cstdint>
#include <vector>

#include "core/char_class.h"
#include "core/trie.h"

namespace slm {

/// Those of a trie.
struct LineBreaks {
  std::vector<bool> within;          // by node: whether one is at it or below
  ByteTrie marked;                   // the ways to them, and a mark; an entry is a place in `nodes`
  std::vector<std::uint32_t> nodes;  // of the trie; in the order of the entries

  /// Cost: linear in the trie.
  static LineBreaks find(const ByteTrie& trie, const ByteSet& marks);
};

}  // namespace slm
