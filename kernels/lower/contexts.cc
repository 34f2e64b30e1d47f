#include "lower/contexts.h"

#include <algorithm>

namespace slm::lower {
namespace {

constexpr std::size_t kMaxEdges = 250'000;  // as in `slm.syntax.contexts`
constexpr std::size_t kMaxControls = 2'000;

std::uint64_t pair_of(Number left, Number right) {
  return static_cast<std::uint64_t>(left) << 32 | right;
}

}  // namespace

Contexts::Contexts(const Symbols& symbols, Places& places, Lexing& lexing)
    : symbols_(symbols), places_(places), lexing_(lexing) {
  trees_.resize(symbols.rules());
  opens_.resize(symbols.tokens());
  Control first = control(places.ahead_of(places.start(), kNone), Promises::kFree);
  start_ = variant(symbols.start(), places.start(), first);
  while (!todo_.empty()) {
    auto [number, node] = todo_.back();
    todo_.pop_back();
    go(number, node);
  }
}

// --- controls ------------------------------------------------------------------------------------

Contexts::Control Contexts::control(Number which, Open open_now) {
  std::uint64_t key = pair_of(which, open_now);
  if (Control known = made_.find(key); known != FlatMap::kAbsent) return known;
  if (made_.size() >= kMaxControls) throw complexity();
  const Ahead& ahead = places_.ahead(which);
  std::vector<Number> found;
  for (Token token : ahead.tokens) {
    if (token == symbols_.end()) {
      Number end = lexing_.at_end(ahead.scanner, open_now);
      if (end != kNone) found.insert(found.end(), {token, end});
    } else {
      Lexing::Entry entry = lexing_.entry(ahead.scanner, token, open_now);
      if (!lexing_.lists[entry].empty()) found.insert(found.end(), {token, entry});
    }
  }
  Control made = controls_.add(found);
  made_.insert(key, made);
  return made;
}

TooComplex Contexts::complexity() const {
  auto most =
      std::ranges::max_element(opened_, {}, [&](Token token) { return opens_[token].size(); });
  return {most == opened_.end() ? kNone : *most};
}

/// The control with these tokens alone.
Contexts::Control Contexts::only(Control control, Number tokens) {
  std::uint64_t key = pair_of(control, tokens);
  if (Control known = cut_down_.find(key); known != FlatMap::kAbsent) return known;
  Lists::List whole = controls_[control], wanted = token_lists_[tokens];
  kept_.clear();
  std::size_t next = 0;
  for (std::size_t each = 0; each < whole.size(); each += 2) {
    while (next < wanted.size() && wanted[next] < whole[each]) ++next;
    if (next == wanted.size()) break;
    if (wanted[next] == whole[each]) kept_.insert(kept_.end(), {whole[each], whole[each + 1]});
  }
  Control made = controls_.add(kept_);
  cut_down_.insert(key, made);
  return made;
}

// --- rules ---------------------------------------------------------------------------------------

const Contexts::Tree& Contexts::tree(Number rule) {
  std::optional<Tree>& known = trees_[rule];
  if (known) return *known;
  Tree& made = known.emplace();
  made.edges.emplace_back();
  made.ends.push_back(kNone);
  const auto& rows = symbols_.rows(rule);
  for (Number row = 0; row < rows.size(); ++row) {
    Number at = 0;
    for (Symbol symbol : rows[row].symbols) {
      auto& edges = made.edges[at];
      auto same = std::ranges::find(edges, symbol, &std::pair<Symbol, Number>::first);
      if (same != edges.end()) {
        at = same->second;
        continue;
      }
      Number child = number(made.edges.size());
      edges.emplace_back(symbol, child);
      made.edges.emplace_back();
      made.ends.push_back(kNone);
      at = child;
    }
    made.ends[at] = rows[row].same;
  }
  const Tokens& after = symbols_.follow(symbols_.tokens() + rule);
  made.needs.resize(made.edges.size());
  for (Number at = number(made.edges.size()); at-- > 0;) {  // children have higher numbers
    std::vector<bool> need(symbols_.tokens(), false);
    auto put = [&](std::span<const Token> tokens) {
      for (Token token : tokens) need[token] = true;
    };
    if (made.ends[at] != kNone) put(after);
    for (const auto& [symbol, child] : made.edges[at]) {
      if (symbols_.is_token(symbol)) {
        need[symbol] = true;
        continue;
      }
      put(symbols_.first(symbols_.rule(symbol)));
      if (symbols_.nullable(symbols_.rule(symbol))) put(token_lists_[made.needs[child]]);
    }
    Tokens list;
    for (Token token = 0; token < need.size(); ++token) {
      if (need[token]) list.push_back(token);
    }
    made.needs[at] = tokens(list);
  }
  return made;
}

Number Contexts::variant(Number rule, Place place, Control control) {
  place = places_.like(place, rule);
  const Tree& tree = this->tree(rule);
  Control entered = only(control, tree.needs[0]);
  Number made = variant_keys_.add({rule, place, entered});
  if (made == variants_.size()) {
    Variant& variant = variants_.emplace_back();
    variant.rule = rule;
    variant.places.assign(tree.edges.size(), kNone);
    variant.places[0] = place;
    reach(made, 0, entered);
  }
  return made;
}

Number Contexts::reach(Number which, Number at, Control control) {
  Variant& variant = variants_[which];
  Number known = node_keys_.add({which, at, control});
  if (known == nodes_.size()) {
    nodes_.push_back(number(variant.nodes.size()));
    todo_.emplace_back(which, nodes_.back());
    variant.nodes.push_back({at, control});
  }
  return nodes_[known];
}

/// Every way on from a place in a rule.
void Contexts::go(Number which, Number node) {
  Number rule = variants_[which].rule;
  const Tree& tree = this->tree(rule);
  Number at = variants_[which].nodes[node].at;
  Control control = variants_[which].nodes[node].control;
  Place place = variants_[which].places[at];
  for (const auto& [symbol, child] : tree.edges[at]) {
    if (variants_[which].places[child] == kNone) {
      variants_[which].places[child] = places_.to(place, symbol);
    }
    if (!symbols_.is_token(symbol)) {
      Number called = variant(symbols_.rule(symbol), place, control);
      variants_[called].waiting.push_back({which, node, child});
      for (std::size_t end = 0; end < variants_[called].ends.size(); ++end) {
        Control after = variants_[called].ends[end].first;
        connect(which, node, child, called, after, after);
      }
      continue;
    }
    Lists::List whole = controls_[control];
    Number entry = kNone;
    for (std::size_t each = 0; each < whole.size(); each += 2) {
      if (whole[each] == symbol) entry = whole[each + 1];
    }
    if (entry == kNone) continue;
    Number ahead = places_.ahead_of(place, symbol);
    Lists::List ways = lexing_.lists[entry];
    std::size_t next = 0;
    for (Number way = 0; next < ways.size(); ++way) {
      Open open_then = ways[next];
      next += 2 + 2 * ways[next + 1];
      auto& opens = opens_[symbol];
      if (opens.empty()) opened_.push_back(symbol);
      if (std::ranges::find(opens, open_then) == opens.end()) opens.push_back(open_then);
      Control after = this->control(ahead, open_then);
      connect(which, node, child, kNone, label_keys_.add({symbol, entry, way}), after);
    }
  }
  Number row = tree.ends[at];
  if (row == kNone) return;
  Number kept = tokens(places_.reduced(place, rule, symbols_.rows(rule)[row]));
  ended(which, node, only(control, kept));
}

void Contexts::connect(Number which, Number node, Number child, Number called, Number label,
                       Control control) {
  Control entered = only(control, tree(variants_[which].rule).needs[child]);
  if (edges_.size() >= kMaxEdges) throw complexity();
  Number target = reach(which, child, entered), made = number(edges_.size());
  edges_.push_back({called, label, target, kNone});
  Node& from = variants_[which].nodes[node];
  (from.edges == 0 ? from.first_edge : edges_[from.last_edge].next) = made;
  from.last_edge = made;
  ++from.edges;
}

void Contexts::ended(Number which, Number node, Control control) {
  auto& ends = variants_[which].ends;
  auto known = std::ranges::find(ends, control, &std::pair<Control, std::vector<Number>>::first);
  if (known != ends.end()) {
    if (std::ranges::find(known->second, node) == known->second.end()) {
      known->second.push_back(node);
    }
    return;
  }
  if (controls_[control].empty()) return;  // nothing may follow, not even the end
  ends.emplace_back(control, std::vector<Number>(1, node));
  for (const Waiting& caller : variants_[which].waiting) {  // `connect` makes no variants
    connect(caller.variant, caller.node, caller.child, which, control, control);
  }
}

// --- what is written -----------------------------------------------------------------------------

std::vector<std::int32_t> Contexts::words() {
  std::vector<Number> labels, parts;
  for (Number which = 0; which < label_keys_.size(); ++which) {
    Lists::List key = label_keys_[which];
    Lists::List ways = lexing_.lists[key[1]];
    std::size_t at = 0;
    for (Number way = 0; way < key[2]; ++way) at += 2 + 2 * ways[at + 1];
    parts.clear();
    for (std::size_t each = 0; each < ways[at + 1]; ++each) {
      std::size_t here = at + 2 + 2 * each;
      parts.push_back(lexing_.expression(key[0], ways[here], ways[here + 1]));
    }
    labels.push_back(lexing_.leaves.either(parts));
  }
  const Variant& start = variants_[start_];
  std::vector<std::int32_t> rest, found;
  auto put = [&](std::size_t value) { rest.push_back(static_cast<std::int32_t>(value)); };
  put(symbols_.rules());
  put(variants_.size());
  for (const Variant& variant : variants_) {
    put(variant.rule);
    put(variant.nodes.size());
    put(0);
    for (const Node& node : variant.nodes) {
      put(node.at);
      put(node.control);
      put(node.edges);
      for (Number at = node.first_edge; at != kNone; at = edges_[at].next) {
        const Edge& edge = edges_[at];
        rest.push_back(static_cast<std::int32_t>(edge.called));
        put(edge.label);
        put(edge.target);
      }
    }
    put(variant.ends.size());
    for (const auto& [control, nodes] : variant.ends) {
      put(control);
      put(nodes.size());
      for (Number node : nodes) put(node);
    }
  }
  put(start_);
  std::vector<std::pair<std::size_t, Number>> ways;
  for (std::size_t end = 0; end < start.ends.size(); ++end) {
    Lists::List whole = controls_[start.ends[end].first];
    for (std::size_t each = 0; each < whole.size(); each += 2) {
      if (whole[each] != symbols_.end()) continue;
      ways.emplace_back(end, labels.size());
      labels.push_back(whole[each + 1]);
    }
  }
  put(ways.size());
  for (const auto& [end, label] : ways) {
    put(end);
    put(label);
  }
  lexing_.leaves.write(labels, found);
  found.insert(found.end(), rest.begin(), rest.end());
  return found;
}

}  // namespace slm::lower
