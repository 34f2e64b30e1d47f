// Objects that exclude other shapes: declared members one by one, then those with free names.
// Mirrors object_frames.py, which says what repeated names have to do with it.
#include "schema/frames.h"
#include "schema/names.h"

namespace slm::schema {
namespace {

using Pointer = Lowering::Pointer;
using Count = std::int64_t;

struct State {
  std::size_t at;  // the next declared member
  Count declared;  // members with declared names that were written, as far as somebody counts them
  Count free;      // and members with free names, which may be repeats
  Claim claim;
  Numbers closed{};  // kinds of free names whose last member was written

  auto operator<=>(const State&) const = default;
};

/// Free names about which the same rules speak.
struct NameKind {
  std::uint32_t number;
  Pointer keys;
  std::vector<Goal> goals;  // of the value, shape by shape
};

/// Values that do the same to every shape that is still open.
struct ValueClass {
  Goal goal;
  Numbers by_name;   // shapes that no member with such a name can be in
  Numbers by_value;  // shapes that the member is not in for its value
};

struct FreeMembers {
  const NameKind* kind;
  std::vector<ValueClass> classes;
};

bool disjoint(const Numbers& left, const Numbers& right) {
  return std::ranges::none_of(left, [&](std::uint32_t one) { return has(right, one); });
}

Numbers united(const Numbers& left, const Numbers& right) {
  Numbers both;
  std::ranges::set_union(left, right, std::back_inserter(both));
  return both;
}

class ObjectFrames {
 public:
  ObjectFrames(Lowering& to, const ObjectShape& shape)
      : to_(to), of_(to.of), claimed_(of_.algebra, of_.arena, shape), claims_(claimed_.claims) {
    add_declared(shape);
    for (const ObjectShape* one : claimed_.shapes) {
      for (const NameRule& rule : one->rules) {
        std::vector<Name> sorted(rule.names.begin(), rule.names.end());
        std::ranges::sort(sorted, {}, [&](Name name) { return of_.pool.text(name); });
        for (Name name : sorted) add_name(name);
      }
    }
    comma_ = to.structural(",");
    goals_.resize(claimed_.shapes.size(), std::vector<std::optional<Goal>>(names_.size()));
    for (const ObjectShape* one : claimed_.shapes) {
      std::vector<Name> required(one->required.begin(), one->required.end());
      std::ranges::sort(required);
      required_.push_back(std::move(required));
    }
  }

  Pointer expression() {
    for (const ObjectShape* shape : claimed_.shapes) {
      if (!shape->some.empty()) throw Refused("some member would have to fail it");
    }
    Expressions& build = to_.build;
    Pointer empty = admits_empty() ? to_.structural("{}") : build.never;
    Pointer inner = Walk<State>(to_).expression(
        State{0, 0, 0, claimed_.claim},
        [&](const State& state) { return state.at < names_.size() ? named(state) : others(state); },
        [&](const State& state) { return ends(state); });
    if (Expressions::is_never(inner)) return empty;
    Pointer full = build.seq({to_.structural("{"), inner, to_.structural("}")});
    return Expressions::is_never(empty) ? full : build.alternatives({empty, full});
  }

 private:
  using Ways = Walk<State>::Ways;

  const ObjectShape& shape(std::uint32_t number) const { return *claimed_.shapes[number]; }
  std::uint32_t base() const { return claims_.shape(claimed_.claim); }

  /// The names that a shape or one it excludes declares: the base's first, in order.
  void add_declared(const ObjectShape& shape) {
    for (const NamedGoal& member : shape.members) add_name(member.name);
    for (Name name : shape.required) add_name(name);
    for (const ObjectShape* other : shape.none) add_declared(*other);
  }
  void add_name(Name name) {
    if (name >= known_.size()) known_.resize(2 * name + 16);
    if (!known_[name]) names_.push_back(name);
    known_[name] = true;
  }

  bool is_required(std::uint32_t number, Name name) const {
    return std::ranges::binary_search(required_[number], name);
  }
  /// What the value under the declared name of this index has to satisfy for a shape.
  Goal goal_of(std::size_t at, std::uint32_t number) {
    std::optional<Goal>& found = goals_[number][at];
    if (!found) found = of_.algebra.goal_of(shape(number), names_[at]);
    return *found;
  }

  bool admits_empty() {
    Numbers dead;
    for (std::uint32_t at = 0; at < claimed_.shapes.size(); ++at) {
      if (!shape(at).required.empty() || shape(at).low > 0) dead.push_back(at);
    }
    Claim left = claims_.settle(claimed_.claim, dead);
    return left != kFailed && claims_.holds(left);
  }

  // --- members with declared names ---------------------------------------------------------------

  Ways named(const State& state) {
    Name name = names_[state.at];
    const Numbers open = claims_.shapes(state.claim);
    Ways found;
    Numbers absent;
    for (std::uint32_t at : open) {
      if (is_required(at, name)) absent.push_back(at);
    }
    State next = state;
    ++next.at;
    if (auto without = settled(next, absent)) found.emplace_back(to_.build.empty, *without);
    std::vector<Goal> goals(claimed_.shapes.size(), kTrue);
    for (std::uint32_t at : open) goals[at] = goal_of(state.at, at);
    auto dead_by = [&](const Literals& failed) {
      Numbers dead;
      for (std::uint32_t at : open) {
        if (fails(of_.goals, goals[at], failed)) dead.push_back(at);
      }
      return dead;
    };
    auto asked = [&](const Literals& held, const Literals& failed) -> std::int32_t {
      Claim left = claims_.settle(state.claim, dead_by(failed));
      if (left == kFailed) return 0;
      std::vector<Goal> wanted;
      for (std::uint32_t at : claims_.shapes(left)) wanted.push_back(goals[at]);
      return undecided(of_.goals, wanted, held, failed);
    };
    ++next.declared;
    Steps<State> steps;
    if (Goal first = goals[claims_.shape(state.claim)]; first != kFalse) {
      each_class(of_, first, asked, [&](Goal goal, const Literals& failed) {
        std::optional<State> after = settled(next, dead_by(failed));
        if (!after) return;
        Pointer value = to_.value(goal);
        if (!Expressions::is_never(value)) steps.add(*after, value);
      });
    }
    for (auto& [after, values] : steps) {
      found.emplace_back(member(state, to_.key(name), values), after);
    }
    return found;
  }

  Pointer member(const State& state, Pointer key, const std::vector<Pointer>& values) {
    std::vector<Pointer> parts;
    if (state.declared + state.free) parts.push_back(comma_);
    parts.push_back(key);
    parts.push_back(to_.build.alternatives(values));
    return to_.build.seq(parts);
  }

  /// The state once some shapes do not hold, or do not unless a name is repeated.
  std::optional<State> settled(const State& state, const Numbers& dead,
                               const Numbers& unsure = {}) {
    Claim left = state.claim;
    if (!unsure.empty()) left = claims_.settle_unsure(left, unsure);
    if (left != kFailed) left = claims_.settle(left, dead);
    if (left == kFailed) return std::nullopt;
    const Numbers open = claims_.shapes(left);
    for (std::uint32_t number : open) {
      const std::optional<Count>& high = shape(number).high;
      if (left == kFailed || !high || state.declared + state.free <= *high) continue;
      bool sure = state.declared + std::min<Count>(state.free, 1) > *high;
      left = sure ? claims_.settle(left, {number}) : claims_.settle_unsure(left, {number});
    }
    if (left == kFailed) return std::nullopt;
    left = claims_.without_sure(left, [&](auto number) { return follows(number, state); });
    if (left == kFailed) return std::nullopt;
    Count most = 0;
    for (std::uint32_t number : claims_.shapes(left)) {
      const ObjectShape& one = shape(number);
      most = std::max({most, one.low, one.high ? *one.high + 1 : 0});
    }
    if (most == 0) {
      Count written = std::min<Count>(1, state.declared + state.free);
      return State{state.at, written, 0, left, state.closed};
    }
    return State{state.at, std::min(state.declared, most), std::min(state.free, most), left,
                 state.closed};
  }

  /// Whether a shape holds where the base does, as far as members are still to come.
  bool follows(std::uint32_t number, const State& state) {
    const ObjectShape &one = shape(number), &whole = shape(base());
    if (one.low > std::max(state.declared, whole.low)) return false;
    auto in_base = [&](const NameRule& rule) {
      auto same = [&](const NameRule& other) { return of_.algebra.equal(rule, other); };
      return std::ranges::any_of(whole.rules, same);
    };
    if (!std::ranges::all_of(one.rules, in_base)) return false;
    if (one.high && (!whole.high || *whole.high > *one.high)) return false;
    for (std::size_t at = state.at; at < names_.size(); ++at) {
      if (is_required(number, names_[at]) && !is_required(base(), names_[at])) return false;
      if (!of_.goals.contains(goal_of(at, base()), goal_of(at, number))) return false;
    }
    return true;
  }

  bool ends(const State& state) {
    if (state.at < names_.size() || !(state.declared + state.free)) return false;
    Claim left = state.claim;
    const Numbers open = claims_.shapes(left);
    for (std::uint32_t number : open) {
      Count low = shape(number).low;
      if (left == kFailed || state.declared + std::min<Count>(state.free, 1) >= low) continue;
      bool few = state.declared + state.free < low;
      left = few ? claims_.settle(left, {number}) : claims_.settle_unsure(left, {number});
    }
    return left != kFailed && claims_.holds(left);
  }

  // --- members with free names -------------------------------------------------------------------

  Ways others(const State& state) {
    const std::vector<FreeMembers>& kinds = classes(state.claim);
    Numbers denied = claims_.denied(state.claim);
    if (!kinds.empty() && state.closed.empty()) check(state, kinds, denied);
    Ways found;
    State more = state;
    ++more.free;
    for (const FreeMembers& members : kinds) {
      std::uint32_t kind = members.kind->number;
      if (has(state.closed, kind)) continue;
      Steps<State> steps;
      for (const ValueClass& each : members.classes) {
        std::vector<std::optional<State>> ways;
        if (state.closed.empty()) {  // what its value does may be undone
          ways.push_back(settled(more, each.by_name, each.by_value));
        }
        if (!disjoint(each.by_value, denied)) {  // the last of its kind
          State last = more;
          last.closed = with(state.closed, kind);
          ways.push_back(settled(last, united(each.by_name, each.by_value)));
        }
        for (const std::optional<State>& after : ways) {
          if (!after) continue;
          Pointer value = to_.value(each.goal);
          if (!Expressions::is_never(value)) steps.add(*after, value);
        }
      }
      for (auto& [after, values] : steps) {
        found.emplace_back(member(state, members.kind->keys, values), after);
      }
    }
    return found;
  }

  /// Makes sure that repeated names cannot hide an object that is valid.
  void check(const State& state, const std::vector<FreeMembers>& kinds, const Numbers& denied) {
    for (std::uint32_t number : claims_.shapes(state.claim)) {
      const ObjectShape& one = shape(number);
      bool is_denied = has(denied, number);
      Count need = is_denied && one.high ? *one.high + 1 : 0;
      if (!is_denied || number == claims_.shape(state.claim)) need = std::max(need, one.low);
      if (need > state.declared + 1 && !state.free) {
        throw Refused("members with free names might repeat a name to reach a number of them");
      }
    }
    for (const FreeMembers& members : kinds) {
      std::vector<Numbers> killed;
      for (const ValueClass& each : members.classes) {
        Numbers both;
        std::ranges::set_intersection(each.by_value, denied, std::back_inserter(both));
        killed.push_back(std::move(both));
      }
      std::ranges::stable_sort(killed, {}, &Numbers::size);
      for (std::size_t at = 1; at < killed.size(); ++at) {
        if (!std::ranges::includes(killed[at], killed[at - 1])) {
          throw Refused("two members would have to fail it");
        }
      }
    }
  }

  const std::vector<FreeMembers>& classes(Claim claim) {
    auto known = free_.find(claim);
    if (known != free_.end()) return known->second;
    std::vector<FreeMembers> found;
    for (const NameKind& kind : kinds()) {
      std::vector<ValueClass> each = values(kind, claim);
      if (!each.empty()) found.push_back({&kind, std::move(each)});
    }
    return free_[claim] = std::move(found);
  }

  std::vector<ValueClass> values(const NameKind& kind, Claim claim) {
    const Numbers open = claims_.shapes(claim);
    Goal first = kind.goals[claims_.shape(claim)];
    if (first == kFalse) return {};
    auto asked = [&](const Literals& held, const Literals& failed) {
      std::vector<Goal> wanted;
      for (std::uint32_t at : open) {
        if (!fails(of_.goals, kind.goals[at], failed)) wanted.push_back(kind.goals[at]);
      }
      return undecided(of_.goals, wanted, held, failed);
    };
    std::vector<ValueClass> found;
    Numbers by_name = open;
    each_class(of_, first, asked, [&](Goal goal, const Literals& failed) {
      Numbers dead, kept;
      for (std::uint32_t at : open) {
        if (fails(of_.goals, kind.goals[at], failed)) dead.push_back(at);
      }
      std::ranges::set_intersection(by_name, dead, std::back_inserter(kept));
      by_name = std::move(kept);
      found.push_back({goal, {}, std::move(dead)});
    });
    for (ValueClass& each : found) {
      each.by_name = by_name;
      std::erase_if(each.by_value, [&](std::uint32_t at) { return has(by_name, at); });
    }
    return found;
  }

  const std::vector<NameKind>& kinds() {
    if (kinds_) return *kinds_;
    NameConditions conditions(of_);
    for (const ObjectShape* shape : claimed_.shapes) {
      for (const NameRule& rule : shape->rules) conditions.add(rule);
    }
    kinds_.emplace();
    for (const std::vector<bool>& holds : conditions.inhabited()) {
      std::optional<Part> region = conditions.region(holds);
      std::vector<Goal> goals;
      for (const ObjectShape* shape : claimed_.shapes) {
        Goal goal = kTrue;
        for (const NameRule& rule : shape->rules) {
          if (conditions.speaks(rule, holds)) goal = of_.goals.conjoin(goal, rule.goal);
        }
        goals.push_back(goal);
      }
      if (region && !of_.pool.has_other(*region, names_)) continue;
      auto number = static_cast<std::uint32_t>(kinds_->size());
      kinds_->push_back({number, to_.free_key(region, names_), std::move(goals)});
    }
    return *kinds_;
  }

  Lowering& to_;
  Normaliser& of_;
  Claimed<ObjectShape> claimed_;
  Claims& claims_;
  std::vector<Name> names_;
  std::vector<bool> known_;                              // by name
  std::vector<std::vector<Name>> required_;              // by shape, sorted
  std::vector<std::vector<std::optional<Goal>>> goals_;  // by shape and name
  std::optional<std::vector<NameKind>> kinds_;
  std::map<Claim, std::vector<FreeMembers>> free_;
  Pointer comma_;
};

}  // namespace

Lowering::Pointer object_frames(Lowering& to, const ObjectShape& shape) {
  return ObjectFrames(to, shape).expression();
}

}  // namespace slm::schema
