// Arrays that exclude other shapes: item by item, all shapes together. Mirrors array_frames.py.
#include "schema/frames.h"

namespace slm::schema {
namespace {

using Pointer = Lowering::Pointer;
using Count = std::int64_t;

struct State {
  Count at;  // the next item; as far as somebody tells places apart
  Claim claim;
  std::vector<Count> hits;  // items that were found for each `contains`

  auto operator<=>(const State&) const = default;
};

class ArrayFrames {
 public:
  ArrayFrames(Lowering& to, const ArrayShape& shape)
      : to_(to), of_(to.of), claimed_(of_.algebra, of_.arena, shape), claims_(claimed_.claims) {
    for (std::uint32_t at = 0; at < claimed_.shapes.size(); ++at) {
      for (const Contains& part : claimed_.shapes[at]->contains) parts_.push_back({at, part});
    }
    comma_ = to.structural(",");
  }

  Pointer expression() {
    for (const ArrayShape* shape : claimed_.shapes) {
      if (shape->unique) throw Refused("unique items besides other choices");
    }
    State start{0, claimed_.claim, std::vector<Count>(parts_.size())};
    Expressions& build = to_.build;
    Pointer empty = ends(start) ? to_.structural("[]") : build.never;
    Pointer inner = Walk<State>(to_).expression(
        start, [&](const State& state) { return ways(state); },
        [&](const State& state) { return state.at > 0 && ends(state); });
    if (Expressions::is_never(inner)) return empty;
    Pointer full = build.seq({to_.structural("["), inner, to_.structural("]")});
    return Expressions::is_never(empty) ? full : build.alternatives({empty, full});
  }

 private:
  struct Counted {
    std::uint32_t shape;
    Contains part;
  };
  const ArrayShape& shape(std::uint32_t number) const { return *claimed_.shapes[number]; }

  bool ends(const State& state) {
    Numbers dead;
    for (std::uint32_t at : claims_.shapes(state.claim)) {
      if (state.at < shape(at).low) dead = with(dead, at);
    }
    for (std::size_t i = 0; i < parts_.size(); ++i) {
      if (state.hits[i] < parts_[i].part.low) dead = with(dead, parts_[i].shape);
    }
    Claim left = claims_.settle(state.claim, dead);
    return left != kFailed && claims_.holds(left);
  }

  /// The `contains` that an item still counts for.
  std::vector<std::size_t> counted(const State& state, Claim left) const {
    std::vector<std::size_t> found;
    for (std::size_t i = 0; i < parts_.size(); ++i) {
      const Contains& part = parts_[i].part;
      bool open = part.high || state.hits[i] < part.low;
      if (open && state.at >= part.start && has(claims_.shapes(left), parts_[i].shape)) {
        found.push_back(i);
      }
    }
    return found;
  }

  Walk<State>::Ways ways(const State& state) {
    const Numbers open = claims_.shapes(state.claim);
    std::vector<Goal> goals(claimed_.shapes.size(), kTrue);
    for (std::uint32_t at : open) {
      bool over = shape(at).high && state.at >= *shape(at).high;
      goals[at] = over ? kFalse : shape(at).item(static_cast<std::size_t>(state.at));
    }
    Goal base = goals[claims_.shape(state.claim)];
    if (base == kFalse) return {};
    auto settled_by = [&](const Literals& failed) {
      Numbers dead;
      for (std::uint32_t at : open) {
        if (fails(of_.goals, goals[at], failed)) dead.push_back(at);
      }
      return claims_.settle(state.claim, dead);
    };
    auto asked = [&](const Literals& held, const Literals& failed) -> std::int32_t {
      Claim left = settled_by(failed);
      if (left == kFailed) return 0;
      std::vector<Goal> wanted;
      for (std::uint32_t at : claims_.shapes(left)) wanted.push_back(goals[at]);
      for (std::size_t i : counted(state, left)) wanted.push_back(parts_[i].part.goal);
      return undecided(of_.goals, wanted, held, failed);
    };
    Steps<State> steps;
    each_class(of_, base, asked, [&](Goal goal, const Literals& failed) {
      Claim left = settled_by(failed);
      if (left == kFailed) return;
      std::vector<Count> hits = state.hits;
      for (std::size_t i : counted(state, left)) {
        hits[i] += !fails(of_.goals, parts_[i].part.goal, failed);
      }
      std::optional<State> after = settled(state.at + 1, left, std::move(hits));
      if (!after) return;
      Pointer value = to_.value(goal);
      if (!Expressions::is_never(value)) steps.add(*after, value);
    });
    Walk<State>::Ways found;
    for (auto& [after, values] : steps) {
      std::vector<Pointer> parts;
      if (state.at) parts.push_back(comma_);
      parts.push_back(to_.build.alternatives(values));
      found.emplace_back(to_.build.seq(parts), after);
    }
    return found;
  }

  /// Whether a shape holds where the base does, as far as items are still to come.
  bool follows(std::uint32_t number, Count at) const {
    const ArrayShape &one = shape(number), &base = shape(claims_.shape(claimed_.claim));
    if (!one.contains.empty() || one.low > std::max(at, base.low)) return false;
    if (one.high && (!base.high || *base.high > *one.high)) return false;
    auto last = static_cast<Count>(std::max(one.prefix.size(), base.prefix.size()));
    for (Count place = at; place <= std::max(at, last); ++place) {
      auto index = static_cast<std::size_t>(place);
      if (!of_.goals.contains(base.item(index), one.item(index))) return false;
    }
    return true;
  }

  /// The state after an item; places and counts that nobody asks about any more are one.
  std::optional<State> settled(Count at, Claim claim, std::vector<Count> hits) {
    Numbers over;
    for (std::size_t i = 0; i < parts_.size(); ++i) {
      const Contains& part = parts_[i].part;
      if (part.high && hits[i] > *part.high) over = with(over, parts_[i].shape);
    }
    Claim left = claims_.settle(claim, over);
    if (left == kFailed) return std::nullopt;
    left = claims_.without_sure(left, [&](std::uint32_t number) { return follows(number, at); });
    if (left == kFailed) return std::nullopt;
    const Numbers& alive = claims_.shapes(left);
    Count end = 1;
    for (std::uint32_t number : alive) {
      const ArrayShape& one = shape(number);
      end = std::max({end, static_cast<Count>(one.prefix.size()), one.low, one.high.value_or(0)});
    }
    for (std::size_t i = 0; i < parts_.size(); ++i) {
      const Contains& part = parts_[i].part;
      if (has(alive, parts_[i].shape)) {
        end = std::max(end, part.start);
        hits[i] = std::min(hits[i], std::max(part.low, part.high.value_or(0) + 1));
      } else {
        hits[i] = 0;
      }
    }
    return State{std::min(at, end), left, std::move(hits)};
  }

  Lowering& to_;
  Normaliser& of_;
  Claimed<ArrayShape> claimed_;
  Claims& claims_;
  std::vector<Counted> parts_;
  Pointer comma_;
};

}  // namespace

Lowering::Pointer array_frames(Lowering& to, const ArrayShape& shape) {
  return ArrayFrames(to, shape).expression();
}

}  // namespace slm::schema
