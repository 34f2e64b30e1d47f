#include "core/budget.h"

#include <algorithm>
#include <queue>
#include <string>

namespace slm {

BudgetMasks::BudgetMasks(TokenPhases& phases, Recogniser& recogniser, MaskMemo& masks)
    : recogniser_(recogniser), masks_(masks), phases_(phases), longest_(recogniser.has_longest()) {}

// --- the shortest completion, and how it is cut into tokens --------------------------------------

/// Following the bytes of completions from state to state is a shortest text, where no terminal has
/// to be the longest.
Recogniser::Completion BudgetMasks::completion(StateId state) {
  if (auto known = completions_.find(state); known != completions_.end()) return known->second;
  // Remembered when it is found: a search that fails has to fail again.
  Recogniser::Completion found = longest_ ? search(state) : recogniser_.completion(state);
  return completions_[state] = found;
}

namespace {

/// A way that a search may go on from: the shortest first, and of equal ones the first in the order
/// of their bytes.
struct OpenWay {
  Cost total;  // to an end, by a bound
  std::string way;
  StateId state;
  bool operator<(const OpenWay& other) const noexcept {  // for a `std::priority_queue`
    return total != other.total ? total > other.total : way > other.way;
  }
};

}  // namespace

/// A* over states: what `Recogniser::completion` says may be too low here, but never too high.
///
/// Of the shortest ways the first is taken, whatever states were met before and in which order:
/// what is remembered for one state is the rest of the way from another, and masks that leave
/// little but this way are the same in every engine.
Recogniser::Completion BudgetMasks::search(StateId root) {
  if (recogniser_.can_end(root)) return {0, 0};
  std::unordered_map<StateId, std::string> reached{{root, {}}};  // the first of the shortest ways
  std::priority_queue<OpenWay> open;
  open.push({recogniser_.completion(root).bytes, {}, root});
  while (!open.empty()) {
    OpenWay now = open.top();
    open.pop();
    if (reached.at(now.state) != now.way) continue;
    if (recogniser_.can_end(now.state)) {
      StateId at = root;
      for (std::size_t passed = 0; passed < now.way.size(); ++passed) {
        std::uint8_t byte = static_cast<std::uint8_t>(now.way[passed]);
        completions_[at] = {static_cast<Cost>(now.way.size() - passed), byte};
        at = recogniser_.step(at, byte);
      }
      return completions_.at(root);
    }
    if (reached.size() > kMaxSearch) break;
    if (recogniser_.makes_masks() && ++searched_ > kMaxSlow) {
      throw Undecided("how many tokens finish the text takes too long to tell: ask for no budget");
    }
    for (std::size_t b = 0; b < 256; ++b) {
      StateId next = recogniser_.step(now.state, static_cast<std::uint8_t>(b));
      if (next == kDead) continue;
      std::string way = now.way + static_cast<char>(b);
      auto [at, fresh] = reached.try_emplace(next, way);
      if (!fresh && (at->second.size() < way.size() ||
                     (at->second.size() == way.size() && at->second <= way))) {
        continue;
      }
      at->second = way;
      Cost rest = recogniser_.completion(next).bytes;
      if (rest < kInfiniteCost) open.push({rest + way.size(), std::move(way), next});
    }
  }
  return {};
}

/// Into how few tokens the shortest completion can be cut: so many are enough. Each single byte has
/// a token, so a completion too long to be looked at is as many tokens as bytes at most.
///
/// Invariant: unless it is 0, some token leads to a state from where one less is enough.
Cost BudgetMasks::within_reach(StateId state) {
  constexpr Cost kTooLong = 1 << 20;
  if (auto known = segmented_.find(state); known != segmented_.end()) return known->second;
  Cost missing = completion(state).bytes;
  if (missing > kTooLong) return missing;
  std::vector<StateId> path{state};
  std::vector<std::uint8_t> bytes;
  std::size_t fresh = 0;  // the states of the path that are new
  bool met = false;
  auto advance = [&] {
    Recogniser::Completion next = completion(path.back());
    if (next.bytes == 0) return false;
    bytes.push_back(next.byte);
    path.push_back(recogniser_.step(path.back(), next.byte));
    return true;
  };
  for (;; ++fresh) {
    met = segmented_.contains(path[fresh]);
    if (met || (fresh + 1 == path.size() && !advance())) break;
  }
  for (std::size_t i = 0; i < phases_.trie().longest && advance(); ++i) {
  }
  if (!met) segmented_.emplace(path[fresh], 0);  // the end of the text
  for (std::size_t at = fresh; at-- > 0;) {
    Cost best = completion(path[at]).bytes;
    Phase phase = kBetween;
    for (std::size_t end = at; end < bytes.size(); ++end) {
      phase = phases_.step(phase, bytes[end]);
      if (phase == kBetween) break;
      if (!phases_.ends_token(phase)) continue;
      // Beyond the new states and the longest token everything is known: the walk went that far.
      auto after = segmented_.find(path[end + 1]);
      Cost rest = after != segmented_.end() ? after->second : within_reach(path[end + 1]);
      best = std::min(best, rest + 1);
    }
    segmented_[path[at]] = best;
  }
  return segmented_.at(state);
}

// --- the fewest tokens ---------------------------------------------------------------------------

TokensLeft BudgetMasks::decide(StateId state) {
  Cost enough = within_reach(state);
  if (enough <= 1) return {enough, true};  // none are enough only at an end
  auto known = exact_.find(state);
  if (known == exact_.end()) {
    // Unless there is a way with fewer, so many it is.
    std::optional<Cost> fewer = recogniser_.tokens_to_end(state, phases_, enough - 1, false);
    known = exact_.emplace(state, fewer ? std::min(*fewer, enough) : kUnknown).first;
  }
  Cost fewest = known->second;
  if (fewest == kUnknown) return {enough, false};
  // Where a terminal has to be the longest, the way may be forbidden; the completion is not.
  if (longest_) return {enough, fewest == enough};
  return {fewest, true};
}

TokensLeft BudgetMasks::fewest(StateId state) { return decide(state); }

bool BudgetMasks::fits(StateId state, Cost budget) {
  if (budget == 0) return recogniser_.can_end(state);
  if (!longest_ && completion(state).bytes <= budget) return true;
  if (within_reach(state) <= budget) return true;
  if (longest_) return false;
  if (auto known = exact_.find(state); known != exact_.end()) return known->second <= budget;
  Cost& lowest = lowest_[state];
  if (lowest > budget) return false;
  // First a superset of the state that it shares with others, then the state itself.
  for (bool widened : {true, false}) {
    std::optional<Cost> fewest = recogniser_.tokens_to_end(state, phases_, budget, widened);
    if (fewest && *fewest > budget) {
      lowest = budget + 1;
      return false;
    }
    if (!widened) exact_.emplace(state, fewest.value_or(kUnknown));
    if (!widened && !fewest) return false;
  }
  return true;
}

// --- masks ---------------------------------------------------------------------------------------

namespace {

constexpr Cost kPieces = 3;  // bytes that finish a character, each a token at worst

bool ends_token(const ByteTrie::Node& node) noexcept { return node.first_token != node.last_token; }

}  // namespace

/// So many tokens finish the text after any token that is allowed in `state`.
///
/// Part by part, as masks are made. What stays in a loop is not walked through: the state after a
/// token can do all that any of its parts can, so what is enough for one is enough.
Cost BudgetMasks::enough_after_any(StateId state) {
  if (auto known = enough_.find(state); known != enough_.end()) return known->second;
  if (longest_) return groups(state, kBetween).enough;
  Cost most = 0;
  StateId last = kDead;
  auto count = [&](StateId after) {
    if (after == last || after == kDead) return;
    last = after;
    most = std::max(most, within_reach(after));
  };
  std::span<const Recogniser::Part> parts = recogniser_.parts(state);
  for (const Recogniser::Part& part : std::vector<Recogniser::Part>(parts.begin(), parts.end())) {
    if (part.node != kNothing) {
      Cost far = recogniser_.enough_in_loop(part, phases_, within_reach(part.after));
      if (far < kInfiniteCost) {
        most = std::max(most, far);
        continue;
      }
    }
    StateId from = part.node == kNothing ? part.state : recogniser_.state_of(part);
    if (std::optional<Recogniser::Loosened> label = recogniser_.loosened(part)) {
      // What stays in the label, whole letters or not, is soon over; what leaves it is the same.
      most = std::max(most, add_costs(within_reach(label->over), kPieces));
      from = recogniser_.state_of(label->part);
    }
    walk_states(
        phases_.trie(), kBetween, from,
        [&](const ByteTrie::Node& node, StateId after) {
          if (ends_token(node)) count(after);
        },
        [&](const ByteTrie::Node&, StateId, const Loop& loop, bool whole) {
          most = std::max(most, add_costs(loop.enough, whole ? 0 : kPieces));
          return true;
        });
  }
  enough_.emplace(state, most);
  return most;
}

/// What is known of the loop that a state is in.
const BudgetMasks::Loop& BudgetMasks::loop(StateId state) {
  if (auto known = loops_.find(state); known != loops_.end()) return known->second;
  Recogniser::Rounds rounds =
      recogniser_.rounds(state, static_cast<std::uint32_t>(phases_.trie().longest));
  Loop made{rounds.chars, 0, rounds.still};
  if (!longest_) {
    for (StateId after : rounds.after) made.enough = std::max(made.enough, within_reach(after));
  }
  return loops_.emplace(state, made).first->second;
}

/// Calls `visit(node, state)` for the nodes of a trie below `begun` with the state after their
/// bytes, where that is not dead. Where a node and all below it are characters of a loop of the
/// state before it, `skip(node, state before, loop, whole)` may take all of it; not `whole`: some
/// tokens may end within a character, or are no characters and not allowed.
template <class Visit, class Skip>
void BudgetMasks::walk_states(const ByteTrie& trie, Phase begun, StateId from, Visit visit,
                              Skip skip) {
  struct Frame {
    std::uint32_t next, last;
    StateId state;
    const Loop* loop;  // looked up when first needed
  };
  const ByteTrie::Node& root = trie.nodes[begun];
  std::vector<Frame> stack{{root.first_child, root.last_child, from, nullptr}};
  while (!stack.empty()) {
    Frame& frame = stack.back();
    const ByteSet& follows = recogniser_.first_bytes(frame.state);
    while (frame.next < frame.last && !follows[trie.bytes[frame.next]]) ++frame.next;
    if (frame.next == frame.last) {
      stack.pop_back();
      continue;
    }
    std::uint32_t at = frame.next++;
    const ByteTrie::Node& node = trie.nodes[at];
    std::uint8_t byte = trie.bytes[at];
    bool ends_here = node.first_child == node.last_child;
    if (!ends_here) {
      if (frame.loop == nullptr) frame.loop = &loop(frame.state);
      const CharClass& chars = frame.loop->chars;
      bool whole = byte < 0x80 && trie.below[at].whole;
      bool stays = chars.has(byte) && chars.covers(trie.below[at].starts);
      if (stays && skip(node, frame.state, *frame.loop, whole)) continue;
    }
    StateId next = recogniser_.step(frame.state, byte);
    if (next == kDead) continue;
    visit(node, next);
    if (!ends_here) stack.push_back({node.first_child, node.last_child, next, nullptr});
  }
}

/// The tokens below a phase by where they lead.
const BudgetMasks::Groups& BudgetMasks::groups(StateId state, Phase begun) {
  std::uint64_t key = (std::uint64_t{state} << 32) | begun;
  if (auto known = groups_.find(key); known != groups_.end()) return known->second;
  const ByteTrie& trie = phases_.trie();
  std::vector<std::pair<StateId, TokenId>> found;
  auto add = [&](std::uint32_t first, std::uint32_t last, StateId after) {
    for (std::uint32_t t = first; t < last; ++t) found.emplace_back(after, trie.tokens[t]);
  };
  walk_states(
      trie, begun, state,
      [&](const ByteTrie::Node& node, StateId after) {
        add(node.first_token, node.last_token, after);
      },
      [&](const ByteTrie::Node& node, StateId same, const Loop& loop, bool whole) {
        if (!loop.still || !whole) return false;
        add(node.first_token, node.subtree_last_token, same);
        return true;
      });
  std::sort(found.begin(), found.end());
  Groups made;
  for (std::size_t i = 0; i < found.size();) {
    std::uint32_t first = static_cast<std::uint32_t>(made.tokens.size());
    StateId target = found[i].first;
    for (; i < found.size() && found[i].first == target; ++i) {
      made.tokens.push_back(found[i].second);
    }
    made.groups.push_back({target, first, static_cast<std::uint32_t>(made.tokens.size())});
    if (longest_) made.enough = std::max(made.enough, within_reach(target));
  }
  if (remembered_ + made.tokens.size() > kMaxRemembered) {  // start over: simple, and rare
    groups_.clear();
    remembered_ = 0;
  }
  remembered_ += made.tokens.size();
  return groups_.emplace(key, std::move(made)).first->second;
}

void BudgetMasks::set_fitting(StateId state, Phase begun, Cost budget, Mask row) {
  const Groups& known = groups(state, begun);
  for (const Group& group : known.groups) {
    if (!fits(group.state, budget - 1)) continue;
    for (std::uint32_t t = group.first; t < group.last; ++t) set_bit(row, known.tokens[t]);
  }
}

/// Part by part: what fits after a token that several allow, fits after it in one of them.
void BudgetMasks::set_fitting(StateId state, Cost budget, Mask row) {
  if (longest_) return set_fitting(state, kBetween, budget, row);
  std::span<const Recogniser::Part> parts = recogniser_.parts(state);
  std::vector<Phase> open;
  for (const Recogniser::Part& part : std::vector<Recogniser::Part>(parts.begin(), parts.end())) {
    open.clear();
    if (recogniser_.fill_loop(part, phases_, budget - 1, row, open)) {
      for (Phase phase : open) set_fitting(part.after, phase, budget, row);
    } else {
      StateId from = part.node == kNothing ? part.state : recogniser_.state_of(part);
      set_fitting(from, kBetween, budget, row);
    }
  }
}

/// Sets the tokens along the shortest completion, as far as they fit.
void BudgetMasks::follow(StateId state, Cost budget, Mask row) {
  if (within_reach(state) > budget) return;
  const ByteTrie& trie = phases_.trie();
  std::uint32_t node = 0;
  for (;;) {
    Recogniser::Completion next = completion(state);
    auto first = trie.bytes.begin() + trie.nodes[node].first_child;
    auto last = trie.bytes.begin() + trie.nodes[node].last_child;
    auto found = next.bytes == 0 ? last : std::lower_bound(first, last, next.byte);
    if (found == last || *found != next.byte) return;
    node = static_cast<std::uint32_t>(found - trie.bytes.begin());
    state = recogniser_.step(state, next.byte);
    const ByteTrie::Node& here = trie.nodes[node];
    if (here.first_token == here.last_token || within_reach(state) > budget - 1) continue;
    for (std::uint32_t t = here.first_token; t < here.last_token; ++t) set_bit(row, trie.tokens[t]);
  }
}

void BudgetMasks::fill(StateId state, Cost budget, Mask row) {
  std::fill(row.begin(), row.end(), 0u);
  if (budget == 0) return;
  if (const Recogniser::Enough* enough = recogniser_.enough_after_any(state)) {
    if (budget - 1 < enough->tokens) return follow(state, budget, row);
    masks_.fill(state, row);
    const ByteTrie& trie = phases_.trie();
    for (const auto& [node, path] : enough->unsure) {
      const ByteTrie::Node& here = trie.nodes[node];
      std::span<const TokenId> tokens(trie.tokens.data() + here.first_token,
                                      here.last_token - here.first_token);
      if ((row[tokens[0] >> 5] >> (tokens[0] & 31) & 1) == 0) continue;
      StateId after = state;
      for (char c : path) after = recogniser_.step(after, static_cast<std::uint8_t>(c));
      if (within_reach(after) <= budget - 1) continue;
      for (TokenId token : tokens) clear_bit(row, token);
    }
    return;
  }
  if (budget - 1 >= enough_after_any(state)) {
    masks_.fill(state, row);
    return;
  }
  set_fitting(state, budget, row);
  bool any = std::ranges::any_of(row, [](std::uint32_t word) { return word != 0; });
  if (any || recogniser_.can_end(state) || longest_) return;
  TokensLeft left = fewest(state);
  if (left.exact && left.tokens > budget) return;
  // It fits, or may, and was too much work to be found for the states after it.
  recogniser_.unlimit_costs();
  std::erase_if(exact_, [](const auto& entry) { return entry.second == kUnknown; });
  lowest_.clear();
  set_fitting(state, budget, row);
}

std::size_t BudgetMasks::bytes() const noexcept {
  std::size_t entries = completions_.size() + segmented_.size() + exact_.size() + lowest_.size();
  return entries * 48 + remembered_ * sizeof(TokenId) + groups_.size() * 128;
}

}  // namespace slm
