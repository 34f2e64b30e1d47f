#include "core/regex.h"

#include <algorithm>
#include <tuple>

#include "core/error.h"
#include "core/json_spellings.h"

namespace slm {
RegexPool::RegexPool() : ascii_(128, kNothing) {
  make(Kind::kNothing, false, false, 0, 0);
  make(Kind::kEpsilon, true, false, 0, 0);
}

NodeId RegexPool::make(Kind kind, bool nullable, bool boolean, std::uint32_t a, std::uint32_t b,
                       std::int32_t low, std::int32_t high) {
  std::uint64_t bounds =
      std::uint64_t{static_cast<std::uint32_t>(low)} << 32 | static_cast<std::uint32_t>(high);
  std::uint32_t hash = static_cast<std::uint32_t>(
      mix(mix(static_cast<std::uint64_t>(kind), std::uint64_t{a} << 32 | b), bounds));
  const NodeSlot* known = slots_.find(hash, [&](const NodeSlot& slot) {
    if (slot.hash != hash) return false;
    const Node& node = nodes_[slot.next - 1];
    bool same = node.kind == kind && node.a == a && node.low == low && node.high == high;
    return same && (node.b == b || kind == Kind::kChars);  // whose b is not of the key
  });
  NodeId id = known != nullptr ? known->next - 1 : static_cast<NodeId>(nodes_.size());
  if (id == nodes_.size()) {
    if (id >= kMaxNodes) throw TooComplex("the terminals of the grammar need too many states");
    slots_.insert({hash, id + 1});
    bool counted = has_counter(kind, a, b, low, high);
    Node node{kind,
              nullable,
              boolean,
              counted,
              has_label_inside(kind, a, b),
              has_echo(kind, a, b),
              kNoByte,
              a,
              b,
              low,
              high};
    if (kind == Kind::kConcat && nodes_[a].kind == Kind::kChars) {
      node.only = nodes_[a].only;
    } else if (kind == Kind::kChars) {
      std::span<const std::uint32_t> range = sets_.words(a);
      if (range.size() == 2 && range[0] == range[1] && range[0] < 128) {
        node.only = static_cast<std::uint8_t>(range[0]);
        node.b = kEpsilon;  // what follows the character, as in a concatenation
      }
    }
    nodes_.push_back(node);
  }
  return id;
}

bool RegexPool::has_echo(Kind kind, std::uint32_t a, std::uint32_t b) const {
  switch (kind) {
    case Kind::kEcho:
      return true;
    case Kind::kConcat:
      return nodes_[a].echoes || nodes_[b].echoes;
    case Kind::kUnion:
      return std::ranges::any_of(lists_.words(a), [&](NodeId one) { return nodes_[one].echoes; });
    case Kind::kRepeat:
      return nodes_[a].echoes;
    default:
      return false;
  }
}

bool RegexPool::has_counter(Kind kind, std::uint32_t a, std::uint32_t b, std::int32_t low,
                            std::int32_t high) const {
  switch (kind) {
    case Kind::kConcat:
      return nodes_[a].counted || nodes_[b].counted;
    case Kind::kUnion:
    case Kind::kIntersection:
      return std::ranges::any_of(lists_.words(a), [&](NodeId one) { return nodes_[one].counted; });
    case Kind::kRepeat:
      return low > 1 || high > 1 || nodes_[a].counted;
    case Kind::kComplement:
      return nodes_[a].counted;
    default:
      return false;
  }
}

bool RegexPool::has_label_inside(Kind kind, std::uint32_t a, std::uint32_t b) const {
  switch (kind) {
    case Kind::kLabel:
      return true;
    case Kind::kConcat:
      return nodes_[a].labelled || nodes_[b].labelled;
    case Kind::kUnion:
    case Kind::kIntersection:
      return std::ranges::any_of(lists_.words(a), [&](NodeId one) { return nodes_[one].labelled; });
    case Kind::kRepeat:
    case Kind::kComplement:
      return nodes_[a].labelled;
    default:
      return false;
  }
}

// --- sets ----------------------------------------------------------------------------------------

std::uint32_t RegexPool::intern_ranges(const Ranges& ranges) {
  std::vector<std::uint32_t> flat;
  flat.reserve(ranges.size() * 2);
  for (auto [first, last] : ranges) {
    flat.push_back(first);
    flat.push_back(last);
  }
  return sets_.intern(flat);
}

Ranges RegexPool::ranges_of(std::uint32_t set) const {
  std::span<const std::uint32_t> flat = sets_.words(set);
  Ranges ranges;
  ranges.reserve(flat.size() / 2);
  for (std::size_t i = 0; i < flat.size(); i += 2) ranges.emplace_back(flat[i], flat[i + 1]);
  return ranges;
}

std::size_t RegexPool::range_at(std::span<const std::uint32_t> flat, std::uint32_t value) {
  std::size_t low = 0, high = flat.size() / 2;
  while (low < high) {
    std::size_t middle = (low + high) / 2;
    if (flat[2 * middle + 1] < value) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return 2 * low;
}

bool RegexPool::contains(std::uint32_t set, std::uint32_t value) const {
  std::span<const std::uint32_t> flat = sets_.words(set);
  const std::size_t at = range_at(flat, value);
  return at < flat.size() && flat[at] <= value;
}

Ranges RegexPool::slice(std::uint32_t set, std::uint32_t low, std::uint32_t high,
                        std::uint32_t down) const {
  std::span<const std::uint32_t> flat = sets_.words(set);
  Ranges found;
  for (std::size_t at = range_at(flat, low); at < flat.size() && flat[at] <= high; at += 2) {
    found.emplace_back(std::max(flat[at], low) - down, std::min(flat[at + 1], high) - down);
  }
  return found;
}

NodeId RegexPool::chars(const Ranges& code_points) {
  if (code_points.empty()) return kNothing;
  auto [first, last] = code_points[0];
  if (code_points.size() == 1 && first == last && first < 128) {  // most of a schema is these
    if (ascii_[first] == kNothing) {
      const std::array<std::uint32_t, 2> range{first, first};
      ascii_[first] = make(Kind::kChars, false, false, sets_.intern(range), 0);
    }
    return ascii_[first];
  }
  return make(Kind::kChars, false, false, intern_ranges(code_points), 0);
}

NodeId RegexPool::literal(std::span<const std::uint32_t> code_points, NodeId tail) {
  for (std::size_t i = code_points.size(); i-- > 0;) {
    std::uint32_t c = code_points[i];
    NodeId one = c < 128 ? ascii_[c] : kNothing;
    tail = concat(one != kNothing ? one : chars({{c, c}}), tail);
  }
  return tail;
}

NodeId RegexPool::rest(std::uint32_t bytes_to_come, const Ranges& values) {
  if (values.empty()) return kNothing;
  return make(Kind::kRest, false, false, intern_ranges(values), bytes_to_come);
}

// --- constructors --------------------------------------------------------------------------------

NodeId RegexPool::concat(NodeId first, NodeId second) {
  if (first == kNothing || second == kNothing) return kNothing;
  if (first == kEpsilon) return second;
  if (second == kEpsilon) return first;
  // Heads are never concatenations: a·(b·c), so that equal texts meet in the same nodes.
  if (nodes_[first].kind != Kind::kConcat) {
    return make(Kind::kConcat, nodes_[first].nullable && nodes_[second].nullable,
                nodes_[first].boolean || nodes_[second].boolean, first, second);
  }
  std::vector<NodeId> heads;
  while (nodes_[first].kind == Kind::kConcat) {
    heads.push_back(nodes_[first].a);
    first = nodes_[first].b;
  }
  heads.push_back(first);
  NodeId tail = second;
  for (auto head = heads.rbegin(); head != heads.rend(); ++head) {
    tail = make(Kind::kConcat, nodes_[*head].nullable && nodes_[tail].nullable,
                nodes_[*head].boolean || nodes_[tail].boolean, *head, tail);
  }
  return tail;
}

NodeId RegexPool::concat(std::span<const NodeId> parts) {
  NodeId tail = kEpsilon;
  for (std::size_t i = parts.size(); i-- > 0;) tail = concat(parts[i], tail);
  return tail;
}

/// X{1,5}·K | X{0,3}·K is X{0,5}·K. Without this a loop before a counter (`.*a.{0,1000}`) would
/// make a state for every set of counts.
void RegexPool::merge_repeats(std::vector<NodeId>& options) {
  struct Run {
    NodeId body, tail;
    std::int32_t low, high;
  };
  std::vector<Run> runs;
  std::vector<NodeId> others;
  for (NodeId option : options) {
    const Node& node = nodes_[option];
    NodeId head = node.kind == Kind::kConcat ? node.a : option;
    NodeId tail = node.kind == Kind::kConcat ? node.b : kEpsilon;
    if (nodes_[head].kind == Kind::kRepeat) {
      runs.push_back({nodes_[head].a, tail, nodes_[head].low, nodes_[head].high});
    } else {
      others.push_back(option);
    }
  }
  if (runs.size() < 2) return;
  std::sort(runs.begin(), runs.end(), [](const Run& x, const Run& y) {
    return std::tie(x.body, x.tail, x.low, x.high) < std::tie(y.body, y.tail, y.low, y.high);
  });
  std::vector<Run> merged;
  for (const Run& run : runs) {
    Run* last = merged.empty() ? nullptr : &merged.back();
    bool joins = last && last->body == run.body && last->tail == run.tail &&
                 (last->high == kNoBound || run.low - 1 <= last->high);
    if (!joins) {
      merged.push_back(run);
    } else if (last->high != kNoBound) {
      last->high = run.high == kNoBound ? kNoBound : std::max(last->high, run.high);
    }
  }
  if (merged.size() == runs.size()) return;
  options = std::move(others);
  for (const Run& run : merged) {
    options.push_back(concat(repeat(run.body, run.low, run.high), run.tail));
  }
}

NodeId RegexPool::alternate(std::vector<NodeId> options) {
  std::erase(options, kNothing);
  if (options.empty()) return kNothing;
  if (std::ranges::all_of(options, [&](NodeId option) { return option == options[0]; })) {
    return options[0];
  }
  auto head_of = [&](NodeId n) { return nodes_[n].kind == Kind::kConcat ? nodes_[n].a : n; };
  auto tail_of = [&](NodeId n) { return nodes_[n].kind == Kind::kConcat ? nodes_[n].b : kEpsilon; };
  std::vector<NodeId> heads;  // what all options begin with
  std::vector<NodeId> flat;
  for (;;) {
    flat.clear();
    for (NodeId option : options) {
      if (nodes_[option].kind == Kind::kUnion) {
        std::span<const std::uint32_t> children = lists_.words(nodes_[option].a);
        flat.insert(flat.end(), children.begin(), children.end());
      } else if (option != kNothing) {
        flat.push_back(option);
      }
    }
    std::sort(flat.begin(), flat.end());
    flat.erase(std::unique(flat.begin(), flat.end()), flat.end());
    if (flat.size() > 1) merge_repeats(flat);
    if (flat.size() > 1) absorb_rounds(flat);
    // Options with the same head share it, so a union of literals is a trie.
    std::stable_sort(flat.begin(), flat.end(),
                     [&](NodeId x, NodeId y) { return head_of(x) < head_of(y); });
    if (flat.size() < 2 || head_of(flat.front()) != head_of(flat.back())) break;
    heads.push_back(head_of(flat.front()));
    options.clear();
    for (NodeId option : flat) options.push_back(tail_of(option));
  }
  std::vector<NodeId> factored;
  for (std::size_t i = 0; i < flat.size();) {
    std::size_t end = i + 1;
    NodeId head = head_of(flat[i]);
    while (end < flat.size() && head_of(flat[end]) == head) ++end;
    if (end == i + 1) {
      factored.push_back(flat[i]);
    } else {
      std::vector<NodeId> tails;
      for (std::size_t k = i; k < end; ++k) tails.push_back(tail_of(flat[k]));
      DepthGuard guard(depth_);
      factored.push_back(concat(head, alternate(std::move(tails))));
    }
    i = end;
  }
  std::sort(factored.begin(), factored.end());
  factored.erase(std::unique(factored.begin(), factored.end()), factored.end());
  NodeId result = factored.empty() ? kNothing : factored[0];
  if (factored.size() > 1) {
    bool null = false, boolean = false;
    for (NodeId option : factored) {
      null = null || nodes_[option].nullable;
      boolean = boolean || nodes_[option].boolean;
    }
    result = make(Kind::kUnion, null, boolean, lists_.intern(factored), 0);
  }
  for (auto head = heads.rbegin(); head != heads.rend(); ++head) result = concat(*head, result);
  return result;
}

NodeId RegexPool::repeat(NodeId body, std::int32_t low, std::int32_t high) {
  if (high != kNoBound && high < low) return kNothing;
  if (high == 0 || body == kEpsilon) return kEpsilon;
  if (body == kNothing) return low == 0 ? kEpsilon : kNothing;
  if (nodes_[body].nullable) low = 0;  // the missing ones may all be empty
  if (low == 1 && high == 1) return body;
  if (nodes_[body].kind == Kind::kRepeat && nodes_[body].low == 0 &&
      nodes_[body].high == kNoBound) {
    return body;
  }
  return make(Kind::kRepeat, low == 0 || nodes_[body].nullable, nodes_[body].boolean, body, 0, low,
              high);
}

NodeId RegexPool::intersect(std::vector<NodeId> parts) {
  std::vector<NodeId> flat;
  for (NodeId part : parts) {
    if (part == kNothing) return kNothing;
    if (nodes_[part].kind == Kind::kIntersection) {
      std::span<const std::uint32_t> children = lists_.words(nodes_[part].a);
      flat.insert(flat.end(), children.begin(), children.end());
    } else if (nodes_[part].kind != Kind::kComplement || nodes_[part].a != kNothing) {
      flat.push_back(part);
    }
  }
  std::sort(flat.begin(), flat.end());
  flat.erase(std::unique(flat.begin(), flat.end()), flat.end());
  if (flat.empty()) return complement(kNothing);
  if (flat.size() > 1 &&
      std::ranges::any_of(flat, [&](NodeId part) { return nodes_[part].echoes; })) {
    throw TooComplex("a repeated text in an intersection");
  }
  if (flat.size() > 1 && count_rounds_among(flat)) return intersect(std::move(flat));
  if (flat.size() > 1 && excludes_all(flat)) return kNothing;
  if (flat.size() == 1) return flat[0];
  bool null = true;
  for (NodeId part : flat) null = null && nodes_[part].nullable;
  if (std::find(flat.begin(), flat.end(), kEpsilon) != flat.end()) {
    return null ? kEpsilon : kNothing;
  }
  return make(Kind::kIntersection, null, true, lists_.intern(flat), 0);
}

NodeId RegexPool::complement(NodeId body) {
  if (nodes_[body].kind == Kind::kComplement) return nodes_[body].a;
  if (nodes_[body].echoes) throw TooComplex("a repeated text in a complement");
  return make(Kind::kComplement, !nodes_[body].nullable, true, body, 0);
}

std::uint32_t RegexPool::new_dfa(std::uint32_t states) {
  dfas_.emplace_back().states.resize(states);
  return static_cast<std::uint32_t>(dfas_.size() - 1);
}

NodeId RegexPool::dfa_state(std::uint32_t dfa, std::uint32_t state) {
  const DfaState& found = dfas_[dfa].states[state];
  if (found.accepting && found.edges.size() == 1 && found.edges[0].second == state) {
    return repeat(found.edges[0].first, 0, kNoBound);
  }
  return make(Kind::kDfa, found.accepting, true, dfa, state);
}

void RegexPool::set_dfa_state(std::uint32_t dfa, std::uint32_t state, bool accepting,
                              std::span<const std::pair<NodeId, std::uint32_t>> edges) {
  DfaState& made = dfas_[dfa].states[state];
  made.accepting = accepting;
  made.edges.assign(edges.begin(), edges.end());
}

}  // namespace slm
