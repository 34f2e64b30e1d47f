#include "core/terminal_tables.h"

#include <algorithm>

namespace slm {

LoopTable* TerminalTables::loop_table(NodeId body) {
  auto [found, fresh] = loops_.try_emplace(body);
  if (fresh) found->second = LoopTable::make(pool, index_, body);
  return found->second.get();
}

TerminalTables::Found TerminalTables::find(NodeId node) {
  std::uint32_t known = found_.find(node);
  if (known != FlatMap::kAbsent) return results_[known];
  Found result;
  RegexPool::Loop loop;
  bool is_loop = pool.is_loop(node, loop);
  LoopTable* rounds = is_loop && ends_clearly(loop) ? loop_table(loop.body) : nullptr;
  const std::int32_t longest = static_cast<std::int32_t>(index_.trie().longest());
  const std::int32_t brief = static_cast<std::int32_t>(index_.brief());
  NodeId exact = pool.clamp(rounds != nullptr ? loop.tail : node, longest);
  NodeId shared = pool.clamp(exact, brief);
  // Few tokens are long, and only they can feel a bound that is farther away than the others read:
  // with a table apart for them, the places of a text share the one of all others.
  auto table = [&](NodeId part, Tokens which) {
    if (rounds == nullptr) return table_of(part, nullptr, which);
    loop.tail = part;
    return table_of(pool.concat(pool.repeat(loop.body, 0, kNoBound), part), &loop, which);
  };
  if (rounds != nullptr) {
    result.low = loop.low;
    result.high = loop.high;
  }
  if (shared == exact) {
    result.table = table(exact, Tokens::kAll);
  } else {
    result.longer = table(exact, Tokens::kLong);
    if (result.longer != nullptr) result.table = table(shared, Tokens::kShort);
  }
  found_.insert(node, static_cast<std::uint32_t>(results_.size()));
  results_.push_back(result);
  return result;
}

TerminalTable* TerminalTables::table_of(NodeId key, const RegexPool::Loop* loop, Tokens which) {
  std::uint64_t place = (std::uint64_t{key} << 3) | (static_cast<std::uint64_t>(which) << 1) |
                        (loop != nullptr ? 1 : 0);
  std::uint32_t at = by_node_.find(place);
  if (at == FlatMap::kAbsent) {
    std::unique_ptr<TerminalTable> made = made_or_stored(key, loop, which);
    if (made) {
      bytes_ += sizeof(TerminalTable) + made->mask.size() * 4 + made->tokens.size() * 4 +
                made->left.size() * 8 + made->crossing.size() * 8 + made->remainders.bytes_held();
    }
    at = static_cast<std::uint32_t>(tables_.size());
    by_node_.insert(place, at);
    tables_.push_back(std::move(made));
  }
  return tables_[at].get();
}

const std::uint32_t* TerminalTables::joined(const std::uint32_t* one, const std::uint32_t* other) {
  if (one == other) return one;
  auto known = joined_.find(std::minmax(one, other));
  if (known == joined_.end()) {
    if (joined_.size() == kMaxJoined) return nullptr;
    std::vector<std::uint32_t> made(one, one + index_.words());
    for (std::size_t w = 0; w < made.size(); ++w) made[w] |= other[w];
    bytes_ += made.size() * sizeof(std::uint32_t);
    known = joined_.emplace(std::minmax(one, other), std::move(made)).first;
  }
  return known->second.data();
}

const std::uint32_t* TerminalTables::composed(const std::uint32_t* base,
                                              std::span<const TokenId> without,
                                              std::span<const TokenId> with) {
  // Some of the tokens are enough for a hash: what has it is compared.
  constexpr std::size_t kSome = 16;
  std::uint64_t hash = mix(reinterpret_cast<std::uintptr_t>(base), without.size());
  for (std::size_t i = 0; i < with.size(); i += with.size() / kSome + 1) hash = mix(hash, with[i]);
  for (auto [at, last] = composed_.equal_range(hash); at != last; ++at) {
    const Composed& known = at->second;
    if (known.base == base && std::ranges::equal(known.without, without) &&
        std::ranges::equal(known.with, with)) {
      return known.mask.data();
    }
  }
  if (composed_.size() == kMaxComposed) return nullptr;
  Composed made{base,
                {without.begin(), without.end()},
                {with.begin(), with.end()},
                {base, base + index_.words()}};
  for (TokenId token : without) made.mask[token >> 5] &= ~(1u << (token & 31));
  for (TokenId token : with) made.mask[token >> 5] |= 1u << (token & 31);
  bytes_ += (made.mask.size() + without.size() + with.size()) * sizeof(std::uint32_t);
  return composed_.emplace(hash, std::move(made))->second.mask.data();
}

/// Whether what follows a loop never looks like another round of it, so that rounds can be counted.
bool TerminalTables::ends_clearly(const RegexPool::Loop& loop) {
  if ((pool.first_bytes(loop.body) & pool.first_bytes(loop.tail)).none()) return true;
  if (!pool.is_prefix_code(loop.body) || pool.echoes(loop.tail)) return false;
  // First of a tail with wider bounds, which many places of a text share.
  NodeId anything = pool.complement(kNothing);
  NodeId wider = pool.clamp(loop.tail, static_cast<std::int32_t>(index_.brief()));
  for (NodeId tail : {wider, loop.tail}) {
    std::uint64_t key = (std::uint64_t{loop.body} << 32) | tail;
    std::uint32_t known = ends_clearly_.find(key);
    if (known == FlatMap::kAbsent) {
      known = pool.surely_empty(
                  pool.intersect({pool.concat(loop.body, anything), pool.concat(tail, anything)}))
                  ? 1
                  : 0;
      ends_clearly_.insert(key, known);
    }
    if (known != 0) return true;
  }
  return false;
}

/// The characters under which an expression stays alive, however many of them a token has.
const CharClass& TerminalTables::find_loop_characters(NodeId node) {
  CharClass chars = pool.living(node, static_cast<std::int32_t>(index_.trie().longest()));
  if (node >= loop_chars_of_.size()) loop_chars_of_.resize(pool.size(), 0);
  bool none = chars.size() == 0;
  loop_chars_of_[node] = none ? 1 : static_cast<std::uint32_t>(loop_chars_.size());
  if (!none) loop_chars_.push_back(chars);
  return loop_chars_[loop_chars_of_[node]];
}

std::uint32_t TerminalTables::walked(NodeId node) {
  std::uint32_t known = walked_of_.find(node);
  if (known != FlatMap::kAbsent) return known;
  known = static_cast<std::uint32_t>(walked_.size());
  Walked& made = walked_.emplace_back();
  made.node = node;
  made.nullable = pool.nullable(node);
  made.follows = pool.first_bytes(node);
  made.wide = made.follows.count() > 4;
  made.loop = loop_characters(node);
  made.loops = made.loop.size() > 0;
  made.next.fill(kUnknown);
  walked_of_.insert(node, known);
  return known;
}

std::uint32_t TerminalTables::compute_walk_step(std::uint32_t at, std::uint8_t byte) {
  NodeId node = pool.step(walked_[at].node, byte);
  std::uint32_t next = node == kNothing || !pool.alive(node) ? 0 : walked(node);
  Walked& here = walked_[at];
  here.next[byte] = next;
  if (here.wide && byte < 0x80) {
    const ByteSet alike = pool.alike(here.node, byte);
    for (std::size_t b = 0; b < 0x80; ++b) {
      if (alike[b]) here.next[b] = next;
    }
  }
  return next;
}

/// Walks the trie's nodes [first, last) and what is below them; false when too many tokens cross
/// the end of the expression. A crossing token comes with the place where it ends.
bool TerminalTables::walk(Tokens which, std::uint32_t first, std::uint32_t last, NodeId node,
                          std::vector<TokenId>& inside,
                          std::vector<std::pair<TokenId, std::uint32_t>>& crossing) {
  const ByteTrie& trie = trie_of(which);
  const std::size_t deepest = which == Tokens::kShort ? index_.brief() : trie.longest;
  struct Frame {
    std::uint32_t next, last;
    std::uint32_t state;
    std::size_t ends;  // how many places on the path here complete the expression
  };
  if (walked_.size() > kMaxWalked) {
    walked_.resize(1);
    walked_of_.clear();
  }
  std::vector<Frame> stack{{first, last, walked(node), 0}};
  std::vector<std::uint32_t> ends;
  while (!stack.empty()) {
    Frame& frame = stack.back();
    if (ends.empty()) {
      const ByteSet& follows = walked_[frame.state].follows;
      while (frame.next < frame.last && !follows[trie.bytes[frame.next]]) ++frame.next;
    }
    if (frame.next == frame.last) {
      stack.pop_back();
      if (!stack.empty()) ends.resize(stack.back().ends);
      continue;
    }
    std::uint32_t at = frame.next++;
    const ByteTrie::Node& here = trie.nodes[at];
    __builtin_prefetch(&here);
    __builtin_prefetch(&trie.below[at]);
    std::uint32_t state = walk_step(frame.state, trie.bytes[at]);
    std::uint32_t depth = static_cast<std::uint32_t>(stack.size());
    if (state == 0) {
      for (std::uint32_t end : ends) {
        for (std::uint32_t t = here.first_token; t < here.subtree_last_token; ++t) {
          if (is_for(which, trie.tokens[t])) crossing.emplace_back(trie.tokens[t], end);
        }
        if (crossing.size() > kMaxCrossing) return false;
      }
      continue;
    }
    bool leaf = here.first_child == here.last_child;
    bool all = !leaf && walked_[state].loops && trie.consists_of(at, walked_[state].loop);
    std::uint32_t to = all ? here.subtree_last_token : here.last_token;
    if (which == Tokens::kAll) {
      inside.insert(inside.end(), trie.tokens.begin() + here.first_token, trie.tokens.begin() + to);
    } else {
      for (std::uint32_t t = here.first_token; t < to; ++t) {
        if (is_for(which, trie.tokens[t])) inside.push_back(trie.tokens[t]);
      }
    }
    if (all || leaf || depth == deepest) continue;
    if (walked_[state].nullable) ends.push_back(depth);
    stack.push_back({here.first_child, here.last_child, state, ends.size()});
  }
  return true;
}

std::unique_ptr<TerminalTable> TerminalTables::make(NodeId node, Tokens which) {
  const ByteTrie& trie = trie_of(which);
  std::vector<TokenId> inside;
  std::vector<std::pair<TokenId, std::uint32_t>> crossing;
  if (!walk(which, trie.nodes[0].first_child, trie.nodes[0].last_child, node, inside, crossing)) {
    return nullptr;
  }
  auto table = std::make_unique<TerminalTable>();
  if (which != Tokens::kLong && inside.size() * 16 > index_.words()) {
    table->mask.assign(index_.words(), 0);
    for (TokenId token : inside) table->mask[token >> 5] |= 1u << (token & 31);
  } else {
    table->tokens = std::move(inside);
  }
  std::vector<ByteTrie::Entry> remainders;
  for (auto [token, end] : crossing) {
    std::string_view bytes = index_.trie().bytes_of(token);
    remainders.emplace_back(bytes.substr(end), static_cast<TokenId>(table->crossing.size()));
    table->crossing.push_back({token, 0});
  }
  table->remainders = ByteTrie::build(std::move(remainders));
  return table;
}

std::unique_ptr<TerminalTable> TerminalTables::make_loop(const RegexPool::Loop& loop,
                                                         Tokens which) {
  const ByteTrie& trie = trie_of(which);
  auto table = std::make_unique<TerminalTable>();
  table->loop = loop_table(loop.body);
  table->may_end = pool.nullable(loop.tail);
  std::vector<ByteTrie::Entry> remainders;
  auto cross = [&](TokenId token, std::size_t end, std::uint32_t rounds) {
    std::string_view bytes = index_.trie().bytes_of(token);
    remainders.emplace_back(bytes.substr(end), static_cast<TokenId>(table->crossing.size()));
    table->crossing.push_back({token, rounds});
  };
  ByteSet first = pool.first_bytes(loop.tail);
  // Tokens that come to the tail at once, or after some rounds, by the nodes of the trie below
  // which they do.
  std::vector<TokenId> inside;
  std::vector<std::pair<TokenId, std::uint32_t>> crossing;
  auto leave = [&](std::uint32_t node, std::size_t offset, std::uint32_t rounds) {
    inside.clear();
    crossing.clear();
    if (!walk(which, node, node + 1, loop.tail, inside, crossing)) return false;
    for (TokenId token : inside) table->left.push_back({token, rounds});
    for (auto [token, end] : crossing) cross(token, offset + end, rounds);
    return true;
  };
  std::size_t read = 0;
  for (std::size_t b = 0; b < 256; ++b) {
    if (first[b]) read += index_.holding(static_cast<std::uint8_t>(b)).size();
  }
  const ByteTrie::Node& root = trie.nodes[0];
  if (table->loop->staying() < read) {  // few tokens begin with rounds: from place to place in them
    struct Place {
      std::uint32_t node, offset, rounds;
      NodeId left;  // of the round that is being read
    };
    std::vector<Place> places{{0, 0, 0, kEpsilon}};
    while (!places.empty()) {
      auto [node, offset, rounds, left] = places.back();
      places.pop_back();
      const ByteTrie::Node& here = trie.nodes[node];
      for (std::uint32_t child = here.first_child; child < here.last_child; ++child) {
        std::uint8_t byte = trie.bytes[child];
        bool between = left == kEpsilon;
        if (between && first[byte] && !leave(child, offset, rounds)) return nullptr;
        NodeId next = pool.step(between ? loop.body : left, byte);
        if (next != kNothing) places.push_back({child, offset + 1, rounds + between, next});
      }
    }
  } else {
    for (std::uint32_t child = root.first_child; child < root.last_child; ++child) {
      if (first[trie.bytes[child]] && !leave(child, 0, 0)) return nullptr;
    }
    for (std::size_t b = 0; b < 256; ++b) {
      if (!first[b]) continue;
      for (const LoopTable::Exit& exit : table->loop->exits(static_cast<std::uint8_t>(b)).tokens) {
        if (!is_for(which, exit.token)) continue;
        std::string_view bytes = index_.trie().bytes_of(exit.token);
        std::vector<std::size_t> ends;
        std::uint32_t state = walked(loop.tail);
        for (std::size_t i = exit.offset; i < bytes.size() && state != 0; ++i) {
          if (i > exit.offset && walked_[state].nullable) ends.push_back(i);
          state = walk_step(state, static_cast<std::uint8_t>(bytes[i]));
        }
        if (state != 0) {
          table->left.push_back({exit.token, exit.rounds});
        } else {
          for (std::size_t end : ends) cross(exit.token, end, exit.rounds);
        }
      }
    }
    // What begins a round may begin the tail instead: `\` both `\u0061` and `\u0062`. No text of
    // the one begins with one of the other, so it stays inside of the tail.
    for (const LoopTable::Exit& open : table->loop->unfinished()) {
      std::string_view rest = index_.trie().bytes_of(open.token);
      rest.remove_prefix(open.offset);
      if (!first[static_cast<std::uint8_t>(rest[0])] || !is_for(which, open.token)) continue;
      std::uint32_t state = walked(loop.tail);
      for (std::size_t i = 0; i < rest.size() && state != 0; ++i) {
        state = walk_step(state, static_cast<std::uint8_t>(rest[i]));
      }
      if (state != 0) table->left.push_back({open.token, open.rounds});
    }
  }
  table->remainders = ByteTrie::build(std::move(remainders));
  return table;
}

/// Where an exclusion dies, both expressions are one from there on; where it strikes, all that
/// begins so is excluded.
const std::vector<TokenId>* TerminalTables::exclusions(NodeId node, NodeId wider) {
  auto [found, fresh] = exclusions_.try_emplace({node, wider});
  if (!fresh) return found->second.get();
  const ByteTrie& trie = index_.trie().trie();
  struct Pair {
    std::uint32_t next, last;
    NodeId node, wider;
    ByteSet differ;
  };
  auto excluded = std::make_unique<std::vector<TokenId>>();
  std::vector<Pair> stack;
  auto open = [&](const ByteTrie::Node& at, NodeId one, NodeId other) {
    RegexPool::Exclusion exclusion;
    if (pool.is_exclusion(one, exclusion) && exclude_texts(at, exclusion, *excluded)) return;
    stack.push_back({at.first_child, at.last_child, one, other, pool.exclusion_bytes(one)});
  };
  open(trie.nodes[0], node, wider);
  while (!stack.empty()) {
    Pair& pair = stack.back();
    while (pair.next < pair.last && !pair.differ[trie.bytes[pair.next]]) ++pair.next;
    if (pair.next == pair.last) {
      stack.pop_back();
      continue;
    }
    std::uint32_t at = pair.next++;
    NodeId exact = pool.step(pair.node, trie.bytes[at]);
    NodeId base = pool.step(pair.wider, trie.bytes[at]);
    if (exact == base || base == kNothing) continue;
    const ByteTrie::Node& here = trie.nodes[at];
    if (exact == kNothing || !pool.alive(exact)) {
      excluded->insert(excluded->end(), trie.tokens.begin() + here.first_token,
                       trie.tokens.begin() + here.subtree_last_token);
      continue;
    }
    // What ends before the exclusion strikes is not this table's to tell, nor other differences.
    if (pool.nullable(exact) || pool.nullable(base) || pool.without_exclusions(exact) != base) {
      return nullptr;
    }
    if (here.first_child != here.last_child) open(here, exact, base);
  }
  found->second = std::move(excluded);
  return found->second.get();
}

/// The same below a node of the trie, by the excluded texts alone: whatever else is read can go on.
/// False, and nothing done, where that is not known, or the text might go on with what begins the
/// tail. Some of the tokens found may not even be allowed without the exclusion.
bool TerminalTables::exclude_texts(const ByteTrie::Node& root,
                                   const RegexPool::Exclusion& exclusion,
                                   std::vector<TokenId>& excluded) {
  const ByteTrie& trie = index_.trie().trie();
  const ByteSet ends = pool.first_bytes(exclusion.tail);
  if (!pool.always_escapes(exclusion)) return false;
  bool whole = &root == &trie.nodes[0];
  return whole && !pool.is_finite(exclusion.body)
             ? exclude_by_ends(exclusion, ends, excluded)
             : exclude_by_trie(root, exclusion, ends, excluded);
}

/// Few excluded texts: along them.
bool TerminalTables::exclude_by_trie(const ByteTrie::Node& root,
                                     const RegexPool::Exclusion& exclusion, const ByteSet& ends,
                                     std::vector<TokenId>& excluded) {
  const ByteTrie& trie = index_.trie().trie();
  struct Frame {
    std::uint32_t next, last;
    NodeId text, body;
    ByteSet differ;
  };
  const std::size_t before = excluded.size();
  std::vector<Frame> stack;
  auto open = [&](const ByteTrie::Node& at, NodeId text, NodeId body) {
    ByteSet differ = pool.first_bytes(body);
    bool clear = (ends & (differ | pool.first_bytes(text))).none();
    if (pool.nullable(body)) differ |= ends;
    if (clear) stack.push_back({at.first_child, at.last_child, text, body, differ});
    return clear;
  };
  bool clear = open(root, exclusion.text, exclusion.body);
  while (clear && !stack.empty()) {
    Frame& frame = stack.back();
    while (frame.next < frame.last && !frame.differ[trie.bytes[frame.next]]) ++frame.next;
    if (frame.next == frame.last) {
      stack.pop_back();
      continue;
    }
    std::uint32_t at = frame.next++;
    std::uint8_t byte = trie.bytes[at];
    const ByteTrie::Node& here = trie.nodes[at];
    if (ends[byte]) {  // an excluded text is over
      excluded.insert(excluded.end(), trie.tokens.begin() + here.first_token,
                      trie.tokens.begin() + here.subtree_last_token);
      continue;
    }
    NodeId text = pool.step(frame.text, byte), body = pool.step(frame.body, byte);
    if (text == kNothing || body == kNothing || here.first_child == here.last_child) continue;
    clear = open(here, text, body);
  }
  if (!clear) excluded.resize(before);
  return clear;
}

/// Many: by the tokens that hold an end.
bool TerminalTables::exclude_by_ends(const RegexPool::Exclusion& exclusion, const ByteSet& ends,
                                     std::vector<TokenId>& excluded) {
  const std::size_t before = excluded.size();
  for (std::size_t b = 0; b < 256; ++b) {
    if (!ends[b]) continue;
    for (TokenId token : index_.holding(static_cast<std::uint8_t>(b))) {
      NodeId text = exclusion.text, body = exclusion.body;
      for (char c : index_.trie().bytes_of(token)) {
        std::uint8_t byte = static_cast<std::uint8_t>(c);
        if ((ends & (pool.first_bytes(text) | pool.first_bytes(body))).any()) {
          excluded.resize(before);
          return false;
        }
        if (ends[byte]) {  // the first of them: a token comes up once for each
          if (byte == b && pool.nullable(body)) excluded.push_back(token);
          break;
        }
        text = pool.step(text, byte);
        body = pool.step(body, byte);
        if (text == kNothing || body == kNothing) break;
      }
    }
  }
  return true;
}

}  // namespace slm
