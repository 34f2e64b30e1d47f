// Arrays whose items are counted: several `contains`, bounds on how many match. Mirrors counted.py.
#include <algorithm>
#include <map>

#include "schema/arrays.h"

namespace slm::schema {
namespace {

using Pointer = Lowering::Pointer;
using Count = Items::Count;
using Counts = std::vector<Count>;

constexpr Count kMaxStates = 4'000;
constexpr std::size_t kMaxParts = 6;  // an item may be taken for any of them

/// What an item that is not taken for a part has to satisfy for its sake.
Goal miss(Items& items, const Contains& part) {
  return part.high ? items.to.of.negation(part.goal) : kTrue;
}

/// Where nothing else counts: hits, with any number of misses between them.
Pointer repeated(Items& items, const Contains& part) {
  Goals& goals = items.to.of.goals;
  Expressions& build = items.to.build;
  Pointer hit = items.to.value(goals.conjoin(items.rest, part.goal));
  Pointer missed = items.to.value(goals.conjoin(items.rest, miss(items, part)));
  bool hits = !Expressions::is_never(hit);
  Pointer misses = build.empty;
  std::vector<Pointer> found;
  if (!Expressions::is_never(missed)) misses = build.many(build.seq({items.comma(), missed}));
  Pointer again = build.seq({items.comma(), hit, misses});
  if (hits && part.high != Count{0}) {
    std::optional<Count> most;
    if (part.high) most = *part.high - 1;
    Pointer rest = build.many(again, std::max<Count>(0, part.low - 1), most);
    found.push_back(build.seq({hit, misses, rest}));
  }
  if (!Expressions::is_never(missed)) {
    Pointer rest = part.low == 0 ? build.empty : build.never;
    if (hits) rest = build.many(again, part.low, part.high);
    if (!Expressions::is_never(rest)) found.push_back(build.seq({missed, misses, rest}));
  }
  return build.alternatives(found);
}

/// Calls `visit` with every row of numbers up to the tops, the last number changing first.
template <class Visit>
void each_row(const Counts& tops, Visit visit) {
  Counts row(tops.size());
  while (true) {
    visit(row);
    std::size_t at = tops.size();
    while (at > 0 && row[at - 1] == tops[at - 1]) row[--at] = 0;
    if (at == 0) return;
    ++row[at - 1];
  }
}

Count sum(const Counts& counts) {
  Count all = 0;
  for (Count count : counts) all += count;
  return all;
}

/// Rules over (index, counters).
class States {
 public:
  States(Items& items, Span<Contains> parts) : items_(items), parts_(parts) {}

  Pointer start() {
    Counts tops;
    last_ = items_.high ? *items_.high : std::max({Count{1}, items_.size(), items_.low});
    for (const Contains& part : parts_) {
      tops.push_back(part.high.value_or(part.low));
      if (!items_.high) last_ = std::max(last_, part.start);
    }
    auto size = static_cast<double>(last_) + 1;
    for (Count top : tops) size *= static_cast<double>(top) + 1;
    if (parts_.size() > kMaxParts || size > kMaxStates) throw Refused("too many states that count");
    for (Count at = last_; at >= 0; --at) {
      Counts reached = tops;
      for (Count& top : reached) top = at == last_ ? top : std::min(top, at);
      std::vector<Counts> rows;
      each_row(reached, [&](const Counts& row) { rows.push_back(row); });
      std::ranges::stable_sort(rows, std::greater<>(), sum);
      for (const Counts& counts : rows) made_[{at, counts}] = body(at, counts);
    }
    return from(0, Counts(parts_.size()));
  }

 private:
  Pointer body(Count at, const Counts& counts) {
    Expressions& build = items_.to.build;
    std::vector<Pointer> options, loops;
    bool done = true;
    for (std::size_t i = 0; i < parts_.size(); ++i) done = done && counts[i] >= parts_[i].low;
    if (at && at >= items_.low && done) options.push_back(build.empty);
    if (!items_.high || at != *items_.high) {
      each_step(at, counts, [&](Pointer value, const Counts& after) {
        Pointer step = at ? build.seq({items_.comma(), value}) : value;
        Count next = std::min(at + 1, last_);
        if (next == at && after == counts) {
          loops.push_back(step);
          return;
        }
        Pointer rest = from(next, after);
        if (!Expressions::is_never(rest)) options.push_back(build.seq({step, rest}));
      });
    }
    Pointer made = build.alternatives(options);
    if (loops.empty() || Expressions::is_never(made)) return made;
    return build.seq({build.many(build.alternatives(loops)), made});
  }

  /// The next item, with the counters after it.
  template <class Visit>
  void each_step(Count at, const Counts& counts, Visit visit) {
    Goals& goals = items_.to.of.goals;
    std::vector<std::vector<std::pair<Count, Goal>>> choices;
    Counts tops;
    for (std::size_t i = 0; i < parts_.size(); ++i) {
      const Contains& part = parts_[i];
      auto& ways = choices.emplace_back();
      if (at >= part.start && counts[i] != part.high.value_or(part.low)) {
        ways.emplace_back(counts[i] + 1, part.goal);
      }
      ways.emplace_back(counts[i], at < part.start ? kTrue : miss(items_, part));
      tops.push_back(static_cast<Count>(ways.size()) - 1);
    }
    each_row(tops, [&](const Counts& row) {
      Goal goal = items_.own(at);
      Counts after;
      for (std::size_t i = 0; i < row.size(); ++i) {
        auto [count, needed] = choices[i][static_cast<std::size_t>(row[i])];
        goal = goals.conjoin(goal, needed);
        after.push_back(count);
      }
      Pointer value = items_.to.value(goal);
      if (!Expressions::is_never(value)) visit(value, after);
    });
  }

  /// What follows in a state: its body where that is nothing, else a rule for it.
  Pointer from(Count at, const Counts& counts) {
    Pointer& made = made_.at({at, counts});
    bool plain = Expressions::is_empty(made) || Expressions::is_never(made);
    if (!plain && at && made->kind != Expression::Kind::kCall) made = items_.to.add_rule(made);
    return made;
  }

  Items& items_;
  Span<Contains> parts_;
  Count last_ = 0;  // the index from which on it makes no difference, or the bound
  std::map<std::pair<Count, Counts>, Pointer> made_;
};

}  // namespace

Lowering::Pointer counted_items(Items& items, Span<Contains> parts) {
  const Contains& one = parts[0];
  bool plain = items.prefix.empty() && !items.high && items.low <= std::max<Count>(1, one.low);
  if (plain && parts.size() == 1 && one.start == 0) return repeated(items, one);
  return States(items, parts).start();
}

}  // namespace slm::schema
