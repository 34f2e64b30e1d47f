#include "schema/witnesses.h"

#include <algorithm>

namespace slm::schema {
namespace {

constexpr std::size_t kMaxVariants = 64;
constexpr std::size_t kMaxWitnesses = 4;
constexpr std::int64_t kMaxCounted = 256;

bool contains(Span<Name> names, Name name) { return std::ranges::find(names, name) != names.end(); }

/// Calls `visit` with each choice of so many of the numbers, in lexicographic order.
template <class Visit>
void combinations(const std::vector<std::size_t>& from, std::size_t size, std::size_t start,
                  std::vector<std::size_t>& taken, Visit& visit) {
  if (taken.size() == size) {
    visit(taken);
    return;
  }
  for (std::size_t at = start; at < from.size(); ++at) {
    taken.push_back(from[at]);
    combinations(from, size, at + 1, taken, visit);
    taken.pop_back();
  }
}

/// The ways in which one shape has what is wanted, appended.
void fulfil(Normaliser& of, const ObjectShape& one, const NameRule& wanted,
            std::vector<const ObjectShape*>& found) {
  Arena& arena = of.arena;
  std::vector<Name> names;
  auto add = [&](Name name) {
    if (!contains(names, name) && of.algebra.applies(wanted, name)) names.push_back(name);
  };
  for (const NamedGoal& member : one.members) add(member.name);
  for (Name name : one.required) add(name);
  auto is_required = [&](Name name) { return contains(one.required, name); };
  if (wanted.goal == kTrue && std::ranges::any_of(names, is_required)) {
    found.push_back(&one);
    return;
  }
  for (Name name : names) {
    ObjectShape made = one;
    if (wanted.goal != kTrue) {
      std::vector<NamedGoal> members(one.members.begin(), one.members.end());
      auto at = [&](Name wanted_name) {
        return std::ranges::find(members, wanted_name, &NamedGoal::name);
      };
      for (Name needed : one.required) {
        if (at(needed) == members.end()) members.push_back({needed, kTrue});
      }
      Goal& goal = at(name)->goal;
      goal = of.goals.conjoin(goal, wanted.goal);
      made.members = arena.keep(members);
    }
    if (!is_required(name)) {
      std::vector<Name> required(one.required.begin(), one.required.end());
      required.push_back(name);
      made.required = arena.keep(required);
    }
    found.push_back(arena.make<ObjectShape>(made));
  }
  ObjectShape made = one;
  std::vector<NameRule> some(one.some.begin(), one.some.end());
  some.push_back(wanted);
  made.some = arena.keep(some);
  found.push_back(arena.make<ObjectShape>(made));
}

}  // namespace

std::vector<const ObjectShape*> with_members(Normaliser& of, const ObjectShape& shape) {
  ObjectShape plain = shape;
  plain.some = {};
  std::vector<const ObjectShape*> found{of.arena.make<ObjectShape>(plain)};
  for (const NameRule& wanted : shape.some) {
    std::vector<const ObjectShape*> more;
    for (const ObjectShape* one : found) fulfil(of, *one, wanted, more);
    found = std::move(more);
    if (found.size() > kMaxVariants) throw Refused("too many ways to violate a schema");
  }
  return found;
}

Witnesses::Witnesses(Lowering& to, Span<NameRule> some, Free free, Pointer comma,
                     std::optional<Count> most)
    : to_(to), free_(std::move(free)), comma_(comma), most_(most) {
  for (const NameRule& rule : some) {
    if (rule.goal == kTrue) wanted_.push_back(rule);
  }
  names_ = wanted_.size();
  for (const NameRule& rule : some) {
    if (rule.goal != kTrue) wanted_.push_back(rule);
  }
  for (std::size_t one = names_; one < wanted_.size(); ++one) {
    for (std::size_t two = one + 1; two < wanted_.size(); ++two) {
      if (overlap(wanted_[one], wanted_[two])) throw Refused("two members would have to fail it");
    }
  }
  if (wanted_.size() > kMaxWitnesses || most_.value_or(0) > kMaxCounted) {
    throw Refused("too many members would have to be counted");
  }
}

/// Whether one name may be in both: only where it is not do two witnesses never meet.
bool Witnesses::overlap(const NameRule& one, const NameRule& two) {
  std::vector<Part> parts;
  std::vector<bool> held;
  std::vector<Name> names;
  for (const NameRule* rule : {&one, &two}) {
    if (rule->included) {
      parts.push_back(*rule->included);
      held.push_back(true);
    }
    for (Part part : rule->excluded) {
      parts.push_back(part);
      held.push_back(false);
    }
    names.insert(names.end(), rule->names.begin(), rule->names.end());
  }
  if (parts.empty()) return true;
  std::ranges::sort(names);
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return to_.of.pool.has_other(to_.of.pool.region(parts, held), names);
}

Lowering::Pointer Witnesses::from(Count count, const Numbers& done) {
  auto found = made_.find({count, done});
  if (found != made_.end()) return found->second;
  Pointer made = body(count, done);
  if (!Expressions::is_empty(made) && !Expressions::is_never(made)) made = to_.add_rule(made);
  return made_[{count, done}] = made;
}

Lowering::Pointer Witnesses::body(Count count, const Numbers& done) {
  Expressions& build = to_.build;
  Numbers open;
  for (std::size_t at = 0; at < wanted_.size(); ++at) {
    if (!std::ranges::binary_search(done, at)) open.push_back(at);
  }
  std::vector<Pointer> options;
  if (open.empty()) options.push_back(build.empty);
  if (most_ && count >= *most_) return build.alternatives(options);
  Count after = most_ ? count + 1 : 1;
  auto asks_value = [&](std::size_t at) { return at >= names_; };
  // Nothing but witnesses of values follows one.
  bool closing = std::ranges::any_of(done, asks_value);
  Pointer loop = nullptr;
  auto take = [&](const Numbers& taken) {
    auto valued = std::ranges::count_if(taken, asks_value);
    if (valued > 1 || (closing && valued == 0)) return;
    std::vector<NameRule> rules;
    for (std::size_t at : taken) rules.push_back(wanted_[at]);
    Pointer member = free_(rules);
    if (member == nullptr) return;
    Pointer step = count ? build.seq({comma_, member}) : member;
    if (after == count && taken.empty()) {
      loop = step;
      return;
    }
    Numbers then = done;
    then.insert(then.end(), taken.begin(), taken.end());
    std::ranges::sort(then);
    Pointer rest = from(after, then);
    if (!Expressions::is_never(rest)) options.push_back(build.seq({step, rest}));
  };
  for (std::size_t size = 0; size <= open.size(); ++size) {
    Numbers taken;
    combinations(open, size, 0, taken, take);
  }
  Pointer made = build.alternatives(options);
  if (loop == nullptr || Expressions::is_never(made)) return made;
  return build.seq({build.many(loop), made});
}

}  // namespace slm::schema
