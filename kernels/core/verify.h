// Which tokens of a draft are legal: chains and trees, without moving the session.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/session.h"

namespace slm {

/// Consecutive rows of masks that belong to the caller.
struct MaskRows {
  std::uint32_t* data = nullptr;  // null: no masks are wanted
  std::ptrdiff_t stride = 0;      // words from one row to the next
  std::size_t words = 0;          // of a row

  std::span<std::uint32_t> row(std::size_t i) const {
    return {data + static_cast<std::ptrdiff_t>(i) * stride, words};
  }
};

/// One entry a node.
struct Verdict {
  std::vector<std::uint8_t> legal;    // its token, and all above it, could be accepted
  std::vector<std::uint8_t> may_end;  // legal, and the text may end after it
};

/// Judges a tree of tokens that hangs below the session's text.
///
/// Precondition: `parents[i] < i`; -1 hangs node i on the text itself. Tokens are of the
/// vocabulary. Writes, if there are rows, the mask after the text into row 0 and after node i into
/// row i + 1; all zeros where the node is illegal, since nothing may follow there. Cost: a step a
/// byte of each legal node, and a mask a legal node if there are rows.
Verdict verify_tree(Session& session, std::span<const std::int64_t> tokens,
                    std::span<const std::int64_t> parents, MaskRows rows);

}  // namespace slm
