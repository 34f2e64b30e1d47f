// Shapes that exclude others, as a walk over members or items. Mirrors frames.py, which says why.
#pragma once

#include <algorithm>
#include <map>
#include <optional>
#include <vector>

#include "schema/lower.h"

namespace slm::schema {

/// A shape holds, and none of some other claims does; a number of `Claims`.
using Claim = std::uint32_t;
constexpr Claim kFailed = 0xFFFFFFFFu;
using Numbers = std::vector<std::uint32_t>;  // of shapes, or of what else is counted: sorted
using Literals = std::vector<std::int32_t>;  // of schemas: sorted

bool has(const Numbers& numbers, std::uint32_t number);
bool has(const Literals& literals, std::int32_t literal);
/// The sorted numbers with one more.
template <class T>
std::vector<T> with(std::vector<T> numbers, T one) {
  auto at = std::ranges::lower_bound(numbers, one);
  if (at == numbers.end() || *at != one) numbers.insert(at, one);
  return numbers;
}

/// Numbers claims, so that equal ones are equal numbers.
///
/// Invariant: the claims that one excludes were made before it, and are sorted and distinct.
class Claims {
 public:
  explicit Claims(Arena& arena) : arena_(arena), numbers_(arena) {}

  Claim make(std::uint32_t shape, std::vector<Claim> none);

  std::uint32_t shape(Claim claim) const { return nodes_[claim].shape; }
  /// Whether it is true where every shape that is still open holds.
  bool holds(Claim claim) const;
  /// What is left of it once some shapes do not hold; `kFailed` where it has failed.
  Claim settle(Claim claim, const Numbers& dead);
  /// The same where they may hold after all: what remains is claimed in either case.
  Claim settle_unsure(Claim claim, const Numbers& dead, bool held = true);
  /// What is left of it where some shapes are sure to hold.
  template <class Sure>
  Claim without_sure(Claim claim, Sure sure) {
    std::vector<Claim> left;
    for (Claim other : nodes_[claim].none) {
      Claim kept = without_sure(other, sure);
      if (kept == kFailed) continue;
      if (nodes_[kept].none.empty() && sure(nodes_[kept].shape)) return kFailed;
      left.push_back(kept);
    }
    return make(nodes_[claim].shape, std::move(left));
  }
  /// The shapes that are still open.
  const Numbers& shapes(Claim claim) const { return nodes_[claim].shapes; }
  /// Those that help the claim by not holding.
  Numbers denied(Claim claim) const;

 private:
  struct Node {
    std::uint32_t shape;
    Span<Claim> none;
    Numbers shapes;
  };
  void deny(Claim claim, bool held, Numbers& found) const;

  Arena& arena_;
  Interner numbers_;
  std::vector<Node> nodes_;
};

/// The shapes without their exclusions, and what is claimed of them; the first is the base.
template <class Shape>
struct Claimed {
  Claimed(Algebra& algebra, Arena& arena, const Shape& shape) : claims(arena) {
    claim = of(algebra, arena, shape);
  }

  Claims claims;
  std::vector<const Shape*> shapes;
  Claim claim;

 private:
  Claim of(Algebra& algebra, Arena& arena, const Shape& shape) {
    Shape bare = shape;
    bare.none = {};
    auto same = [&](const Shape* other) { return algebra.equal(*other, bare); };
    auto at = std::ranges::find_if(shapes, same) - shapes.begin();
    if (static_cast<std::size_t>(at) == shapes.size()) {
      shapes.push_back(arena.make<Shape>(bare));
    }
    std::vector<Claim> none;
    for (const Shape* other : shape.none) none.push_back(of(algebra, arena, *other));
    return claims.make(static_cast<std::uint32_t>(at), std::move(none));
  }
};

/// A schema on which one of the goals depends, given which hold and which fail; 0 for none.
std::int32_t undecided(const Goals& goals, const std::vector<Goal>& some, const Literals& held,
                       const Literals& failed);
/// Whether a goal is not reached by values of a class.
bool fails(const Goals& goals, Goal goal, const Literals& failed);

/// Calls `visit(class, failed)` for the values of a goal, in classes by which schemas hold of them,
/// as far as `asked(held, failed)` names one more schema that matters.
///
/// Classes are made between visits, in the same order as in Python: both may number schemas.
template <class Asked, class Visit>
void each_class(Normaliser& of, Goal goal, Asked asked, Visit visit) {
  struct Class {
    Goal goal;
    Literals held, failed;
  };
  std::vector<Class> todo{{goal, {}, {}}};
  while (!todo.empty()) {
    of.spend();
    Class found = std::move(todo.back());
    todo.pop_back();
    std::int32_t literal = asked(found.held, found.failed);
    if (literal == 0) {
      visit(found.goal, found.failed);
      continue;
    }
    auto yes = [&](Goal in) { todo.push_back({in, with(found.held, literal), found.failed}); };
    auto no = [&](Goal in) { todo.push_back({in, found.held, with(found.failed, literal)}); };
    Goal one = of.goals.of(literal);
    if (of.goals.contains(found.goal, one)) {
      yes(found.goal);
      continue;
    }
    Goal hold = of.goals.conjoin(found.goal, one);
    if (of.is_void(hold)) {
      no(found.goal);
      continue;
    }
    Goal fail =
        of.goals.conjoin(found.goal, literal < 0 ? of.goals.of(-literal) : of.negation(one));
    if (of.is_void(fail)) {
      yes(found.goal);
      continue;
    }
    no(fail);
    yes(hold);
  }
}

/// What is read, by the state after it, in the order in which states were first seen.
template <class State>
class Steps {
 public:
  using Pointer = Lowering::Pointer;

  void add(const State& after, Pointer read) {
    auto same = [&](auto& one) { return one.first == after; };
    auto found = std::ranges::find_if(steps_, same);
    if (found == steps_.end()) found = steps_.insert(found, {after, {}});
    found->second.push_back(read);
  }
  auto begin() const { return steps_.begin(); }
  auto end() const { return steps_.end(); }

 private:
  std::vector<std::pair<State, std::vector<Pointer>>> steps_;
};

/// A right-linear grammar over states: rules for those that lead to an end.
///
/// `ways(state)` is what is read in a state and the state after it; `ends(state)`, whether the text
/// may end there. Defers where there are too many states.
template <class State>
class Walk {
 public:
  using Pointer = Lowering::Pointer;
  using Ways = std::vector<std::pair<Pointer, State>>;

  explicit Walk(Lowering& to) : to_(to) {}

  template <class MakeWays, class Ends>
  Pointer expression(const State& start, MakeWays ways, Ends ends) {
    std::vector<Id> todo{id_of(start)};
    std::size_t count = 0;
    while (!todo.empty()) {
      Id state = todo.back();
      todo.pop_back();
      if (nodes_[state].seen) continue;
      if (count++ >= kMaxStates) throw Refused("too many combinations");
      to_.of.spend();
      Ways made = ways(*nodes_[state].state);
      std::vector<Edge> edges;
      for (auto& [read, after] : made) edges.push_back({read, id_of(after)});
      for (const Edge& edge : edges) todo.push_back(edge.after);
      nodes_[state].seen = true;
      nodes_[state].edges = std::move(edges);
    }
    for (Node& node : nodes_) node.ends = ends(*node.state);
    find_alive();
    if (!nodes_[0].alive) return to_.build.never;
    Pointer found = body(0);
    while (!todo_.empty()) {
      Id state = todo_.back();
      todo_.pop_back();
      Pointer made = body(state);
      to_.define(*nodes_[state].rule, made);
    }
    return found;
  }

 private:
  static constexpr std::size_t kMaxStates = 4'000;
  using Id = std::uint32_t;
  struct Edge {
    Pointer read;
    Id after;
  };
  struct Node {
    const State* state;
    bool seen = false, ends = false, alive = false;
    std::vector<Edge> edges{};
    std::optional<Rule> rule{};
  };

  Id id_of(const State& state) {
    auto [at, fresh] = ids_.try_emplace(state, static_cast<Id>(nodes_.size()));
    if (fresh) nodes_.push_back({&at->first});
    return at->second;
  }

  /// Which states end or lead to one that does.
  void find_alive() {
    std::vector<std::vector<Id>> sources(nodes_.size());
    std::vector<Id> todo;
    for (Id state = 0; state < nodes_.size(); ++state) {
      for (const Edge& edge : nodes_[state].edges) sources[edge.after].push_back(state);
      nodes_[state].alive = nodes_[state].ends;
      if (nodes_[state].ends) todo.push_back(state);
    }
    while (!todo.empty()) {
      Id state = todo.back();
      todo.pop_back();
      for (Id source : sources[state]) {
        if (nodes_[source].alive) continue;
        nodes_[source].alive = true;
        todo.push_back(source);
      }
    }
  }

  Pointer called(Id state) {
    Node& node = nodes_[state];
    auto leads = [&](const Edge& edge) { return nodes_[edge.after].alive; };
    if (node.ends && std::ranges::none_of(node.edges, leads)) return to_.build.empty;
    if (!node.rule) {
      node.rule = to_.fresh_rule();
      todo_.push_back(state);
    }
    return to_.build.call(*node.rule);
  }

  Pointer body(Id state) {
    std::vector<Pointer> options, loops;
    if (nodes_[state].ends) options.push_back(to_.build.empty);
    for (const Edge& edge : nodes_[state].edges) {
      if (edge.after == state) {
        loops.push_back(edge.read);
      } else if (nodes_[edge.after].alive) {
        options.push_back(to_.build.seq({edge.read, called(edge.after)}));
      }
    }
    Pointer rest = to_.build.alternatives(options);
    if (loops.empty()) return rest;
    return to_.build.seq({to_.build.many(to_.build.alternatives(loops)), rest});
  }

  Lowering& to_;
  std::map<State, Id> ids_;
  std::vector<Node> nodes_;
  std::vector<Id> todo_;
};

/// The texts of the arrays and objects of shapes with exclusions.
Lowering::Pointer array_frames(Lowering& to, const ArrayShape& shape);
Lowering::Pointer object_frames(Lowering& to, const ObjectShape& shape);

}  // namespace slm::schema
