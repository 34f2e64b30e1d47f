// Long lists of words, of which those that begin with what was read are a stretch.
//
// An enumeration of thousands of words, written out as an expression, is a node for each of their
// characters, and whoever asks for its name, its shortest text or its derivative meets all of them.
// Sorted, the words that a byte leaves are found by bisection, and nothing is made for the others.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/char_class.h"

namespace slm {

/// The words [low, high) of a list, behind their first `depth` bytes, which are the same in all.
struct WordRange {
  std::uint32_t list, low, high, depth;
  bool empty() const noexcept { return low == high; }
  std::uint32_t size() const noexcept { return high - low; }
};

/// Owns lists, each once. Immutable but for what is added.
class WordLists {
 public:
  /// All of a list of texts in UTF-8, in any order. `spelled`: each stands for all the ways to
  /// write it inside of a JSON string, and can be written there as it is. Cost: O(n log n).
  WordRange add(std::vector<std::string_view> words, bool spelled = false);

  bool is_spelled(const WordRange& range) const noexcept { return lists_[range.list].spelled; }

  /// What is left of a word of the range.
  std::string_view rest(const WordRange& range, std::uint32_t word) const noexcept {
    return word_of(lists_[range.list], word).substr(range.depth);
  }
  /// Whether one of the words ends here.
  bool ends(const WordRange& range) const noexcept {
    return !range.empty() && rest(range, range.low).empty();
  }
  /// Whether a character begins here, as far as there is one.
  bool between_characters(const WordRange& range) const noexcept;

  /// The words that go on with the byte, behind it; of spelled ones, those written as they are.
  /// Cost: O(log n).
  WordRange after(const WordRange& range, std::uint8_t byte) const noexcept;
  /// Behind all the whole characters that the words have in common.
  WordRange after_common(const WordRange& range) const noexcept;

  /// The bytes that can follow. Cost: O(their number · log n).
  ByteSet first_bytes(const WordRange& range) const noexcept;
  /// The bytes in what is left of the words, and those with which it ends; of spelled ones maybe
  /// some more. Cost: O(size).
  ByteSet bytes(const WordRange& range) const noexcept;
  ByteSet last_bytes(const WordRange& range) const noexcept;
  /// A shortest word that does not end here, the first of them; `high` if there is none.
  std::uint32_t shortest(const WordRange& range) const noexcept;
  std::uint32_t longest(const WordRange& range) const noexcept;
  /// Whether none of the words begins another one.
  bool is_prefix_code(const WordRange& range) const noexcept;

  std::size_t memory() const noexcept { return memory_; }

 private:
  struct List {
    std::string text;                   // the words, one after the other
    std::vector<std::uint32_t> starts;  // and their ends, one place further on
    bool spelled = false;
    bool operator==(const List&) const = default;
  };
  static std::string_view word_of(const List& list, std::uint32_t word) noexcept {
    return std::string_view(list.text).substr(list.starts[word],
                                              list.starts[word + 1] - list.starts[word]);
  }

  std::vector<List> lists_;
  std::unordered_multimap<std::size_t, std::uint32_t> by_text_;
  std::size_t memory_ = 0;
};

}  // namespace slm
