#include "lower/rules.h"

#include <algorithm>
#include <numeric>
#include <stdexcept>
#include <utility>

#include "lower/words.h"

namespace slm::lower {
namespace {

constexpr std::size_t kMostNames = 1u << 24;  // more are a mistake

std::uint32_t u32(std::size_t value) { return static_cast<std::uint32_t>(value); }

}  // namespace

// Shapes of atoms; nodes of tokens' expressions; labels; variants; the start.
Rules::Rules(std::span<const std::int32_t> words) {
  Words in(words);
  std::size_t atoms = in.count();
  for (std::size_t n = 0; n < atoms; ++n) shapes_of_atoms_.push_back(in.index(atoms));
  std::size_t nodes = in.count();
  std::vector<std::uint32_t> made, values;
  for (std::size_t n = 0; n < nodes; ++n) {
    auto op = static_cast<Op>(in.index(static_cast<std::size_t>(Op::kMany) + 1));
    values.clear();
    switch (op) {
      case Op::kTerminal:
        values.push_back(in.index(atoms));
        break;
      case Op::kSeq:
      case Op::kChoice:
        for (std::size_t left = in.count(); left > 0; --left) {
          values.push_back(made[in.index(made.size())]);
        }
        break;
      case Op::kMany:
        values.push_back(made[in.index(made.size())]);
        values.push_back(static_cast<std::uint32_t>(in.word()));
        values.push_back(static_cast<std::uint32_t>(in.word()));
        break;
      default:
        throw std::invalid_argument("the rules have an unknown node");
    }
    made.push_back(expressions_.make(op, values));
  }
  std::size_t labels = in.count();
  for (std::size_t n = 0; n < labels; ++n) leaves_.push_back(made[in.index(made.size())]);

  std::size_t names = in.index(kMostNames);
  taken_.assign(names, 0);
  variants_.resize(in.count());
  for (Variant& variant : variants_) {
    variant.rule = in.index(names);
    variant.nodes.resize(in.count());
    variant.root = in.index(variant.nodes.size());
    for (Variant::Node& node : variant.nodes) {
      node.at = in.index(INT32_MAX);
      node.control = in.index(INT32_MAX);
      node.first_edge = u32(variant.edges.size());
      for (std::size_t left = in.count(); left > 0; --left) {
        std::int32_t called = in.word();
        if (called < -1 || called >= static_cast<std::int32_t>(variants_.size())) {
          throw std::invalid_argument("the rules call what is not there");
        }
        std::uint32_t label = in.index(called < 0 ? labels : INT32_MAX);
        variant.edges.push_back({called, label, in.index(variant.nodes.size())});
      }
      node.edges_end = u32(variant.edges.size());
    }
    variant.ends.resize(in.count());
    for (Variant::End& end : variant.ends) {
      end.control = in.index(INT32_MAX);
      for (std::size_t left = in.count(); left > 0; --left) {
        end.nodes.push_back(in.index(variant.nodes.size()));
      }
    }
  }
  for (Variant& variant : variants_) {
    for (Variant::Edge& edge : variant.edges) {
      if (edge.called < 0) continue;  // an end's control becomes its number
      const auto& ends = variants_[static_cast<std::size_t>(edge.called)].ends;
      auto found = std::ranges::find(ends, edge.label, &Variant::End::control);
      if (found == ends.end()) throw std::invalid_argument("a variant has no such end");
      edge.label = u32(static_cast<std::size_t>(found - ends.begin()));
    }
    names_.emplace_back(variant.ends.size(), 0);
  }

  std::uint32_t root = in.index(variants_.size());
  std::vector<std::uint32_t> ways;
  for (std::size_t left = in.count(); left > 0; --left) {
    std::uint32_t end = in.index(variants_[root].ends.size());
    std::uint32_t parts[] = {call(root, end), leaves_[in.index(labels)]};
    ways.push_back(expressions_.flat(Op::kSeq, parts));
  }
  if (!in.done()) throw std::invalid_argument("the rules have words left over");
  std::uint32_t whole = expressions_.flat(Op::kChoice, ways);
  for (std::size_t next = 0; next < queue_.size(); ++next) {  // grows while it is walked
    auto [variant, end] = queue_[next];
    write(variant, end);
  }
  if (expressions_.op(whole) == Op::kCall) {
    start_ = expressions_.values(whole)[0];
  } else {
    start_ = new_name(-1);
    named_[start_].body = whole;
    order_.insert(order_.begin(), start_);
  }
  merge();
}

std::uint32_t Rules::new_name(std::int32_t rule) {
  std::uint32_t ordinal = rule < 0 ? 1 : ++taken_[static_cast<std::size_t>(rule)];
  named_.push_back({rule, ordinal, 0});
  return u32(named_.size() - 1);
}

std::uint32_t Rules::call(std::uint32_t variant, std::uint32_t end) {
  std::uint32_t& known = names_[variant][end];
  if (known == 0) {
    known = new_name(static_cast<std::int32_t>(variants_[variant].rule)) + 1;
    queue_.emplace_back(variant, end);
  }
  std::uint32_t name[] = {known - 1};
  return expressions_.make(Op::kCall, name);
}

std::uint32_t Rules::label(const Variant::Edge& edge) {
  if (edge.called < 0) return leaves_[edge.label];
  return call(static_cast<std::uint32_t>(edge.called), edge.label);
}

/// What leads to each node of a variant; found once, for all of its ends.
void Rules::find_sources(Variant& variant) {
  std::size_t count = variant.nodes.size();
  variant.first_source.assign(count + 1, 0);
  variant.sources.resize(variant.edges.size());
  for (const Variant::Edge& edge : variant.edges) ++variant.first_source[edge.target + 1];
  std::partial_sum(variant.first_source.begin(), variant.first_source.end(),
                   variant.first_source.begin());
  std::vector<std::uint32_t> filled(variant.first_source.begin(), variant.first_source.end() - 1);
  for (std::uint32_t node = 0; node < count; ++node) {
    for (std::uint32_t at = variant.nodes[node].first_edge; at < variant.nodes[node].edges_end;
         ++at) {
      variant.sources[filled[variant.edges[at].target]++] = node;
    }
  }
}

/// Node by node, from what is nearest to the end. Cost: the edges that lead to it.
void Rules::write(std::uint32_t number, std::uint32_t end) {
  Variant& variant = variants_[number];
  if (variant.first_source.empty()) find_sources(variant);
  std::size_t count = variant.nodes.size();
  if (at_nodes_.size() < count) at_nodes_.resize(count);  // all of it is as new between two calls

  std::vector<std::uint32_t>& order = useful_;
  order.clear();
  for (std::uint32_t node : variant.ends[end].nodes) {
    if (!at_nodes_[node].useful) order.push_back(node);
    at_nodes_[node].ending = at_nodes_[node].useful = true;
  }
  for (std::size_t next = 0; next < order.size(); ++next) {  // grows while it is walked
    std::uint32_t last = variant.first_source[order[next] + 1];
    for (std::uint32_t at = variant.first_source[order[next]]; at < last; ++at) {
      std::uint32_t source = variant.sources[at];
      if (!at_nodes_[source].useful) order.push_back(source);
      at_nodes_[source].useful = true;
    }
  }
  // By how many useful nodes a node is entered.
  for (std::uint32_t node : order) {
    for (std::uint32_t at = variant.nodes[node].first_edge; at < variant.nodes[node].edges_end;
         ++at) {
      AtNode& target = at_nodes_[variant.edges[at].target];
      if (!target.useful || target.last == node) continue;
      target.last = node;
      ++target.entries;
    }
  }
  // Places of a rule have ascending numbers on the way to its ends.
  std::ranges::sort(order, std::ranges::greater(), [&](std::uint32_t node) {
    return std::pair(variant.nodes[node].at, variant.nodes[node].control);
  });

  std::uint32_t empty = expressions_.make(Op::kSeq, {});
  std::vector<std::uint32_t> heads, options;
  for (std::uint32_t node : order) {
    std::size_t targets = 0;  // with their edges
    for (std::uint32_t at = variant.nodes[node].first_edge; at < variant.nodes[node].edges_end;
         ++at) {
      AtNode& target = at_nodes_[variant.edges[at].target];
      if (!target.useful) continue;
      if (target.slot == kUnknown) {
        target.slot = u32(targets++);
        if (targets_.size() < targets) targets_.emplace_back();
        targets_[target.slot].clear();
      }
      targets_[target.slot].push_back(at);
    }
    options.clear();
    if (at_nodes_[node].ending) options.push_back(empty);
    for (std::size_t which = 0; which < targets; ++which) {
      AtNode& target = at_nodes_[variant.edges[targets_[which][0]].target];
      target.slot = kUnknown;
      if (target.body == kUnknown) {
        throw std::invalid_argument("in the rules a place leads back to an earlier one");
      }
      read_heads(variant, targets_[which], heads);
      std::uint32_t parts[] = {expressions_.flat(Op::kChoice, heads), target.body};
      options.push_back(expressions_.flat(Op::kSeq, parts));
    }
    std::uint32_t body = expressions_.flat(Op::kChoice, options);
    if (at_nodes_[node].entries > 1 && expressions_.op(body) != Op::kCall && body != empty) {
      std::uint32_t helper[] = {new_name(static_cast<std::int32_t>(variant.rule))};
      named_[helper[0]].body = body;
      order_.push_back(helper[0]);
      body = expressions_.make(Op::kCall, helper);
    }
    at_nodes_[node].body = body;
  }
  std::uint32_t root = at_nodes_[variant.root].body;
  for (std::uint32_t node : order) at_nodes_[node] = {};
  if (root == kUnknown) throw std::invalid_argument("in the rules an end is not reached");
  std::uint32_t name = names_[number][end] - 1;
  named_[name].body = root;
  order_.push_back(name);
}

/// What some edges read, each once.
void Rules::read_heads(const Variant& variant, const std::vector<std::uint32_t>& edges,
                       std::vector<std::uint32_t>& heads) {
  constexpr std::size_t kFew = 16;
  heads.clear();
  if (edges.size() > kFew) seen_.clear();  // takes as long as it was ever large
  seen_keys_.clear();
  for (std::uint32_t at : edges) {
    const Variant::Edge& edge = variant.edges[at];
    std::uint64_t key = (static_cast<std::uint64_t>(edge.called + 1) << 32) | edge.label;
    if (edges.size() > kFew) {
      if (!seen_.insert(key).second) continue;
    } else {
      if (std::ranges::find(seen_keys_, key) != seen_keys_.end()) continue;
      seen_keys_.push_back(key);
    }
    heads.push_back(label(edge));
  }
}

void Rules::merge() {
  while (merge_once()) {
  }
  std::vector<std::uint32_t> numbers(named_.size(), 0);
  for (std::uint32_t at = 0; at < order_.size(); ++at) numbers[order_[at]] = at;
  for (std::uint32_t name : order_) rules_.push_back(named_[name]);
  start_ = numbers[start_];
}

bool Rules::merge_once() {
  std::vector<std::uint32_t> numbers(named_.size(), 0);
  for (std::uint32_t at = 0; at < order_.size(); ++at) numbers[order_[at]] = at;

  // A shape is an expression with its calls left out; they are listed beside it.
  Expressions shapes;
  std::vector<std::uint32_t> shape(expressions_.size());
  std::vector<std::uint32_t> values;
  for (std::uint32_t node = 0; node < shape.size(); ++node) {  // children come first
    auto inner = expressions_.values(node);
    values.assign(inner.begin(), inner.end());
    Op op = expressions_.op(node);
    if (op == Op::kTerminal) values[0] = shapes_of_atoms_[values[0]];
    if (op == Op::kCall) values.clear();
    if (op == Op::kMany) values[0] = shape[values[0]];
    if (expressions_.has_parts(node)) {
      for (std::uint32_t& value : values) value = shape[value];
    }
    shape[node] = shapes.make(op, values);
  }
  std::vector<std::uint32_t> kinds, stack;
  Calls calls;
  for (std::uint32_t at = 0; at < order_.size(); ++at) {
    stack.assign(1, named_[order_[at]].body);
    kinds.push_back(shape[stack[0]]);
    while (!stack.empty()) {
      std::uint32_t node = stack.back();
      stack.pop_back();
      auto inner = expressions_.values(node);
      if (expressions_.op(node) == Op::kCall) calls.add(numbers[inner[0]]);
      if (expressions_.op(node) == Op::kMany) stack.push_back(inner[0]);
      if (expressions_.has_parts(node)) stack.insert(stack.end(), inner.rbegin(), inner.rend());
    }
    calls.end();
  }
  std::vector<std::uint32_t> block = refined(kinds, calls);

  std::vector<std::uint32_t> names(named_.size(), 0), kept;
  std::vector<std::uint32_t> first(order_.size(), kUnknown);  // by block
  for (std::uint32_t at = 0; at < order_.size(); ++at) {
    std::uint32_t& found = first[block[at]];
    if (found == kUnknown) kept.push_back(found = order_[at]);
    names[order_[at]] = found;
  }
  if (kept.size() == order_.size()) return false;
  bool shrunk = false;
  std::vector<std::uint32_t> known(expressions_.size(), UINT32_MAX);
  for (std::uint32_t name : kept) {
    named_[name].body = renamed(named_[name].body, names, known, shrunk);
  }
  order_ = std::move(kept);
  start_ = names[start_];
  return shrunk;
}

std::uint32_t Rules::renamed(std::uint32_t node, const std::vector<std::uint32_t>& names,
                             std::vector<std::uint32_t>& known, bool& shrunk) {
  if (known[node] != UINT32_MAX) return known[node];
  Op op = expressions_.op(node);
  std::span<const std::uint32_t> inner = expressions_.values(node);  // stays where it is
  if (op == Op::kTerminal) return known[node] = node;
  if (op == Op::kCall) {
    std::uint32_t name[] = {names[inner[0]]};
    return known[node] = expressions_.make(op, name);
  }
  std::size_t parts = op == Op::kMany ? 1 : inner.size(), begin = renamed_.size();
  for (std::uint32_t value : inner.first(parts)) {
    std::uint32_t part = renamed(value, names, known, shrunk);
    renamed_.push_back(part);
  }
  if (op == Op::kChoice) {  // each part once
    last_seen_.resize(expressions_.size(), 0);
    ++choices_;
    std::size_t end = begin;
    for (std::size_t at = begin; at < renamed_.size(); ++at) {
      std::uint32_t part = renamed_[at];
      if (std::exchange(last_seen_[part], choices_) != choices_) renamed_[end++] = part;
    }
    shrunk = shrunk || end < renamed_.size();
    renamed_.resize(end);
  }
  renamed_.insert(renamed_.end(), inner.begin() + static_cast<std::ptrdiff_t>(parts), inner.end());
  std::span<const std::uint32_t> made = std::span(renamed_).subspan(begin);
  known[node] = op == Op::kChoice && made.size() == 1 ? made[0] : expressions_.make(op, made);
  renamed_.resize(begin);
  return known[node];
}

std::vector<std::uint32_t> Rules::atoms() const {
  std::vector<std::uint32_t> found, stack;
  std::vector<bool> seen(expressions_.size(), false);
  for (const Rule& rule : rules_) {
    stack.assign(1, rule.body);
    while (!stack.empty()) {
      std::uint32_t node = stack.back();
      stack.pop_back();
      if (seen[node]) continue;
      seen[node] = true;
      auto inner = expressions_.values(node);
      if (expressions_.op(node) == Op::kTerminal) found.push_back(inner[0]);
      if (expressions_.op(node) == Op::kMany) stack.push_back(inner[0]);
      if (expressions_.has_parts(node)) stack.insert(stack.end(), inner.rbegin(), inner.rend());
    }
  }
  return found;
}

std::vector<std::int32_t> Rules::words(std::span<const std::int32_t> terminals,
                                       std::int32_t first) const {
  std::vector<std::uint32_t> used = atoms();
  if (terminals.size() != used.size()) throw std::invalid_argument("a number for each atom");
  std::vector<std::int32_t> of_atom(shapes_of_atoms_.size(), -1);
  for (std::size_t at = 0; at < used.size(); ++at) of_atom[used[at]] = terminals[at];
  std::vector<std::int32_t> of_name(named_.size(), -1);
  for (std::size_t at = 0; at < order_.size(); ++at) {
    of_name[order_[at]] = static_cast<std::int32_t>(at);
  }

  std::vector<std::int32_t> found(1, 0), number(expressions_.size(), -1), bodies;
  std::int32_t next = first;
  std::vector<std::uint32_t> stack;
  for (const Rule& rule : rules_) {
    stack.assign(1, rule.body);
    while (!stack.empty()) {  // a node is numbered when all of its parts are
      std::uint32_t node = stack.back();
      if (number[node] >= 0) {
        stack.pop_back();
        continue;
      }
      Op op = expressions_.op(node);
      auto values = expressions_.values(node);
      auto parts = values.first(expressions_.has_parts(node) ? values.size()
                                : op == Op::kMany            ? 1
                                                             : 0);
      std::size_t before = stack.size();
      for (std::size_t at = parts.size(); at > 0; --at) {
        if (number[parts[at - 1]] < 0) stack.push_back(parts[at - 1]);
      }
      if (stack.size() > before) continue;
      stack.pop_back();
      number[node] = next++;
      found.push_back(static_cast<std::int32_t>(op));
      if (expressions_.has_parts(node)) found.push_back(static_cast<std::int32_t>(values.size()));
      for (std::uint32_t part : parts) found.push_back(number[part]);
      if (op == Op::kTerminal) found.push_back(of_atom[values[0]]);
      if (op == Op::kCall) found.push_back(of_name[values[0]]);
      if (op == Op::kMany) {
        found.push_back(static_cast<std::int32_t>(values[1]));
        found.push_back(static_cast<std::int32_t>(values[2]));
      }
    }
    bodies.push_back(number[rule.body]);
  }
  found[0] = next - first;
  found.insert(found.end(), bodies.begin(), bodies.end());
  return found;
}

}  // namespace slm::lower
