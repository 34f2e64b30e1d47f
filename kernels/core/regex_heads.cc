// The fixed text that an expression begins with, and what is left of it behind a part of that.
#include <string>
#include <string_view>

#include "core/regex.h"

namespace slm {
namespace {

void append_utf8(std::string& text, std::uint32_t point) {
  auto add = [&](std::uint32_t byte) { text.push_back(static_cast<char>(byte)); };
  auto more = [&](std::uint32_t shift) { add(0x80u | (point >> shift & 0x3Fu)); };
  if (point < 0x80) {
    add(point);
  } else if (point < 0x800) {
    add(0xC0u | point >> 6);
    more(0);
  } else if (point < 0x10000) {
    add(0xE0u | point >> 12);
    more(6), more(0);
  } else {
    add(0xF0u | point >> 18);
    more(12), more(6), more(0);
  }
}

}  // namespace

/// The one character of a set that has no more.
std::uint32_t RegexPool::only_character(NodeId node) const {
  const Node& set = nodes_[node];
  if (set.kind != Kind::kChars) return kNoCharacter;
  std::span<const std::uint32_t> words = sets_.words(set.a);
  return words.size() == 2 && words[0] == words[1] ? words[0] : kNoCharacter;
}

std::string RegexPool::head(NodeId node, std::size_t most) const {
  std::string text;
  while (node != kEpsilon && text.size() < most) {
    const Node& here = nodes_[node];
    bool more = here.kind == Kind::kConcat;
    std::uint32_t point = only_character(more ? here.a : node);
    if (point == kNoCharacter) break;
    append_utf8(text, point);
    node = more ? here.b : kEpsilon;
  }
  return text;
}

/// Whole characters are passed over without a derivative; only one that is cut needs some.
NodeId RegexPool::after_head(NodeId node, std::string_view head, std::size_t length) {
  std::size_t at = 0;
  while (at < length) {
    std::size_t end = at + 1;
    while (end < head.size() && (static_cast<std::uint8_t>(head[end]) & 0xC0) == 0x80) ++end;
    if (end > length) break;
    const Node& here = nodes_[node];
    node = here.kind == Kind::kConcat ? here.b : kEpsilon;
    at = end;
  }
  for (; at < length; ++at) node = step(node, static_cast<std::uint8_t>(head[at]));
  return node;
}

}  // namespace slm
