// Object shapes → expressions: declared members in order, then the others.
#include <algorithm>

#include "schema/frames.h"
#include "schema/members.h"
#include "schema/names.h"
#include "schema/witnesses.h"

namespace slm::schema {
namespace {

constexpr std::size_t kMaxNameConditions = 6;
constexpr std::int64_t kMaxCountRules = 4'000;
constexpr std::int64_t kFewMembers = 8;
using Pointer = Expressions::Pointer;
using Count = std::int64_t;

/// Members one after the other, as rules over (next declared member, members so far).
class Chain {
 public:
  Chain(Lowering& to, Members&& members, Pointer comma)
      : to_(to),
        members_(std::move(members.declared)),
        free_(members.free),
        must_(members.must),
        witnesses_(members.witnesses),
        comma_(comma),
        low_(members.low),
        high_(members.high),
        made_(to.of.arena),
        shared_(to.of.arena) {
    auto is_required = [](const DeclaredMember& member) { return member.required; };
    Count required = std::ranges::count_if(members_, is_required);
    if (low_ <= required + (witnesses_ != nullptr)) low_ = 0;
    if (high_ && free_ == nullptr && *high_ >= size()) high_ = std::nullopt;
    cap_ = high_ ? std::max(low_, *high_) : std::max<Count>(1, low_);
  }

  /// All members; at least one.
  Pointer start() {
    low_ = std::max<Count>(low_, 1);  // the empty object is a text of its own
    bool plain = cap_ == 1 && !high_ && must_ == nullptr && witnesses_ == nullptr;
    if (size() > kFewMembers && plain) return after_comma();
    if (cap_ > 1 && size() * cap_ > kMaxCountRules) throw Refused("too many rules that count");
    width_ = static_cast<std::size_t>(std::min(cap_, size())) + 1;
    made_.resize((members_.size() + 1) * width_, nullptr);
    shared_.resize(made_.size(), nullptr);
    Count last = size();
    if (cap_ == 1 && !high_) {  // after the first required member there is only one way on
      Count first = 0;
      while (first < size() && !members_[static_cast<std::size_t>(first)].required) ++first;
      last = std::min(first + 1, last);
    }
    for (Count at = last; at >= 0; --at) {
      for (Count count = std::min(at, cap_); count >= 0; --count) {
        made_[place(at, count)] = tail(at, count, at == last);
      }
    }
    return made_[place(0, 0)];
  }

 private:
  Count size() const { return static_cast<Count>(members_.size()); }
  std::size_t place(Count at, Count count) const {
    return static_cast<std::size_t>(at) * width_ + static_cast<std::size_t>(count);
  }

  /// The same where nothing is counted, by rules over the next declared member alone. A comma is
  /// read before it is said which member it leads to, so that it is one and not as many as members.
  Pointer after_comma() {
    Expressions& build = to_.build;
    bool must_follow = false;
    Pointer next = build.never;
    if (free_ != nullptr) next = build.seq({free_, build.many(build.seq({comma_, free_}))});
    Pointer rest = others(1);
    for (std::size_t at = members_.size();;) {
      Pointer body;
      if (members_[at - 1].required) {
        std::size_t end = at--;
        while (at > 0 && members_[at - 1].required) --at;
        parts_.assign(1, members_[at].expression);
        for (std::size_t k = at + 1; k < end; ++k) {
          parts_.insert(parts_.end(), {comma_, members_[k].expression});
        }
        parts_.push_back(rest);
        body = build.seq(parts_);
        must_follow = true;
      } else {
        --at;
        body = build.alternatives({build.seq({members_[at].expression, rest}), next});
      }
      if (at == 0) return body;
      next = to_.add_rule(body);
      rest = build.seq({comma_, next});
      if (!must_follow) rest = build.optional(rest);
    }
  }

  Pointer tail(Count at, Count count, bool flat) {
    Expressions& build = to_.build;
    if (at == size()) return others(count);
    if (flat && count == 0) return build.never;  // a required member came before
    bool free_count = count >= std::max<Count>(1, low_) && !high_;
    if (flat || (free_count && size() - at <= 4)) {
      parts_.clear();
      for (Count next = at; next < size(); ++next) {
        const DeclaredMember& member = members_[static_cast<std::size_t>(next)];
        Pointer with_comma = build.seq({comma_, member.expression});
        parts_.push_back(member.required ? with_comma : build.optional(with_comma));
      }
      parts_.push_back(others(count));
      return build.seq(parts_);
    }
    const DeclaredMember& member = members_[static_cast<std::size_t>(at)];
    Pointer with = build.never, without = build.never;
    if (!high_ || count < *high_) {
      Pointer step = count ? build.seq({comma_, member.expression}) : member.expression;
      Pointer rest = shared(at + 1, std::min(count + 1, cap_));
      if (!Expressions::is_never(rest)) with = build.seq({step, rest});
    }
    if (!member.required) without = shared(at + 1, count);
    return build.alternatives({with, without});
  }

  /// The tail itself where it is short, else a call to a rule of it.
  Pointer shared(Count at, Count count) {
    Pointer body = made_[place(at, count)];
    bool plain = Expressions::is_never(body) || Expressions::is_empty(body);
    if (plain || at == size()) return body;
    Pointer& found = shared_[place(at, count)];
    if (found == nullptr) found = to_.add_rule(body);
    return found;
  }

  Pointer others(Count count) {
    if (witnesses_ != nullptr) return witnesses_->after(count);
    Expressions& build = to_.build;
    Count need = std::max<Count>(0, low_ - count);
    if (free_ == nullptr) return need == 0 ? build.empty : build.never;
    std::optional<Count> most;
    if (high_) most = *high_ - count;
    if (most && *most < need) return build.never;
    if (most && *most == 0) return build.empty;
    Pointer following = build.seq({comma_, free_});
    if (must_ != nullptr) {
      Pointer rest = build.many(following);
      Pointer late = build.seq({build.many(following), comma_, must_, rest});
      if (count) return late;
      return build.alternatives({build.seq({must_, rest}), build.seq({free_, late})});
    }
    if (count) return build.many(following, need, most);
    if (most) --*most;
    return build.seq({free_, build.many(following, std::max<Count>(0, need - 1), most)});
  }

  Lowering& to_;
  std::vector<DeclaredMember> members_;
  Pointer free_, must_;
  Witnesses* witnesses_;
  Pointer comma_;
  Count low_;
  std::optional<Count> high_;
  Count cap_;
  std::size_t width_ = 0;
  Growing<Pointer> made_, shared_;
  std::vector<Pointer> parts_;  // of the sequence at hand
};

}  // namespace

Lowering::Pointer Lowering::objects(const ObjectShape& shape) {
  if (!shape.none.empty()) return object_frames(*this, shape);
  if (shape.some.empty()) return one_object(shape);
  std::vector<Pointer> options;
  for (const ObjectShape* one : with_members(of, shape)) options.push_back(one_object(*one));
  return build.alternatives(options);
}

Lowering::Pointer Lowering::one_object(const ObjectShape& shape) {
  Count low = shape.low;
  std::optional<Count> high = shape.high;
  auto required_count = static_cast<Count>(shape.required.size());
  if (!shape.some.empty()) low = std::max<Count>(low, 1);
  if (high && required_count > *high) return build.never;
  Pointer empty = low == 0 && shape.required.empty() ? structural("{}") : build.never;
  if (high && *high == 0) return empty;
  std::vector<Name> names;
  names.reserve(shape.members.size() + shape.required.size());
  for (const NamedGoal& member : shape.members) names.push_back(member.name);
  std::vector<Name> declared = names;
  std::ranges::sort(declared);
  for (Name name : shape.required) {
    if (!std::ranges::binary_search(declared, name)) names.push_back(name);
  }
  std::vector<Name> required(shape.required.begin(), shape.required.end());
  std::ranges::sort(required);
  Members members{.low = low, .high = high};
  members.declared.reserve(names.size());
  for (std::size_t at = 0; at < names.size(); ++at) {
    Name name = names[at];
    Goal goal = kTrue;
    if (!shape.rules.empty()) {
      goal = of.algebra.goal_of(shape, name);
    } else if (at < shape.members.size()) {
      goal = shape.members[at].goal;
    }
    bool is_required = std::ranges::binary_search(required, name);
    if (goal == kFalse) {
      if (is_required) return build.never;
      continue;
    }
    Pointer value = this->value(goal);
    if (Expressions::is_never(value) && is_required) return build.never;
    members.declared.push_back({build.seq({key(name), value}), is_required});
  }
  members.free = free_members(shape, names, {});
  std::optional<Witnesses> witnesses;
  if (!shape.some.empty()) {
    if (members.free == nullptr) return build.never;
    Pointer comma = structural(",");
    auto some = [&](Span<NameRule> rules) { return free_members(shape, names, rules); };
    if (shape.some.size() == 1 && shape.some[0].goal == kTrue && !high && low <= 1) {
      members.must = some(shape.some);
      if (members.must == nullptr) return build.never;
    } else {
      members.witnesses = &witnesses.emplace(*this, shape.some, some, comma, high);
    }
  }
  if (low > required_count + 1 && members.free != nullptr) {
    throw Deferred("minProperties of free names");
  }
  return object_of(std::move(members), empty);
}

Lowering::Pointer Lowering::object_of(Members&& members, Pointer empty) {
  Pointer comma = structural(",");
  if (members.declared.empty() && members.free == nullptr) return empty;
  Pointer inner = Chain(*this, std::move(members), comma).start();
  if (Expressions::is_never(inner)) return empty;
  Pointer full = build.seq({structural("{"), inner, structural("}")});
  return Expressions::is_never(empty) ? full : build.alternatives({empty, full});
}

/// Members whose names are none of the declared ones; null where there can be none. `only` narrows
/// them to the names that all of some rules speak about, and the values to those that satisfy the
/// rules' goals.
Lowering::Pointer Lowering::free_members(const ObjectShape& shape, std::vector<Name> names,
                                         Span<NameRule> only) {
  for (const NameRule& rule : only) {
    std::vector<Name> more;
    for (Name name : rule.names) {
      if (std::ranges::find(names, name) == names.end()) more.push_back(name);
    }
    std::ranges::sort(more, {}, [&](Name name) { return of.pool.text(name); });
    names.insert(names.end(), more.begin(), more.end());
  }
  NameConditions conditions(of);
  for (const NameRule& rule : shape.rules) conditions.add(rule);
  for (const NameRule& rule : only) conditions.add(rule);
  struct Regions {
    Goal goal;
    std::vector<std::optional<Part>> regions;
  };
  std::vector<Regions> by_goal;
  bool few = conditions.size() <= kMaxNameConditions;
  for (const std::vector<bool>& holds : few ? conditions.all() : conditions.inhabited()) {
    auto spoken = [&](const NameRule& rule) { return conditions.speaks(rule, holds); };
    if (!std::ranges::all_of(only, spoken)) continue;
    Goal goal = kTrue;
    for (const NameRule& rule : only) goal = of.goals.conjoin(goal, rule.goal);
    for (const NameRule& rule : shape.rules) {
      if (conditions.speaks(rule, holds)) goal = of.goals.conjoin(goal, rule.goal);
    }
    if (goal == kFalse) continue;
    auto same = [&](const Regions& one) { return one.goal == goal; };
    auto found = std::ranges::find_if(by_goal, same);
    if (found == by_goal.end()) found = by_goal.insert(found, {goal, {}});
    found->regions.push_back(conditions.region(holds));
  }
  std::vector<Pointer> options;
  for (const Regions& each : by_goal) {
    std::vector<Pointer> keys;
    for (std::optional<Part> region : each.regions) {
      if (region && !of.pool.has_other(*region, names)) continue;
      keys.push_back(free_key(region, names));
    }
    if (keys.empty()) continue;
    options.push_back(build.seq({build.alternatives(keys), value(each.goal)}));
  }
  return options.empty() ? nullptr : build.alternatives(options);
}

}  // namespace slm::schema
