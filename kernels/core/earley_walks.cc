// Walks over a trie's tokens: from configurations, and by shape (shape_walks.h).
#include <algorithm>
#include <cstring>

#include "core/earley.h"

namespace slm {

/// What is read after one more byte: what goes on is appended to `to`; `advance` is told what ends,
/// as (row, terminals) pairs in together_ with the obligation that they leave.
template <class Advance>
void EarleyRecogniser::step_readings(std::span<const Config> from, std::uint8_t byte,
                                     std::vector<Config>& to, Advance advance) {
  ended_.clear();
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
  if (ended_.empty()) return;
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
void EarleyRecogniser::step_configs(std::span<const Config> from, std::uint8_t byte,
                                    std::vector<Config>& to, bool& complete) {
  step_readings(from, byte, to, [&](ObligationId obligation) {
    RowId row = advance(together_);
    const Shape& shape = shape_of(row);
    complete = complete || shape.accepting;
    if (shape.lexer != 0) to.push_back({row, shape.lexer, obligation});
  });
}

/// Walks the nodes [first, last) and what is below from the configurations in walked_, which are
/// there again at the end. `step(at, from, to)` appends what is behind a node and says whether
/// anything is; `take(at, from, to, all)`: so much of the trie's list of tokens lives, with `all`
/// that below the node; it says whether what is below is not to be visited. What lies wholly in a
/// loop of a terminal is taken without a visit. False when that takes more than steps_left_ steps:
/// then it has stopped.
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
    if (!step(at, walk_from_, walked_)) continue;
    if (walked_.size() - begin > 1) {
      std::sort(walked_.begin() + begin, walked_.end());
      walked_.erase(std::unique(walked_.begin() + begin, walked_.end()), walked_.end());
    }
    const ByteTrie::Node& node = trie.nodes[at];
    bool all = false;
    if (node.first_child != node.last_child) {
      for (std::size_t i = begin; i < walked_.size() && !all; ++i) {
        const CharClass& loop = lexer_.loop_characters(walked_[i].lexer);
        all = walked_[i].obligation == 0 && !loop.empty() && trie.consists_of(at, loop);
      }
    }
    all = take(at, node.first_token, all ? node.subtree_last_token : node.last_token, all);
    if (!all && node.first_child != node.last_child && walked_.size() > begin) {
      open(node.first_child, node.last_child, begin);
    }
  }
  walked_.resize(roots);
  return true;
}

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
      [&](std::uint32_t at, std::span<const Config> from, std::vector<Config>& to) {
        const std::size_t before = to.size();
        bool complete = false;
        step_configs(from, trie.bytes[at], to, complete);
        return complete || to.size() > before;
      },
      [&](std::uint32_t, std::uint32_t from, std::uint32_t to, bool all) {
        tokens.insert(tokens.end(), trie.tokens.begin() + from, trie.tokens.begin() + to);
        return all;
      });
}

void EarleyRecogniser::lines(const ByteTrie& trie, std::uint32_t first, std::uint32_t last,
                             StateId state, const std::vector<bool>& within, const ByteSet& marks,
                             std::vector<Line>& found) {
  configs_of(state, walked_);
  steps_left_ = kAnySteps;
  walk_nodes(
      trie, first, last,
      [&](std::uint32_t at, std::span<const Config> from, std::vector<Config>& to) {
        if (!within[at]) return false;
        const std::size_t before = to.size();
        bool complete = false;
        step_configs(from, trie.bytes[at], to, complete);
        auto marked = [&](const Config& config) {
          return (lexer_.first_bytes(config.lexer) & marks).any();
        };
        const auto made = to.begin() + static_cast<std::ptrdiff_t>(before);
        if (trie.bytes[at] == '\n' && std::any_of(made, to.end(), marked)) {
          next_.assign(made, to.end());
          found.push_back({at, intern_state(complete, next_)});
        }
        return to.size() > before;
      },
      [](std::uint32_t, std::uint32_t, std::uint32_t, bool) { return false; });
}

// --- by shape ------------------------------------------------------------------------------------

/// The rows of a walk by shape. The first numbers are the origins of the row that it begins in, of
/// which nothing is known; then that row, and those that are made in the walk.
struct EarleyRecogniser::Local {
  std::uint32_t unknown;
  SequencePool rows{};  // as `EarleyRecogniser::rows_`
  std::vector<Outcome::Ended> ended{};
  ShapeId shape(std::uint32_t row) const { return rows.words(row - unknown)[0]; }
  std::uint32_t origin(std::uint32_t row, std::uint32_t k) const {
    return rows.words(row - unknown)[k + 1];
  }
  std::optional<std::pair<RuleId, std::uint32_t>> complete(RuleId rule, std::uint32_t row) {
    if (row >= unknown) return std::pair{rule, row};
    ended.push_back({rule, row});
    return std::nullopt;
  }
};

/// The table of a terminal by itself: only what stays inside of it is read here, so that no rows
/// are needed.
ShapeWalks::Table EarleyRecogniser::read_walk(const ShapeWalks::From& from) {
  ShapeWalks::Table table;
  const ByteTrie& trie = walks_.trie(from.place);
  std::vector<std::pair<std::uint32_t, std::uint32_t>> runs;
  std::vector<std::pair<AcceptId, std::vector<std::uint32_t>>> leaving;
  struct Frame {
    std::uint32_t next, last;
    LexId lexer;
  };
  std::vector<Frame> stack;
  const std::span<const std::uint32_t> shared = walks_.nodes(from.place);
  for (std::uint32_t root : std::vector<std::uint32_t>(shared.begin(), shared.end())) {
    stack.push_back({trie.nodes[root].first_child, trie.nodes[root].last_child, from.lexer});
    while (!stack.empty()) {
      Frame& frame = stack.back();
      const ByteSet& follows = lexer_.first_bytes(frame.lexer);
      auto goes_on = [&](std::uint8_t byte) { return follows[byte] && !never_[byte]; };
      while (frame.next < frame.last && !goes_on(trie.bytes[frame.next])) ++frame.next;
      if (frame.next == frame.last) {
        stack.pop_back();
        continue;
      }
      const std::uint32_t at = frame.next++;
      const ByteTrie::Node& node = trie.nodes[at];
      const LexId read = lexer_.step(frame.lexer, trie.bytes[at]);
      if (read == 0) continue;
      const LexId next = lexer_.going_on(read);
      const bool leaf = node.first_child == node.last_child;
      const bool all = next != 0 && !leaf && !lexer_.loop_characters(next).empty() &&
                       trie.consists_of(at, lexer_.loop_characters(next));
      const std::uint32_t last = all ? node.subtree_last_token : node.last_token;
      if (node.first_token < last) {
        if (!runs.empty() && runs.back().second == node.first_token) {
          runs.back().second = last;
        } else {
          runs.emplace_back(node.first_token, last);
        }
      }
      if (all || leaf) continue;
      if (const AcceptId set = lexer_.accepts(read); set != 0) {
        auto same = std::ranges::find(leaving, set, [](const auto& each) { return each.first; });
        if (same == leaving.end()) same = leaving.insert(same, {set, {}});
        same->second.push_back(at);
      }
      if (next != 0) stack.push_back({node.first_child, node.last_child, next});
    }
  }
  table.runs = walks_.add_runs(runs);
  for (auto& [set, nodes] : leaving) {
    std::ranges::sort(nodes);
    nodes.erase(std::unique(nodes.begin(), nodes.end()), nodes.end());
    table.exits.push_back({set, ShapeWalks::kSelf, 0, walks_.place(trie, nodes)});
  }
  table.usable = true;
  return table;
}

ShapeWalks::Table EarleyRecogniser::make_walk(const ShapeWalks::From& from) {
  constexpr std::size_t kMostRows = 1024, kMostExits = 64;
  constexpr std::uint32_t kNoRow = ~std::uint32_t{0};
  ShapeWalks::Table table;
  const ByteTrie& trie = walks_.trie(from.place);
  if (from.shape == ShapeWalks::kAnyShape) return read_walk(from);
  Local local{shapes_[from.shape].origins};
  if (local.unknown > Composer::kManyOrigins) return table;
  key_.assign({from.shape});
  for (std::uint32_t k = 0; k < local.unknown; ++k) key_.push_back(k);
  local.rows.intern(key_);
  // What becomes of rows when terminals end: another row, and rules that end beyond.
  struct After {
    std::uint32_t row;
    std::vector<Outcome::Ended> ended;
  };
  std::vector<After> after;
  SequencePool known;
  std::vector<std::uint32_t> after_many;  // by number in `known`
  bool usable = true;
  FlatMap known_one;  // the same of one row
  auto advance_locally = [&]() -> const After& {
    std::uint32_t number = FlatMap::kAbsent;
    if (together_.size() == 1) {
      const std::uint64_t key = (std::uint64_t{together_[0].first} << 32) | together_[0].second;
      number = known_one.find(key);
      if (number == FlatMap::kAbsent) {
        known_one.insert(key, static_cast<std::uint32_t>(after.size()));
      }
    } else {
      key_.clear();
      for (auto [row, set] : together_) key_.insert(key_.end(), {row, set});
      std::uint32_t id = known.intern(key_);
      if (id < after_many.size()) {
        number = after_many[id];
      } else {
        after_many.push_back(static_cast<std::uint32_t>(after.size()));
      }
    }
    if (number != FlatMap::kAbsent) return after[number];
    After made{kNoRow, {}};
    local.ended.clear();
    composer_.clear();
    for (auto [row, set] : together_) usable = usable && composer_.add(local, row, set);
    usable = usable && composer_.compose(local);
    if (usable && !composer_.made.empty()) {
      made.row = local.unknown + local.rows.intern(composer_.made);
      usable = local.rows.size() < kMostRows;
    }
    std::ranges::sort(local.ended);
    local.ended.erase(std::unique(local.ended.begin(), local.ended.end()), local.ended.end());
    made.ended = local.ended;
    after.push_back(std::move(made));
    return after.back();
  };
  struct Leaving {
    ShapeWalks::Exit exit;  // without its place
    std::vector<std::uint32_t> nodes;
  };
  std::vector<Leaving> leaving;
  std::vector<ShapeWalks::Exit> here;  // what ended beyond at the last node
  std::vector<std::pair<std::uint32_t, std::uint32_t>> runs;
  auto step = [&](std::uint32_t at, std::span<const Config> configs, std::vector<Config>& to) {
    if (!usable) return false;
    const std::size_t below = trie.nodes[at].subtree_last_token - trie.nodes[at].last_token;
    const std::size_t before = to.size();
    bool complete = false;
    here.clear();
    step_readings(configs, trie.bytes[at], to, [&](ObligationId obligation) {
      const bool own = std::ranges::all_of(
          together_, [&](const auto& one) { return one.first == local.unknown; });
      if (own && below > many_tokens_) {  // a walk that other shapes may share
        for (auto [row, set] : together_) here.push_back({set, ShapeWalks::kSelf, obligation, 0});
        return;
      }
      const After& next = advance_locally();
      for (auto [rule, origin] : next.ended) here.push_back({rule, origin, obligation, 0});
      if (next.row == kNoRow) return;
      const Shape& shape = shapes_[local.shape(next.row)];
      complete = complete || shape.accepting;
      if (shape.lexer != 0) to.push_back({next.row, shape.lexer, obligation});
    });
    return complete || to.size() > before || !here.empty();
  };
  auto take = [&](std::uint32_t at, std::uint32_t first, std::uint32_t last, bool all) {
    if (first < last) runs.emplace_back(first, last);
    if (all || trie.nodes[at].first_child == trie.nodes[at].last_child) return all;
    for (const ShapeWalks::Exit& exit : here) {
      auto same = std::ranges::find(leaving, exit, &Leaving::exit);
      if (same == leaving.end()) {
        usable = usable && leaving.size() < kMostExits;
        leaving.push_back({exit, {}});
        same = leaving.end() - 1;
      }
      same->nodes.push_back(at);
    }
    return all;
  };
  walked_.assign({{local.unknown, from.lexer, from.obligation}});
  steps_left_ = kAnySteps;
  const std::span<const std::uint32_t> shared = walks_.nodes(from.place);
  for (std::uint32_t node : std::vector<std::uint32_t>(shared.begin(), shared.end())) {
    walk_nodes(trie, trie.nodes[node].first_child, trie.nodes[node].last_child, step, take);
    if (!usable) return table;
  }
  table.runs = walks_.add_runs(runs);
  for (Leaving& each : leaving) {
    std::ranges::sort(each.nodes);
    each.nodes.erase(std::unique(each.nodes.begin(), each.nodes.end()), each.nodes.end());
    each.exit.place = walks_.place(trie, each.nodes);
    table.exits.push_back(each.exit);
  }
  table.usable = true;
  return table;
}

/// False, and nothing is done, where that is not worth while or there are too many ways.
bool EarleyRecogniser::walk_by_shapes(const ByteTrie& trie, std::uint32_t first, std::uint32_t last,
                                      StateId state, std::vector<TokenId>& tokens) {
  constexpr std::size_t kManyJobs = 1024;
  const ByteTrie::Node& root = trie.nodes[0];
  bool whole = first == root.first_child && last == root.last_child && first < last;
  if (!whole || trie.tokens.size() < few_tokens_ || rows_by_items_) return false;
  if (walks_.bytes() > walk_bytes_) walks_ = {};
  const std::uint32_t zero = 0;
  const ShapeWalks::PlaceId place = walks_.place(trie, {&zero, 1});
  configs_of(state, walked_);
  jobs_.clear();
  bool few = true;  // ways
  auto add = [&](ShapeWalks::PlaceId at, const Config& config, bool alone) {
    const Job job{at, config, alone};
    if (std::ranges::find(jobs_, job) != jobs_.end()) return;
    few = few && jobs_.size() < kManyJobs;
    jobs_.push_back(job);
  };
  for (const Config& config : walked_) add(place, config, false);
  const std::size_t before = tokens.size();
  for (std::size_t i = 0; few && i < jobs_.size(); ++i) {
    const Job job = jobs_[i];
    const Config config = job.config;
    const ShapeWalks::From from{job.place,
                                job.alone ? ShapeWalks::kAnyShape : shape_number(config.row),
                                config.lexer, config.obligation};
    auto [number, fresh] = walks_.find(from);
    const ByteTrie& here = walks_.trie(job.place);
    auto walk_plainly = [&](std::size_t steps) {
      walked_.assign({config});
      steps_left_ = steps;
      const std::span<const std::uint32_t> shared = walks_.nodes(job.place);
      for (std::uint32_t node : std::vector<std::uint32_t>(shared.begin(), shared.end())) {
        const ByteTrie::Node& root = here.nodes[node];
        if (!walk_from(here, root.first_child, root.last_child, tokens)) return false;
      }
      return true;
    };
    // A table takes longer than a walk: what is short is walked when it is met for the first time.
    if (fresh) {
      const std::size_t so_far = tokens.size();
      if (walk_plainly(short_steps_)) continue;
      tokens.resize(so_far);
    }
    // What takes long to read is found once for all shapes: a terminal by itself.
    const bool whole = job.alone || config.obligation != 0 || lexer_.is_fixed_only(config.lexer) ||
                       walks_.tokens(job.place) < many_tokens_;
    if (const LexerParts* parts = whole ? nullptr : &lexer_parts(config.lexer);
        parts != nullptr && !parts->wide.empty()) {
      for (const LexerParts::One& part : parts->wide) {
        add(job.place, {config.row, part.lexer, 0}, true);
      }
      if (parts->narrow != 0) add(job.place, {config.row, parts->narrow, 0}, false);
      continue;
    }
    if (!walks_.table(number).made) walks_.put(number, make_walk(from));
    if (!walks_.table(number).usable) {
      walk_plainly(kAnySteps);
      continue;
    }
    std::span<const std::uint32_t> runs = walks_.runs(walks_.table(number).runs);
    for (std::size_t k = 0; k < runs.size(); k += 2) {
      tokens.insert(tokens.end(), here.tokens.begin() + runs[k], here.tokens.begin() + runs[k + 1]);
    }
    for (std::size_t k = 0; k < walks_.table(number).exits.size(); ++k) {
      const ShapeWalks::Exit exit = walks_.table(number).exits[k];
      const RowId row = exit.origin == ShapeWalks::kSelf
                            ? advance_one(config.row, exit.ended)
                            : after_complete(exit.ended, rows_.words(config.row)[exit.origin + 1]);
      const LexId lexer = shape_of(row).lexer;
      if (lexer == 0) continue;
      const ShapeWalks::PlaceId after =
          walks_.gathered(exit.place, lexer, lexer_.first_bytes(lexer));
      if (after != ShapeWalks::kNowhere) add(after, {row, lexer, exit.obligation}, false);
    }
  }
  if (!few) tokens.resize(before);
  return few;
}

}  // namespace slm
