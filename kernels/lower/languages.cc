#include "lower/languages.h"

#include <algorithm>

namespace slm::lower {

Languages::Languages(LetterSets& sets, Automata& automata) : sets_(sets), automata_(automata) {
  Number empty[] = {LetterSets::kEmpty}, all[] = {sets.all()};
  add(kChars, empty, false, true);
  add(kUnion, {}, true, true);
  Number any[] = {kAnyLetter, 0, kNone};
  add(kRepeat, any, true, true);
  add(kChars, all, false, true);
  facts_[kNothing].alive = 0;
}

State Languages::add(Kind kind, std::span<const Number> inner, bool nullable, bool plain) {
  Number buffer[8];
  std::vector<Number> large;
  std::span<Number> term(buffer, inner.size() + 1);
  if (inner.size() + 1 > std::size(buffer)) {
    large.resize(inner.size() + 1);
    term = large;
  }
  term[0] = kind;
  std::ranges::copy(inner, term.begin() + 1);
  State made = terms_.add(term);
  if (made == facts_.size()) {
    if (made >= kMost) throw TooMany();
    facts_.push_back({nullable, plain});
    edges_.emplace_back();
  }
  return made;
}

bool Languages::alive(State state) {
  if (facts_[state].alive < 0) {
    bool found = facts_[state].plain || search(state);
    facts_[state].alive = found;
  }
  return facts_[state].alive != 0;
}

bool Languages::extendable(State state) {
  if (facts_[state].extendable < 0) {
    bool found =
        std::ranges::any_of(edges(state), [&](const Edge& edge) { return alive(edge.to); });
    facts_[state].extendable = found;
  }
  return facts_[state].extendable != 0;
}

/// Depth-first for an accepting state; what was visited in vain is dead.
bool Languages::search(State state) {
  std::vector<std::pair<State, State>> parents{{state, state}};  // in the order of first sight
  std::vector<Number> seen_at(facts_.size(), kNone), stack{state};
  seen_at[state] = 0;
  while (!stack.empty()) {
    State here = stack.back();
    stack.pop_back();
    const Facts& facts = facts_[here];
    if (facts.nullable || facts.alive > 0 || (facts.plain && here != kNothing)) {
      while (here != state) {  // the whole way there is alive
        facts_[here].alive = 1;
        here = parents[seen_at[here]].second;
      }
      return true;
    }
    for (const Edge& edge : edges(here)) {
      if (edge.to >= seen_at.size()) seen_at.resize(facts_.size(), kNone);
      if (seen_at[edge.to] != kNone || facts_[edge.to].alive == 0) continue;
      seen_at[edge.to] = number(parents.size());
      parents.emplace_back(edge.to, here);
      stack.push_back(edge.to);
    }
  }
  for (const auto& [visited, parent] : parents) facts_[visited].alive = 0;
  return false;
}

std::span<const Edge> Languages::edges(State state) {
  if (!facts_[state].derived) {
    std::vector<Edge> made = derive(state);
    edges_[state] = std::move(made);
    facts_[state].derived = true;
  }
  return edges_[state];
}

// --- building ------------------------------------------------------------------------------------

State Languages::chars(Set set) {
  return set == LetterSets::kEmpty ? kNothing : add(kChars, std::span(&set, 1), false, true);
}

State Languages::concat(State left, State right) {
  if (left == kNothing || right == kNothing) return kNothing;
  if (left == kEmpty) return right;
  if (right == kEmpty) return left;
  std::vector<State> heads;
  while (kind(left) == kConcat) {
    heads.push_back(inner(left)[0]);
    left = inner(left)[1];
  }
  heads.insert(heads.begin(), left);  // the last one comes first
  std::ranges::reverse(heads.begin() + 1, heads.end());
  for (State head : heads) {
    Number pair[] = {head, right};
    right = add(kConcat, pair, facts_[head].nullable && facts_[right].nullable,
                facts_[head].plain && facts_[right].plain);
  }
  return right;
}

State Languages::unite(std::span<const State> options) {
  std::vector<State> flat;
  Set set = LetterSets::kEmpty;
  auto put = [&](State option) {
    if (kind(option) == kChars) {
      set = sets_.unite(set, inner(option)[0]);
    } else {
      flat.push_back(option);
    }
  };
  for (State option : options) {
    if (kind(option) == kUnion && option != kEmpty) {
      for (State each : inner(option)) put(each);
    } else {
      put(option);
    }
  }
  if (std::ranges::find(flat, kAnything) != flat.end()) return kAnything;
  if (set != LetterSets::kEmpty) flat.push_back(chars(set));
  std::ranges::sort(flat);
  flat.erase(std::ranges::unique(flat).begin(), flat.end());
  bool others = std::ranges::any_of(
      flat, [&](State each) { return each != kEmpty && facts_[each].nullable; });
  if (others) std::erase(flat, kEmpty);
  if (flat.size() < 2) return flat.empty() ? kNothing : flat[0];
  auto nullable = [&](State each) { return facts_[each].nullable; };
  auto plain = [&](State each) { return facts_[each].plain; };
  return add(kUnion, flat, std::ranges::any_of(flat, nullable), std::ranges::all_of(flat, plain));
}

State Languages::intersect(std::span<const State> parts) {
  std::vector<State> flat;
  for (State part : parts) {
    if (kind(part) == kIntersection) {
      flat.insert(flat.end(), inner(part).begin(), inner(part).end());
    } else if (part != kAnything) {
      flat.push_back(part);
    }
  }
  std::ranges::sort(flat);
  flat.erase(std::ranges::unique(flat).begin(), flat.end());
  auto nullable = [&](State each) { return facts_[each].nullable; };
  if (!flat.empty() && flat[0] == kNothing) return kNothing;
  bool all = std::ranges::all_of(flat, nullable);
  if (std::ranges::find(flat, kEmpty) != flat.end()) return all ? kEmpty : kNothing;
  if (flat.size() < 2) return flat.empty() ? kAnything : flat[0];
  return add(kIntersection, flat, all, false);
}

State Languages::complement(State body) {
  if (kind(body) == kNot) return inner(body)[0];
  if (body == kNothing) return kAnything;
  if (body == kAnything) return kNothing;
  return add(kNot, std::span(&body, 1), !facts_[body].nullable, false);
}

State Languages::repeat(State body, Number low, Number high) {
  if (high != kNone && high < low) return kNothing;
  if (high == 0 || body == kEmpty || body == kNothing) {
    return body == kNothing && low > 0 ? kNothing : kEmpty;
  }
  if (low == 1 && high == 1) return body;
  if (facts_[body].nullable) low = 0;
  Number term[] = {body, low, high};
  return add(kRepeat, term, low == 0, facts_[body].plain);
}

State Languages::automaton(Number which, Number at) {
  Number term[] = {which, at};
  return add(kDfa, term, automata_.accepts(which, at), false);
}

// --- derivatives ---------------------------------------------------------------------------------

/// Cuts the letters where any way begins or ends; `combine` makes one of the targets that are
/// there.
template <class Combine>
std::vector<Edge> Languages::overlay(const std::vector<std::vector<Edge>>& ways, Combine combine) {
  std::vector<Number> cuts;
  for (const auto& way : ways) {
    for (const Edge& edge : way) cuts.insert(cuts.end(), {edge.low, edge.high + 1});
  }
  std::ranges::sort(cuts);
  cuts.erase(std::ranges::unique(cuts).begin(), cuts.end());
  std::vector<std::size_t> at(ways.size(), 0);
  std::vector<State> there;
  std::vector<Edge> found;
  for (std::size_t cut = 0; cut + 1 < cuts.size(); ++cut) {
    there.clear();
    for (std::size_t way = 0; way < ways.size(); ++way) {
      const auto& edges = ways[way];
      while (at[way] < edges.size() && edges[at[way]].high < cuts[cut]) ++at[way];
      if (at[way] < edges.size() && edges[at[way]].low <= cuts[cut]) {
        there.push_back(edges[at[way]].to);
      }
    }
    State to = there.empty() ? kNothing : combine(there);
    if (to == kNothing) continue;
    if (!found.empty() && found.back().high + 1 == cuts[cut] && found.back().to == to) {
      found.back().high = cuts[cut + 1] - 1;
    } else {
      found.push_back({cuts[cut], cuts[cut + 1] - 1, to});
    }
  }
  return found;
}

std::vector<Edge> Languages::derive(State state) {
  std::vector<Edge> found;
  std::vector<std::vector<Edge>> ways;
  auto copy = [&](State of) {
    std::span<const Edge> all = edges(of);
    return std::vector<Edge>(all.begin(), all.end());
  };
  auto unite = [&](std::span<const State> there) { return this->unite(there); };
  switch (kind(state)) {
    case kChars:
      sets_.rows(inner(state)[0],
                 [&](Number low, Number high) { found.push_back({low, high, kEmpty}); });
      return found;
    case kConcat:
      for (State rest = state;;) {  // past every head that may be empty; chains can be long
        if (kind(rest) != kConcat) {
          ways.push_back(copy(rest));
          break;
        }
        State head = inner(rest)[0];
        rest = inner(rest)[1];
        ways.push_back(copy(head));
        for (Edge& edge : ways.back()) edge.to = concat(edge.to, rest);
        if (!facts_[head].nullable) break;
      }
      return ways.size() == 1 ? ways[0] : overlay(ways, unite);
    case kUnion:
      for (State option : inner(state)) ways.push_back(copy(option));
      return overlay(ways, unite);
    case kIntersection:
      for (State part : inner(state)) ways.push_back(copy(part));
      return overlay(ways, [&](std::span<const State> there) {
        return there.size() == ways.size() ? intersect(there) : kNothing;
      });
    case kRepeat: {
      State body = inner(state)[0];
      Number low = inner(state)[1], high = inner(state)[2];
      State rest = repeat(body, low > 0 ? low - 1 : 0, high == kNone ? kNone : high - 1);
      found = copy(body);
      for (Edge& edge : found) edge.to = concat(edge.to, rest);
      return found;
    }
    case kNot: {
      Number at = 0;
      auto put = [&](Number low, Number high, State left) {
        State to = complement(left);
        if (low <= high && to != kNothing) found.push_back({low, high, to});
      };
      for (const Edge& edge : edges(inner(state)[0])) {
        if (edge.low > at) put(at, edge.low - 1, kNothing);
        put(edge.low, edge.high, edge.to);
        at = edge.high + 1;
      }
      if (at < sets_.letters()) put(at, sets_.letters() - 1, kNothing);
      return found;
    }
    case kDfa: {
      Number which = inner(state)[0];
      std::span<const Number> all = automata_.ways(which, inner(state)[1]);
      for (std::size_t at = 0; at < all.size(); at += 2) {
        State to = automaton(which, all[at + 1]);
        sets_.rows(all[at], [&](Number low, Number high) { found.push_back({low, high, to}); });
      }
      std::ranges::sort(found, {}, &Edge::low);
      return found;
    }
  }
  return found;
}

// --- regular nodes -------------------------------------------------------------------------------

void Regulars::read(Words& in, std::span<const Set> sets, LetterSets& known, Automata& automata) {
  std::size_t count = in.count();
  auto child = [&] { return in.index(nodes_.size()); };
  for (std::size_t n = 0; n < count; ++n) {
    Node node{static_cast<Form>(in.index(static_cast<std::size_t>(Form::kDfa) + 1)), {}};
    switch (node.form) {
      case Form::kChars:
        node.values.push_back(sets[in.index(sets.size())]);
        break;
      case Form::kLiteral:
        for (std::size_t left = in.count(); left > 0; --left) {
          LetterSets::Bits one(known);
          Number letter = in.index(known.letters());
          one.add(letter, letter);
          node.values.push_back(known.add(one));
        }
        break;
      case Form::kConcat:
      case Form::kUnion:
      case Form::kIntersection:
        for (std::size_t left = in.count(); left > 0; --left) node.values.push_back(child());
        break;
      case Form::kRepeat:
        node.values.push_back(child());
        node.values.push_back(in.index(INT32_MAX));
        node.values.push_back(static_cast<Number>(in.word()));
        break;
      case Form::kComplement:
        node.values.push_back(child());
        break;
      case Form::kDfa: {
        Rows rows(in.count());
        std::vector<bool> accepting;
        for (auto& row : rows) {
          accepting.push_back(in.word() != 0);
          for (std::size_t left = in.count(); left > 0; --left) {
            Set set = sets[in.index(sets.size())];
            row.emplace_back(set, in.index(rows.size()));
          }
        }
        if (rows.empty()) throw std::invalid_argument("the rules have an automaton without states");
        node.values.push_back(automata.add(rows, accepting));
        break;
      }
    }
    nodes_.push_back(std::move(node));
  }
}

State Regulars::state(Number which, Languages& pool, LetterSets& sets) {
  if (nodes_[which].state != kNone) return nodes_[which].state;
  const Node& node = nodes_[which];
  std::vector<State> inner;
  State made = Languages::kEmpty;
  auto all = [&] {
    for (Number each : node.values) inner.push_back(state(each, pool, sets));
  };
  switch (node.form) {
    case Form::kChars:
      made = pool.chars(node.values[0]);
      break;
    case Form::kLiteral:
      for (std::size_t at = node.values.size(); at > 0; --at) {
        made = pool.concat(pool.chars(node.values[at - 1]), made);
      }
      break;
    case Form::kConcat:
      all();
      for (std::size_t at = inner.size(); at > 0; --at) made = pool.concat(inner[at - 1], made);
      break;
    case Form::kUnion:
      all();
      made = pool.unite(inner);
      break;
    case Form::kIntersection:
      all();
      made = pool.intersect(inner);
      break;
    case Form::kRepeat:
      made = pool.repeat(state(node.values[0], pool, sets), node.values[1], node.values[2]);
      break;
    case Form::kComplement:
      made = pool.complement(state(node.values[0], pool, sets));
      break;
    default:
      made = pool.automaton(node.values[0], 0);
  }
  return nodes_[which].state = made;
}

std::vector<Set> Regulars::row(Number which, bool& any) const {
  std::vector<Set> found;
  any = true;
  auto put = [&](const Node& node) {
    bool fits = node.form == Form::kChars || node.form == Form::kLiteral;
    if (fits) found.insert(found.end(), node.values.begin(), node.values.end());
    any = any && fits;
  };
  const Node& node = nodes_[which];
  if (node.form != Form::kConcat) {
    put(node);
  } else {
    for (Number part : node.values) put(nodes_[part]);
  }
  return found;
}

}  // namespace slm::lower
