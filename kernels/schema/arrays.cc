// Array shapes → expressions: leading items each in its own right, then a counted repetition.
#include "schema/arrays.h"

#include <algorithm>

#include "schema/frames.h"

namespace slm::schema {
namespace {

constexpr std::int64_t kMaxPlaces = 64;
using Count = std::int64_t;

}  // namespace

Lowering::Pointer Lowering::repeated(Pointer item, Count first, Count low,
                                     std::optional<Count> high) {
  Pointer following = build.seq({structural(","), item});
  Count least = std::max<Count>(0, low - first);
  std::optional<Count> most;
  if (high) most = *high - first;
  if (first) return build.many(following, least, most);
  if (most) --*most;
  return build.seq({item, build.many(following, std::max<Count>(0, least - 1), most)});
}

Lowering::Pointer Items::run(Count start) {
  Count first = std::max(start, size());
  Pointer tail = to.build.empty;
  if (!high || *high > first) {
    tail = to.repeated(this->value(rest), first, low, high);
  }
  for (Count index = size() - 1; index >= start; --index) {
    Pointer value = at(index);
    tail = index == 0 ? to.build.seq({value, tail}) : to.build.seq({comma(), value, tail});
    if (index && index >= low) tail = to.build.optional(tail);
    if (index % 8 == 7) tail = to.add_rule(tail);
  }
  return tail;
}

Lowering::Pointer Items::with_one(const Contains& part) {
  Count limit = places(part);
  std::vector<Pointer> options;
  for (Count index = part.start; index < limit + !high; ++index) {
    Pointer hit = this->value(to.of.goals.conjoin(own(index), part.goal));
    if (Expressions::is_never(hit)) continue;
    // The last place stands for itself and all after it, where there is no end.
    std::optional<Count> end;
    if (index != limit) end = index;
    std::vector<Pointer> parts{before(index, end)};
    Pointer after = run(index + 1);
    if (index) parts.push_back(comma());
    parts.push_back(hit);
    parts.push_back(after);
    options.push_back(to.build.seq(parts));
  }
  return to.build.alternatives(options);
}

Lowering::Pointer Items::before(Count least, std::optional<Count> most) {
  std::vector<Pointer> parts;
  for (Count index = 0; index < std::min(least, size()); ++index) {
    if (index) parts.push_back(comma());
    parts.push_back(at(index));
  }
  Count done = size();
  if (least > done || !most) {
    Pointer value = this->value(rest);
    if (parts.empty() && least) {
      parts.push_back(value);
      done = 1;
    }
    Pointer following = to.build.seq({comma(), value});
    std::optional<Count> more;
    if (most) more = *most - done;
    parts.push_back(to.build.many(following, std::max<Count>(0, least - done), more));
  }
  return to.build.seq(parts);
}

Lowering::Pointer Lowering::arrays(const ArrayShape& shape) {
  if (!shape.none.empty()) return array_frames(*this, shape);
  Count low = shape.low;
  std::optional<Count> high = shape.high;
  std::vector<Goal> prefix(shape.prefix.begin(), shape.prefix.end());
  if (high && *high < static_cast<Count>(prefix.size())) {
    prefix.resize(static_cast<std::size_t>(*high));
  }
  for (std::size_t at = 0; at < prefix.size(); ++at) {
    if (prefix[at] == kFalse) {
      high = least(high, std::optional(static_cast<Count>(at)));
      prefix.resize(at);
      break;
    }
  }
  if (shape.items == kFalse) high = least(high, std::optional(static_cast<Count>(prefix.size())));
  if (high && low > *high) return build.never;
  auto needed = [](const Contains& part) { return part.low > 0; };
  if (std::ranges::any_of(shape.contains, needed)) low = std::max<Count>(low, 1);
  if (high && low > *high) return build.never;
  Pointer empty = low == 0 ? structural("[]") : build.never;
  if (high && *high == 0) return empty;
  Items items{*this, shape.items, std::move(prefix), low, high};
  Pointer inner;
  bool simple = shape.contains.size() == 1 && shape.contains[0].low == 1 && !shape.contains[0].high;
  if (shape.unique && (!high || *high > 1)) {
    inner = unique_items(items, shape);
    if (Expressions::is_never(inner)) return empty;
  } else if (shape.contains.empty()) {
    inner = items.run(0);
  } else if (simple && items.places(shape.contains[0]) <= kMaxPlaces) {
    inner = items.with_one(shape.contains[0]);
  } else {
    inner = counted_items(items, shape.contains);
    if (Expressions::is_never(inner)) return empty;
  }
  Pointer full = build.seq({structural("["), inner, structural("]")});
  if (items.marked) full = build.seq({full, mark(Mark::kLeave)});
  return Expressions::is_never(empty) ? full : build.alternatives({empty, full});
}

}  // namespace slm::schema
