// Walks over a trie's tokens, configuration by configuration.
#include <algorithm>
#include <utility>

#include "core/earley_steps.h"

namespace slm {

/// As `walk_by_steps`, but without making states: configurations are kept on a stack.
void EarleyRecogniser::walk(const ByteTrie& trie, std::uint32_t first, std::uint32_t last,
                            StateId state, std::vector<TokenId>& tokens) {
  if (walk_by_shapes(trie, first, last, state, tokens)) return;
  configs_of(state, walked_);
  steps_left_ = kAnySteps;
  walk_from(trie, first, last, tokens);
}

/// The same, from the configurations in walked_.
bool EarleyRecogniser::walk_from(const ByteTrie& trie, std::uint32_t first, std::uint32_t last,
                                 std::vector<TokenId>& tokens) {
  return walk_nodes(
      trie, first, last,
      [&](std::uint32_t at, std::span<const Config> from, std::vector<Config>& to, auto enough) {
        const std::size_t before = to.size();
        bool complete = false;
        step_configs(from, trie.bytes[at], to, complete, enough);
        return complete || to.size() > before;
      },
      [&](std::uint32_t, std::uint32_t from, std::uint32_t to, bool all) {
        tokens.insert(tokens.end(), trie.tokens.begin() + from, trie.tokens.begin() + to);
        return all;
      });
}

/// Tells the nodes at line breaks that `within` lets through, and the states there.
template <class Within, class Tell>
void EarleyRecogniser::lines_within(const ByteTrie& trie, std::uint32_t first, std::uint32_t last,
                                    StateId state, const ByteSet& marks, Within within, Tell tell) {
  configs_of(state, walked_);
  steps_left_ = kAnySteps;
  walk_nodes(
      trie, first, last,
      [&](std::uint32_t at, std::span<const Config> from, std::vector<Config>& to, auto) {
        if (!within(at)) return false;
        const std::size_t before = to.size();
        bool complete = false;
        step_configs(from, trie.bytes[at], to, complete, all_matters);
        auto marked = [&](const Config& config) {
          return (lexer_.first_bytes(config.lexer) & marks).any();
        };
        const auto made = to.begin() + static_cast<std::ptrdiff_t>(before);
        if (trie.bytes[at] == '\n' && std::any_of(made, to.end(), marked)) {
          next_.assign(made, to.end());
          tell(at, intern_state(complete, next_));
        }
        return to.size() > before;
      },
      [](std::uint32_t, std::uint32_t, std::uint32_t, bool) { return false; });
}

void EarleyRecogniser::lines(const ByteTrie& trie, std::uint32_t first, std::uint32_t last,
                             StateId state, const LineBreaks& breaks, const ByteSet& marks,
                             std::vector<Line>& found) {
  const ByteTrie::Node& root = trie.nodes[0];
  const bool whole = first == root.first_child && last == root.last_child;
  const ByteTrie& ways = breaks.marked;
  const ByteTrie::Node& start = ways.nodes[0];
  marked_.clear();
  const bool shared = whole && [&] {
    struct Reset {  // marks are read here
      ByteSet& bytes;
      ByteSet before;
      ~Reset() { bytes = before; }
    } reset{never_, std::exchange(never_, ByteSet{})};
    return walk_by_shapes(ways, start.first_child, start.last_child, state, marked_);
  }();
  if (!shared) {
    lines_within(
        trie, first, last, state, marks, [&](std::uint32_t at) { return breaks.within[at]; },
        [&](std::uint32_t at, StateId after) { found.push_back({at, after}); });
    return;
  }
  if (marked_.empty()) return;
  std::ranges::sort(marked_);
  lines_within(
      ways, start.first_child, start.last_child, state, marks,
      [&](std::uint32_t at) {
        const auto below = std::ranges::lower_bound(marked_, ways.nodes[at].first_token);
        return below != marked_.end() && *below < ways.nodes[at].subtree_last_token;
      },
      [&](std::uint32_t at, StateId after) {
        const std::uint32_t mark = ways.nodes[at].last_child - 1;  // the last bytes are marks
        found.push_back({breaks.nodes[ways.nodes[mark].first_token], after});
      });
}

}  // namespace slm
