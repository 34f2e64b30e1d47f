// What walks do at each byte: templates of the recogniser that only its own sources need.
#pragma once

#include <algorithm>
#include <cstring>

#include "core/earley.h"

namespace slm {

/// What is read after one more byte: what goes on is appended to `to`; `advance` is told what ends,
/// as (row, terminals) pairs in together_ with the obligation that they leave. It is told nothing
/// if what goes on is `enough`.
template <class Settled, class Advance>
void EarleyRecogniser::step_readings(std::span<const Config> from, std::uint8_t byte,
                                     std::vector<Config>& to, Settled enough, Advance advance) {
  ended_.clear();
  const std::size_t before = to.size();
  for (const Config& config : from) {
    LexId lexer = lexer_.step(config.lexer, byte);
    if (lexer == 0) continue;
    ObligationId obligation = lexer_.step_obligation(config.obligation, byte);
    if (obligation == kBroken) continue;
    if (LexId going_on = lexer_.going_on(lexer); going_on != 0) {
      to.push_back({config.row, going_on, obligation});
    }
    AcceptId accepted = lexer_.accepts(lexer);
    if (accepted == 0) continue;
    std::span<const TerminalId> span = lexer_.terminals_of(accepted);
    if (std::ranges::none_of(span, [&](TerminalId t) { return lexer_.is_longest(t); })) {
      ended_.push_back({obligation, config.row, accepted});
    } else {
      for (TerminalId terminal : std::vector<TerminalId>(span.begin(), span.end())) {
        ObligationId left = lexer_.oblige(obligation, lexer, terminal);
        ended_.push_back({left, config.row, lexer_.accept_only(terminal)});
      }
    }
  }
  if (ended_.empty() || (to.size() > before && enough())) return;
  if (ended_.size() > 1) std::sort(ended_.begin(), ended_.end());
  for (std::size_t i = 0; i < ended_.size();) {
    together_.clear();
    ObligationId obligation = ended_[i].obligation;
    for (; i < ended_.size() && ended_[i].obligation == obligation; ++i) {
      together_.emplace_back(ended_[i].row, ended_[i].set);
    }
    advance(obligation);
  }
}

/// The configurations after one more byte, appended to `to`; `complete` when the text may end.
template <class Settled>
void EarleyRecogniser::step_configs(std::span<const Config> from, std::uint8_t byte,
                                    std::vector<Config>& to, bool& complete, Settled enough) {
  step_readings(from, byte, to, enough, [&](ObligationId obligation) {
    RowId row = advance(together_);
    complete = complete || shape_of(row).accepting;
    if (const LexId lexer = lexer_of(row); lexer != 0) to.push_back({row, lexer, obligation});
  });
}

/// Walks the nodes [first, last) and what is below from the configurations in walked_, which are
/// there again at the end. `step(at, from, to, enough)` appends what is behind a node and says
/// whether anything is; once something is, it may ask `enough()` whether more makes no difference
/// to a walk that stops below what it takes. `take(at, from, to, all)`: so much of the trie's list
/// of tokens lives, with `all` that below the node; it says whether what is below is not to be
/// visited. What lies wholly in a loop of a terminal is taken without a visit. False when that
/// takes more than steps_left_ steps: then it has stopped.
template <class Step, class Take>
bool EarleyRecogniser::walk_nodes(const ByteTrie& trie, std::uint32_t first, std::uint32_t last,
                                  Step step, Take take) {
  frames_.clear();
  const std::uint32_t roots = static_cast<std::uint32_t>(walked_.size());
  auto open = [&](std::uint32_t from, std::uint32_t to, std::uint32_t begin) {
    constexpr std::size_t kFew = 4, kMany = 16;
    WalkFrame frame{from, to, begin, static_cast<std::uint32_t>(walked_.size()), {}, false};
    for (std::uint32_t i = begin; i < frame.end; ++i) {
      frame.follows |= lexer_.first_bytes(walked_[i].lexer);
    }
    frame.follows &= ~never_;
    frame.few = to - from >= kMany && frame.follows.count() <= kFew;
    frames_.push_back(frame);
  };
  // The next node whose byte can follow, or the last; a byte that was looked for is done with.
  auto next_node = [&](WalkFrame& frame) {
    if (!frame.few) {
      while (frame.next < frame.last && !frame.follows[trie.bytes[frame.next]]) ++frame.next;
      return;
    }
    for (std::size_t byte = first_byte(frame.follows); byte < 256;
         byte = first_byte(frame.follows)) {
      frame.follows.reset(byte);
      const std::uint8_t* from = trie.bytes.data() + frame.next;
      const void* found = std::memchr(from, static_cast<int>(byte), frame.last - frame.next);
      if (found == nullptr) continue;
      frame.next += static_cast<std::uint32_t>(static_cast<const std::uint8_t*>(found) - from);
      return;
    }
    frame.next = frame.last;
  };
  open(first, last, 0);
  while (!frames_.empty()) {
    WalkFrame& frame = frames_.back();
    next_node(frame);
    if (frame.next == frame.last) {
      frames_.pop_back();
      continue;
    }
    if (steps_left_-- == 0) {
      walked_.resize(roots);
      return false;
    }
    std::uint32_t at = frame.next++;
    __builtin_prefetch(&trie.nodes[at]);  // it comes while the parser works
    walked_.resize(frame.end);
    std::uint32_t begin = frame.end;
    walk_from_.assign(walked_.begin() + frame.begin, walked_.begin() + frame.end);
    const ByteTrie::Node& node = trie.nodes[at];
    const bool leaf = node.first_child == node.last_child;
    auto in_loop = [&] {
      return std::any_of(walked_.begin() + begin, walked_.end(), [&](const Config& config) {
        const CharClass& loop = lexer_.loop_characters(config.lexer);
        return config.obligation == 0 && !loop.empty() && trie.consists_of(at, loop);
      });
    };
    if (!step(at, walk_from_, walked_, [&] { return leaf || in_loop(); })) continue;
    if (walked_.size() - begin > 1) {
      std::sort(walked_.begin() + begin, walked_.end());
      walked_.erase(std::unique(walked_.begin() + begin, walked_.end()), walked_.end());
    }
    bool all = !leaf && in_loop();
    all = take(at, node.first_token, all ? node.subtree_last_token : node.last_token, all);
    if (!all && !leaf && walked_.size() > begin) {
      open(node.first_child, node.last_child, begin);
    }
  }
  walked_.resize(roots);
  return true;
}

}  // namespace slm
