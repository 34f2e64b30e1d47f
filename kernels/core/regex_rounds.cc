// Bounds on the length of a text, moved into the expression of the text.
//
// A schema's `maxLength` beside a `pattern` is an intersection: rounds of any character, counted,
// and the pattern. As it stands, every place in the text is a state of its own. When the pattern
// itself is made of rounds and repeats in one place only, the bounds belong there, and the
// intersection is gone; when nothing is bounded, the pattern alone is left.
#include <algorithm>

#include "core/regex.h"

namespace slm {

/// The same by the forms alone; false says nothing.
bool RegexPool::within_by_form(NodeId texts, NodeId wider) {
  DepthGuard guard(depth_);
  for (;;) {
    if (texts == wider || texts == kNothing) return true;
    const Node x = nodes_[texts], y = nodes_[wider];
    if (x.kind == Kind::kUnion) {
      return std::ranges::all_of(options(texts),
                                 [&](NodeId option) { return within_by_form(option, wider); });
    }
    if (y.kind == Kind::kUnion) {
      return std::ranges::any_of(options(wider),
                                 [&](NodeId option) { return within_by_form(texts, option); });
    }
    if (x.kind == Kind::kChars && y.kind == Kind::kChars) {
      const Ranges narrow = ranges_of(x.a), wide = ranges_of(y.a);
      auto at = wide.begin();
      for (auto [low, high] : narrow) {
        while (at != wide.end() && at->second < low) ++at;
        if (at == wide.end() || low < at->first || at->second < high) return false;
      }
      return true;
    }
    // The first round of a repetition, or part of a row, and what comes after it.
    auto split = [&](NodeId id, NodeId& head, NodeId& tail) {
      const Node node = nodes_[id];
      if (node.kind == Kind::kConcat) {
        head = node.a, tail = node.b;
        return true;
      }
      head = node.a;
      if (node.kind != Kind::kRepeat || node.low != node.high || node.low < 1) return false;
      tail = repeat(node.a, node.low - 1, node.low - 1);
      return true;
    };
    NodeId head, tail, wide_head, wide_tail;
    if (!split(texts, head, tail) || !split(wider, wide_head, wide_tail)) return false;
    if (!within_by_form(head, wide_head)) return false;
    texts = tail, wider = wide_tail;
  }
}

/// Whether all texts of one expression are texts of another. A search: for small expressions.
/// Below a search, whose steps may ask this too, false also if the forms alone do not show it.
bool RegexPool::within(NodeId texts, NodeId wider) {
  if (texts == wider || texts == kNothing) return true;
  std::uint64_t pair = (std::uint64_t{texts} << 32) | wider;
  std::uint32_t known = within_.find(pair);
  if (known != FlatMap::kAbsent) return known != 0;
  bool holds = within_by_form(texts, wider);
  if (!holds && (searches_ > 0 || nodes_[texts].echoes || nodes_[wider].echoes)) return false;
  if (!holds) {
    struct Searching {
      explicit Searching(int& count) : count_(count) { ++count_; }
      ~Searching() { --count_; }
      int& count_;
    } searching(searches_);
    holds = surely_empty(intersect({texts, complement(wider)}));
  }
  within_.insert(pair, holds ? 1 : 0);
  return holds;
}

/// Whether every text is some number of rounds, as far as its form shows it part by part.
bool RegexPool::made_of_rounds(NodeId texts, NodeId round) {
  if (texts <= kEpsilon) return true;
  std::uint64_t pair = (std::uint64_t{texts} << 32) | round;
  std::uint32_t known = made_of_rounds_.find(pair);
  if (known != FlatMap::kAbsent) return known != 0;
  DepthGuard guard(depth_);
  const Node node = nodes_[texts];
  bool holds = false;
  switch (node.kind) {
    case Kind::kChars:
      holds = within(texts, round);
      break;
    case Kind::kConcat: {  // a loop: a literal is as many parts as characters
      std::vector<std::uint64_t> passed;
      NodeId at = texts;
      while (nodes_[at].kind == Kind::kConcat && made_of_rounds(nodes_[at].a, round)) {
        at = nodes_[at].b;
        std::uint64_t suffix = (std::uint64_t{at} << 32) | round;
        known = made_of_rounds_.find(suffix);
        if (known != FlatMap::kAbsent) break;
        if (nodes_[at].kind == Kind::kConcat) passed.push_back(suffix);
      }
      if (known != FlatMap::kAbsent) {
        holds = known != 0;
      } else {
        holds = nodes_[at].kind == Kind::kConcat ? within(at, round) : made_of_rounds(at, round);
      }
      if (holds || searches_ == 0) {
        for (std::uint64_t suffix : passed) {  // `within` may have met some
          if (made_of_rounds_.find(suffix) == FlatMap::kAbsent) {
            made_of_rounds_.insert(suffix, holds ? 1 : 0);
          }
        }
      }
      break;
    }
    case Kind::kUnion: {
      holds = true;
      for (NodeId option : options(texts)) holds = holds && made_of_rounds(option, round);
      holds = holds || within(texts, round);
      break;
    }
    case Kind::kRepeat:
      holds = made_of_rounds(node.a, round);
      break;
    case Kind::kIntersection: {
      std::span<const std::uint32_t> shared = lists_.words(node.a);
      for (NodeId part : std::vector<NodeId>(shared.begin(), shared.end())) {
        holds = holds || made_of_rounds(part, round);
      }
      break;
    }
    default:
      break;
  }
  if (holds || searches_ == 0) made_of_rounds_.insert(pair, holds ? 1 : 0);
  return holds;
}

/// The texts that are also X{low,high}, X a prefix code; kUndecided when that stays an
/// intersection.
///
/// A text that is made of rounds is so in one way only, so rounds add up over the parts of a
/// concatenation. With one part that varies, it takes what the others leave; several have to be the
/// shortest there are when nothing is left.
NodeId RegexPool::count_rounds(NodeId rounds, NodeId texts) {
  const Node counter = nodes_[rounds];
  if (counter.kind != Kind::kRepeat || nodes_[texts].boolean) return kUndecided;
  NodeId round = counter.a;
  if (nodes_[round].nullable || nodes_[round].boolean || !is_prefix_code(round)) return kUndecided;
  if (counter.low == 0 && counter.high == kNoBound) {
    return made_of_rounds(texts, round) ? texts : kUndecided;
  }
  std::vector<NodeId> parts;
  for (; nodes_[texts].kind == Kind::kConcat; texts = nodes_[texts].b) {
    parts.push_back(nodes_[texts].a);
    if (parts.size() > 256) return kUndecided;
  }
  parts.push_back(texts);
  std::int64_t fixed = 0, least = 0;  // rounds that there always are; and those of what varies
  std::size_t varies = parts.size();
  bool several = false;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const Node part = nodes_[parts[i]];
    bool repeats = part.kind == Kind::kRepeat;
    if (parts[i] == kEpsilon) continue;
    if (!within(repeats ? part.a : parts[i], round)) return kUndecided;
    if (!repeats) {
      fixed += 1;
    } else if (part.low == part.high) {
      fixed += part.low;
    } else {
      several = several || varies < parts.size();
      least += part.low;
      varies = i;
    }
  }
  if (several) {  // all of them are as short as can be, or it is not known which is not
    if (counter.high == kNoBound || counter.high > fixed + least) return kUndecided;
    if (counter.high < fixed + least) return kNothing;
    for (NodeId& each : parts) {
      const Node part = nodes_[each];
      if (part.kind == Kind::kRepeat) each = repeat(part.a, part.low, part.low);
    }
    return concat(parts);
  }
  std::int64_t low = counter.low - fixed;
  std::int64_t high = counter.high == kNoBound ? std::int64_t{-1} : counter.high - fixed;
  if (counter.high != kNoBound && high < 0) return kNothing;
  if (varies == parts.size()) {
    if (low > 0) return kNothing;
  } else {
    const Node part = nodes_[parts[varies]];
    low = std::max<std::int64_t>(low, part.low);
    if (part.high != kNoBound) {
      high = counter.high == kNoBound ? part.high : std::min<std::int64_t>(high, part.high);
    }
    bool bounded = part.high != kNoBound || counter.high != kNoBound;
    if (bounded && low > high) return kNothing;
    parts[varies] = repeat(part.a, static_cast<std::int32_t>(low),
                           bounded ? static_cast<std::int32_t>(high) : kNoBound);
  }
  return concat(parts);
}

/// X* | K is X* when K is made of rounds of X. What a text has matched already, as in `.*word.*`,
/// then needs no looking for other words.
void RegexPool::absorb_rounds(std::vector<NodeId>& options) {
  for (std::size_t i = 0; i < options.size(); ++i) {
    NodeId loop = options[i];
    if (!is_free_loop(loop)) continue;
    std::erase_if(options, [&](NodeId option) {
      return option != loop && made_of_rounds(option, nodes_[loop].a);
    });
    if (options.size() == 1) return;
    i = static_cast<std::size_t>(std::ranges::find(options, loop) - options.begin());
  }
}

/// Whether one part of an intersection is within what another one excludes, as far as forms show
/// it: what an exclusion has struck is empty then without a search through the bounds beside it.
bool RegexPool::excludes_all(std::span<const NodeId> parts) {
  for (NodeId part : parts) {
    if (nodes_[part].kind != Kind::kComplement) continue;
    for (NodeId option : options(nodes_[part].a)) {
      if (std::ranges::binary_search(parts, option)) return true;
      if (!is_free_loop(option)) continue;
      NodeId round = nodes_[option].a;
      for (NodeId other : parts) {
        if (other != part && made_of_rounds(other, round)) return true;
      }
    }
  }
  return false;
}

/// Puts one expression in the place of two parts of an intersection, where that can be done.
bool RegexPool::count_rounds_among(std::vector<NodeId>& parts) {
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (nodes_[parts[i]].kind != Kind::kRepeat) continue;
    for (std::size_t k = 0; k < parts.size(); ++k) {
      if (k == i) continue;
      NodeId counted = count_rounds(parts[i], parts[k]);
      if (counted == kUndecided) continue;
      parts[i] = counted;
      parts.erase(parts.begin() + static_cast<std::ptrdiff_t>(k));
      return true;
    }
  }
  return false;
}

}  // namespace slm
