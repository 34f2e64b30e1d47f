// Ignored text, lexeme after lexeme, as one language.
#include <algorithm>

#include "lower/lexing.h"

namespace slm::lower {
namespace {

constexpr std::size_t kMaxStates = 2'000;

}  // namespace

const Lexing::Graph& Lexing::graph(Number gap, Open open_now) {
  auto [at, fresh] = graphs_.try_emplace(pair_of(gap, open_now));
  if (!fresh) return at->second;
  Lists::List parts = gaps_[gap];
  Lists::List readings = parts.subspan(1, parts[0]), dropped = parts.subspan(1 + parts[0]);
  Graph made;
  std::vector<Open> queue{open_now};
  for (std::size_t next = 0; next < queue.size(); ++next) {  // grows while it is walked
    Open here = queue[next];
    if (std::ranges::find(made.nodes, here) != made.nodes.end()) continue;
    Lexemes ways;
    auto put = [&](const Lexemes& lexemes) {
      for (const auto& [target, language] : lexemes) {
        add(ways, target, language);
        queue.push_back(target);
      }
    };
    for (Number reading : readings) put(read(reading, here));
    for (Number law : dropped) put(lexemes(law, here));
    made.nodes.push_back(here);
    made.ways.push_back(std::move(ways));
  }
  return graphs_[pair_of(gap, open_now)] = std::move(made);
}

Number Lexing::run(Number gap, Open open_now, std::vector<Open>& targets) {
  std::ranges::sort(targets);
  targets.erase(std::ranges::unique(targets).begin(), targets.end());
  std::vector<Number> key{gap, open_now};
  key.insert(key.end(), targets.begin(), targets.end());
  Number asked = run_keys_.add(key);
  if (auto known = runs_.find(asked); known != runs_.end()) return known->second;

  const Graph& whole = graph(gap, open_now);
  key.assign({open_now, number(targets.size())});
  key.insert(key.end(), targets.begin(), targets.end());
  for (std::size_t at = 0; at < whole.nodes.size(); ++at) {
    key.insert(key.end(), {whole.nodes[at], number(whole.ways[at].size())});
    for (const auto& [target, language] : whole.ways[at]) {
      key.insert(key.end(), {target, language});
    }
  }
  Number same = graph_keys_.add(key);
  auto known = graph_runs_.find(same);
  if (known == graph_runs_.end()) {
    known = graph_runs_.emplace(same, run_language(whole, open_now, targets)).first;
  }
  return runs_[asked] = known->second;
}

Number Lexing::run_language(const Graph& graph, Open open_now, std::span<const Open> targets) {
  const Lexemes& first = graph.from(open_now);
  if (first.size() == 1 && graph.from(first[0].first).empty()) return first[0].second;

  // Places: what is left of a lexeme, and what is open behind it; sets of them, with whether a run
  // may end there.
  std::vector<std::vector<std::pair<State, Open>>> begin;
  for (const Lexemes& ways : graph.ways) {
    auto& places = begin.emplace_back();
    for (const auto& [to, language] : ways) places.emplace_back(narrow(language), to);
  }
  auto begin_of = [&](Open open) -> const std::vector<std::pair<State, Open>>& {
    return begin[static_cast<std::size_t>(std::ranges::find(graph.nodes, open) -
                                          graph.nodes.begin())];
  };
  auto ends = [&](Open open) { return std::ranges::binary_search(targets, open); };
  Lists places;
  std::vector<Number> words;
  std::vector<std::pair<State, Open>> reached;
  auto number_of = [&](bool ended) {
    std::ranges::sort(reached);
    reached.erase(std::ranges::unique(reached).begin(), reached.end());
    words.assign(1, ended);
    for (const auto& [state, open] : reached) words.insert(words.end(), {state, open});
    std::size_t before = places.size();
    Number made = places.add(words);
    if (made == before && before >= kMaxStates) throw TooComplex{kNone};
    return made;
  };
  reached = begin_of(open_now);
  number_of(false);
  Rows rows;
  std::vector<bool> accepting;
  std::vector<std::pair<Number, LetterSets::Bits>> by_target;
  std::vector<Number> cuts;
  for (Number at = 0; at < places.size(); ++at) {  // grows while it is walked
    Lists::List here = places[at];
    accepting.push_back(here[0] != 0);
    cuts.assign(1, 0);
    for (std::size_t which = 1; which < here.size(); which += 2) {
      for (const Edge& edge : pool_.edges(here[which])) {
        cuts.push_back(edge.low);
        if (edge.high + 1 < letters_.letters()) cuts.push_back(edge.high + 1);
      }
    }
    std::ranges::sort(cuts);
    cuts.erase(std::ranges::unique(cuts).begin(), cuts.end());
    std::vector<std::size_t> place(here.size(), 0);
    by_target.clear();
    for (std::size_t cut = 0; cut < cuts.size(); ++cut) {
      reached.clear();
      bool ended = false;
      for (std::size_t which = 1; which < here.size(); which += 2) {
        std::span<const Edge> edges = pool_.edges(here[which]);
        std::size_t& next = place[which];
        while (next < edges.size() && edges[next].high < cuts[cut]) ++next;
        if (next == edges.size() || edges[next].low > cuts[cut]) continue;
        State to = edges[next].to;
        Open open = here[which + 1];
        if (!pool_.alive(to)) continue;
        if (pool_.extendable(to)) reached.emplace_back(to, open);
        if (pool_.accepts(to)) {
          const auto& more = begin_of(open);
          reached.insert(reached.end(), more.begin(), more.end());
          ended = ended || ends(open);
        }
      }
      if (reached.empty() && !ended) continue;
      Number to = number_of(ended);
      auto same = std::ranges::find(by_target, to, &std::pair<Number, LetterSets::Bits>::first);
      if (same == by_target.end()) {
        by_target.emplace_back(to, LetterSets::Bits(letters_));
        same = by_target.end() - 1;
      }
      same->second.add(cuts[cut], (cut + 1 < cuts.size() ? cuts[cut + 1] : letters_.letters()) - 1);
    }
    auto& row = rows.emplace_back();
    for (const auto& [to, bits] : by_target) row.emplace_back(letters_.add(bits), to);
  }
  std::optional<Number> made = automata_.smallest(rows, accepting);
  Number nothing[] = {static_cast<Number>(Made::kUnion)};
  return made ? of_automaton(*made) : plainly(Languages::kNothing, nothing);
}

}  // namespace slm::lower
