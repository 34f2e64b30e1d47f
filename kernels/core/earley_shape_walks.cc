// Walks over a trie's tokens by shape (shape_walks.h).
#include <algorithm>

#include "core/earley_steps.h"

namespace slm {

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
  auto step = [&](std::uint32_t at, std::span<const Config> configs, std::vector<Config>& to,
                  auto enough) {
    if (!usable) return false;
    const std::size_t below = trie.nodes[at].subtree_last_token - trie.nodes[at].last_token;
    const std::size_t before = to.size();
    bool complete = false;
    here.clear();
    step_readings(configs, trie.bytes[at], to, enough, [&](ObligationId obligation) {
      const bool own = std::ranges::all_of(
          together_, [&](const auto& one) { return one.first == local.unknown; });
      if (own && below > many_tokens_) {  // a walk that other shapes may share
        for (auto [row, set] : together_) here.push_back({set, ShapeWalks::kSelf, obligation, 0});
        return;
      }
      const After& next = advance_locally();
      for (auto [rule, origin] : next.ended) here.push_back({rule, origin, obligation, 0});
      if (next.row == kNoRow) return;
      const ShapeId shape = local.shape(next.row);
      complete = complete || shapes_[shape].accepting;
      const LexId lexer = shapes_.lexer(shape);
      if (lexer != 0) to.push_back({next.row, lexer, obligation});
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

/// Readings of one place of the text are walked apart: what follows a union is what follows its
/// parts, and parts come again in other contexts while unions are new. First, what began in
/// different rows. False where there is nothing to cut, or the row has read something already.
bool EarleyRecogniser::cut_by_origins(const Job& job) {
  const auto [row, lexer, obligation] = job.config;
  const ShapeId shape = shape_number(row);
  if (job.part != Job::kAll || !has_parts(row)) return false;
  const bool all = lexer == shapes_.lexer(shape);
  if (!all && lexer != lexer_parts(shapes_.lexer(shape)).narrow) return false;
  for (std::uint32_t part = 0; part < shapes_[shape].origins; ++part) {
    const LexId whole = shapes_.lexer(shapes_.parts(shape)[part]);
    const LexId its = all || whole == 0 ? whole : lexer_parts(whole).narrow;
    if (its == 0) continue;
    const ShapeWalks::PlaceId place = walks_.gathered(job.place, its, lexer_.first_bytes(its));
    if (place != ShapeWalks::kNowhere) add_job({place, {row, its, obligation}, part});
  }
  return true;
}

/// Adds all that is to be read from a row on below a place: at once by its parts, if it has some.
void EarleyRecogniser::add_jobs(ShapeWalks::PlaceId place, RowId row, ObligationId obligation) {
  const ShapeId shape = shape_number(row);
  auto add = [&](ShapeId from, std::uint32_t part) {
    const LexId lexer = shapes_.lexer(from);
    if (lexer == 0) return;
    const ShapeWalks::PlaceId its = walks_.gathered(place, lexer, lexer_.first_bytes(lexer));
    if (its != ShapeWalks::kNowhere) add_job({its, {row, lexer, obligation}, part});
  };
  if (!has_parts(row)) return add(shape, Job::kAll);
  for (std::uint32_t part = 0; part < shapes_[shape].origins; ++part) {
    add(shapes_.parts(shape)[part], part);
  }
}

/// Then, where many tokens are below, what takes long to read: terminals by themselves, whose
/// tables are those of all shapes. False where there are none.
bool EarleyRecogniser::cut_by_terminals(const Job& job) {
  const auto [row, lexer, obligation] = job.config;
  if (job.part == Job::kTerminal || obligation != 0 || lexer_.is_fixed_only(lexer) ||
      walks_.tokens(job.place) < many_tokens_) {
    return false;
  }
  const LexerParts& parts = lexer_parts(lexer);
  if (parts.wide.empty()) return false;
  for (const LexerParts::One& part : parts.wide) {
    add_job({job.place, {row, part.lexer, 0}, Job::kTerminal});
  }
  if (parts.narrow != 0) add_job({job.place, {row, parts.narrow, 0}, job.part});
  return true;
}

/// False, and nothing is done, if that takes more than so many steps.
bool EarleyRecogniser::walk_plainly(const Job& job, std::size_t steps,
                                    std::vector<TokenId>& tokens) {
  const std::size_t before = tokens.size();
  const ByteTrie& trie = walks_.trie(job.place);
  walked_.assign({job.config});
  steps_left_ = steps;
  for (std::uint32_t node : walks_.nodes(job.place)) {  // a walk from nodes makes no places
    const ByteTrie::Node& root = trie.nodes[node];
    if (walk_from(trie, root.first_child, root.last_child, tokens)) continue;
    tokens.resize(before);
    return false;
  }
  return true;
}

/// Appends the tokens of the job's table, and adds what is left to do where its exits lead.
void EarleyRecogniser::take_table(const Job& job, std::uint32_t table,
                                  std::vector<TokenId>& tokens) {
  const auto [row, lexer, obligation] = job.config;
  const bool part = job.part != Job::kAll && job.part != Job::kTerminal;
  const ByteTrie& trie = walks_.trie(job.place);
  const std::span<const std::uint32_t> runs = walks_.runs(walks_.table(table).runs);
  for (std::size_t k = 0; k < runs.size(); k += 2) {
    tokens.insert(tokens.end(), trie.tokens.begin() + runs[k], trie.tokens.begin() + runs[k + 1]);
  }
  for (std::size_t k = 0; k < walks_.table(table).exits.size(); ++k) {
    const ShapeWalks::Exit exit = walks_.table(table).exits[k];
    auto origin = [&] {  // that of a part is the only one there
      return rows_.words(row)[(part ? job.part : exit.origin) + 1];
    };
    const RowId after = exit.origin == ShapeWalks::kSelf ? advance_one(row, exit.ended)
                                                         : after_complete(exit.ended, origin());
    add_jobs(exit.place, after, exit.obligation);
  }
}

/// False, and nothing is done, where that is not worth while or there are too many ways.
bool EarleyRecogniser::walk_by_shapes(const ByteTrie& trie, std::uint32_t first, std::uint32_t last,
                                      StateId state, std::vector<TokenId>& tokens) {
  constexpr std::size_t kManyJobs = 1024, kManyTokens = 1024, kFewBytes = 4;
  const ByteTrie::Node& root = trie.nodes[0];
  bool whole = first == root.first_child && last == root.last_child && first < last;
  if (!whole || trie.tokens.size() < few_tokens_ || rows_by_items_) return false;
  if (walks_.bytes() > walk_bytes_) walks_ = {};
  const std::uint32_t zero = 0;
  const ShapeWalks::PlaceId place = walks_.place(trie, {&zero, 1});
  configs_of(state, walked_);
  jobs_.clear();
  jobs_known_.clear();
  for (const Config& config : walked_) add_job({place, config, Job::kAll});
  const std::size_t before = tokens.size();
  for (std::size_t i = 0; i < jobs_.size(); ++i) {
    if (jobs_.size() > kManyJobs) {
      tokens.resize(before);
      return false;
    }
    const Job job = jobs_[i];
    if (cut_by_origins(job)) continue;
    const ShapeId shape = shape_number(job.config.row);
    const bool terminal = job.part == Job::kTerminal, part = !terminal && job.part != Job::kAll;
    auto [number, fresh] = walks_.find({job.place,
                                        terminal ? ShapeWalks::kAnyShape
                                        : part   ? shapes_.parts(shape)[job.part]
                                                 : shape,
                                        job.config.lexer, job.config.obligation});
    // A table takes longer than a walk: what is short is walked when it is met for the first time,
    // but for parts, which do come again.
    const bool long_walk = walks_.tokens(job.place) >= kManyTokens &&
                           lexer_.first_bytes(job.config.lexer).count() > kFewBytes;
    if (fresh && !part && !long_walk && walk_plainly(job, short_steps_, tokens)) continue;
    if (cut_by_terminals(job)) continue;
    if (!walks_.table(number).made) walks_.put(number, make_walk(walks_.from(number)));
    if (walks_.table(number).usable) {
      take_table(job, number, tokens);
    } else {
      walk_plainly(job, kAnySteps, tokens);
    }
  }
  return true;
}

}  // namespace slm
