// Every way to write a text inside a JSON string.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <unordered_map>

#include "core/regex.h"

namespace slm {

/// The spellings of characters as expressions, made once for all grammars of a vocabulary. An object
/// that takes others than the declared members has those of each declared name in it.
///
/// Invariant: the expressions are those that spell_charset of slm/schema/strings.py becomes.
class JsonSpellings {
 public:
  explicit JsonSpellings(RegexPool& pool) : pool_(pool) { ascii_.fill(kUnmade); }

  /// Of a text of code points, without quotation marks. Cost: a look-up or two a character.
  NodeId of(std::span<const std::uint32_t> points);

 private:
  static constexpr NodeId kUnmade = 0xFFFFFFFFu;

  NodeId of_character(std::uint32_t point);
  NodeId escape(std::uint32_t point, char shorthand);
  NodeId text(const char* characters, NodeId tail);
  NodeId unit(std::uint32_t unit, NodeId tail);

  RegexPool& pool_;
  std::array<NodeId, 128> ascii_;
  std::unordered_map<std::uint32_t, NodeId> others_;
};

}  // namespace slm
