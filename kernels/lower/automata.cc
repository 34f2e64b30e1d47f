#include "lower/automata.h"

#include <unordered_map>

namespace slm::lower {

/// Moves by rows of letters that nothing tells apart.
class Automata::Table {
 public:
  Table(const LetterSets& sets, const Rows& rows) : sets_(sets) {
    std::vector<bool> cut(sets.letters(), false);
    cut[0] = true;
    std::unordered_map<Set, std::vector<Number>> known;
    for (const auto& row : rows) {
      for (const auto& way : row) {
        if (!known.try_emplace(way.first).second) continue;
        sets.rows(way.first, [&](Number low, Number high) {
          cut[low] = true;
          if (high + 1 < sets.letters()) cut[high + 1] = true;
        });
      }
    }
    std::vector<Number> number_of(sets.letters());
    for (Number letter = 0; letter < sets.letters(); ++letter) {
      if (cut[letter]) starts_.push_back(letter);
      number_of[letter] = number(starts_.size() - 1);
    }
    for (auto& [set, members] : known) {
      sets.rows(set, [&](Number low, Number high) {
        for (Number at = number_of[low]; at <= number_of[high]; ++at) members.push_back(at);
      });
    }
    members_ = std::move(known);
  }

  Number width() const noexcept { return number(starts_.size()); }
  Number states() const noexcept { return number(accepting.size()); }
  Number low(Number symbol) const noexcept { return starts_[symbol]; }
  Number high(Number symbol) const noexcept {
    return symbol + 1 < starts_.size() ? starts_[symbol + 1] - 1 : sets_.letters() - 1;
  }
  const std::vector<Number>& members(Set set) const { return members_.at(set); }

  std::vector<Number> moves;  // by state and symbol; kNone: none
  std::vector<bool> accepting;

 private:
  const LetterSets& sets_;
  std::vector<Number> starts_;
  std::unordered_map<Set, std::vector<Number>> members_;
};

Number Automata::keep(std::span<const Number> words) {
  Number made = words_.add(words);
  if (made < places_.size()) return made;
  std::vector<Number>& places = places_.emplace_back();
  std::size_t at = 1;
  for (Number state = 0; state < words[0]; ++state) {
    places.push_back(number(at));
    at += 2 + 2 * words[at + 1];
  }
  return made;
}

Number Automata::add(const Rows& rows, const std::vector<bool>& accepting) {
  std::vector<Number> words{number(rows.size())};
  for (std::size_t state = 0; state < rows.size(); ++state) {
    words.push_back(accepting[state]);
    words.push_back(number(rows[state].size()));
    for (const auto& [set, to] : rows[state]) words.insert(words.end(), {set, to});
  }
  return keep(words);
}

std::optional<Number> Automata::smallest(const Rows& rows, const std::vector<bool>& accepting) {
  Table table(sets_, rows);
  table.accepting = accepting;
  table.moves.assign(rows.size() * table.width(), kNone);
  for (std::size_t state = 0; state < rows.size(); ++state) {
    for (const auto& [set, to] : rows[state]) {
      for (Number symbol : table.members(set)) table.moves[state * table.width() + symbol] = to;
    }
  }
  return minimal(table);
}

std::optional<Number> Automata::smallest(const Rows& rows, const std::vector<bool>& accepting,
                                         Number starts, Number most) {
  Table table(sets_, rows);
  Number width = table.width();
  Lists subsets;
  std::vector<Number> some;
  for (Number state = 0; state < starts; ++state) some.push_back(state);
  subsets.add(some);
  std::vector<std::vector<Number>> reached(width);
  for (Number at = 0; at < subsets.size(); ++at) {  // grows while it is walked
    for (auto& each : reached) each.clear();
    bool accepts = false;
    for (Number state : subsets[at]) {
      accepts = accepts || accepting[state];
      for (const auto& [set, to] : rows[state]) {
        for (Number symbol : table.members(set)) reached[symbol].push_back(to);
      }
    }
    table.accepting.push_back(accepts);
    for (auto& each : reached) {
      if (each.empty()) {
        table.moves.push_back(kNone);
        continue;
      }
      std::ranges::sort(each);
      each.erase(std::ranges::unique(each).begin(), each.end());
      std::size_t before = subsets.size();
      Number to = subsets.add(each);
      if (to == before && before >= most) throw TooMany();
      table.moves.push_back(to);
    }
  }
  return minimal(table);
}

namespace {

/// Blocks of states that are split until all states of one are alike.
class Partition {
 public:
  Partition(const std::vector<Number>& states, std::size_t all) : elements_(states) {
    place_.assign(all, kNone);
    block_.assign(all, kNone);
    for (Number at = 0; at < elements_.size(); ++at) {
      place_[elements_[at]] = at;
      block_[elements_[at]] = 0;
    }
    blocks_.push_back({0, number(elements_.size()), 0});
  }

  Number block(Number state) const noexcept { return block_[state]; }
  std::span<const Number> members(Number block) const noexcept {
    return std::span(elements_).subspan(blocks_[block].begin,
                                        blocks_[block].end - blocks_[block].begin);
  }

  void mark(Number state) {
    Block& block = blocks_[block_[state]];
    Number at = place_[state], to = block.begin + block.marked;
    if (at < to) return;
    if (block.marked == 0) touched_.push_back(block_[state]);
    std::swap(elements_[at], elements_[to]);
    place_[elements_[at]] = at;
    place_[elements_[to]] = to;
    ++block.marked;
  }

  /// Splits each block of which some states are marked; the smaller parts become new blocks.
  template <class Take>
  void split(Take take) {
    for (Number which : touched_) {
      Block& block = blocks_[which];
      Number middle = block.begin + block.marked;
      block.marked = 0;
      if (middle == block.end) continue;
      Block part;
      if (middle - block.begin <= block.end - middle) {
        part = {block.begin, middle, 0};
        block.begin = middle;
      } else {
        part = {middle, block.end, 0};
        block.end = middle;
      }
      Number made = number(blocks_.size());
      for (Number at = part.begin; at < part.end; ++at) block_[elements_[at]] = made;
      blocks_.push_back(part);
      take(made);
    }
    touched_.clear();
  }

 private:
  struct Block {
    Number begin, end, marked;
  };
  std::vector<Number> elements_, place_, block_, touched_;
  std::vector<Block> blocks_;
};

}  // namespace

std::optional<Number> Automata::minimal(const Table& table) {
  Number states = table.states(), width = table.width();
  // Ways backwards, as far as they lead to an accepting state.
  std::vector<Number> first(states + 1, 0);
  for (Number to : table.moves) {
    if (to != kNone) ++first[to + 1];
  }
  for (Number state = 0; state < states; ++state) first[state + 1] += first[state];
  std::vector<std::pair<Number, Number>> sources(first[states]);  // symbol, state
  std::vector<Number> filled(first.begin(), first.end() - 1);
  for (Number state = 0; state < states; ++state) {
    for (Number symbol = 0; symbol < width; ++symbol) {
      Number to = table.moves[state * width + symbol];
      if (to != kNone) sources[filled[to]++] = {symbol, state};
    }
  }
  std::vector<bool> useful(states, false);
  std::vector<Number> stack, kept;
  for (Number state = 0; state < states; ++state) {
    if (!table.accepting[state]) continue;
    useful[state] = true;
    stack.push_back(state);
  }
  while (!stack.empty()) {
    Number state = stack.back();
    stack.pop_back();
    for (Number at = first[state]; at < first[state + 1]; ++at) {
      if (useful[sources[at].second]) continue;
      useful[sources[at].second] = true;
      stack.push_back(sources[at].second);
    }
  }
  if (states == 0 || !useful[0]) return std::nullopt;
  for (Number state = 0; state < states; ++state) {
    if (useful[state]) kept.push_back(state);
  }

  Partition partition(kept, states);
  std::vector<Number> waiting{0};
  auto wait = [&](Number block) { waiting.push_back(block); };
  for (Number state : kept) {
    if (table.accepting[state]) partition.mark(state);
  }
  partition.split(wait);
  std::vector<std::vector<Number>> by_symbol(width);
  std::vector<Number> symbols;
  while (!waiting.empty()) {
    Number block = waiting.back();
    waiting.pop_back();
    for (Number state : partition.members(block)) {
      for (Number at = first[state]; at < first[state + 1]; ++at) {
        auto [symbol, source] = sources[at];
        if (!useful[source]) continue;
        if (by_symbol[symbol].empty()) symbols.push_back(symbol);
        by_symbol[symbol].push_back(source);
      }
    }
    for (Number symbol : symbols) {
      for (Number state : by_symbol[symbol]) partition.mark(state);
      by_symbol[symbol].clear();
      partition.split(wait);
    }
    symbols.clear();
  }

  // Numbers in the order in which blocks are met.
  std::vector<Number> order(states, kNone), representative{0};
  order[partition.block(0)] = 0;
  std::vector<Number> words{0}, targets;
  std::vector<LetterSets::Bits> united;
  for (Number at = 0; at < representative.size(); ++at) {  // grows while it is walked
    targets.clear();
    for (Number symbol = 0; symbol < width; ++symbol) {
      Number to = table.moves[representative[at] * width + symbol];
      if (to == kNone || !useful[to]) continue;
      Number& there = order[partition.block(to)];
      if (there == kNone) {
        there = number(representative.size());
        representative.push_back(to);
      }
      std::size_t which =
          static_cast<std::size_t>(std::ranges::find(targets, there) - targets.begin());
      if (which == targets.size()) {
        targets.push_back(there);
        if (united.size() < targets.size()) united.emplace_back(sets_);
        united[which].clear();
      }
      united[which].add(table.low(symbol), table.high(symbol));
    }
    words.push_back(table.accepting[representative[at]]);
    words.push_back(number(targets.size()));
    for (std::size_t which = 0; which < targets.size(); ++which) {
      words.push_back(sets_.add(united[which]));
      words.push_back(targets[which]);
    }
  }
  words[0] = number(representative.size());
  return keep(words);
}

}  // namespace slm::lower
