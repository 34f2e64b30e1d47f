// What a vocabulary knows about terminals: expressions, and which tokens stay inside of them.
//
// A mask has a part that depends on the terminal that is being read alone: the tokens that do not
// leave it. And a part that depends on what follows: tokens that end it somewhere and go on. For
// the second, all that counts is what a token has left where the terminal ends. So a table of an
// expression has the tokens of the first kind as a mask, and of the second kind the remainders as a
// trie. Expressions are hash-consed across grammars, and so are their tables.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <unordered_map>
#include <utility>
#include <vector>

#include "core/loop_table.h"
#include "core/regex.h"
#include "core/table_store.h"
#include "core/token_index.h"
#include "core/trie.h"

namespace slm {

/// The tokens of a vocabulary beside one expression. Immutable but for the loop's own lists.
struct TerminalTable {
  struct Counted {
    TokenId token;
    std::uint32_t rounds;  // of the loop, before the token leaves it
  };
  LoopTable* loop =
      nullptr;           // the expression is a loop X{low,high} and a tail; else the mask below
  bool may_end = false;  // in the loop: its exits go straight to what follows
  std::vector<std::uint32_t> mask;  // tokens after which the expression goes on, or is complete
  std::vector<TokenId> tokens;      // the same, where they are few; one of the two is empty
  std::vector<Counted> left;        // with a loop: tokens that leave it and end in the tail
  std::vector<Counted> crossing;    // tokens that end the expression before they end
  ByteTrie remainders;              // what those have left; an entry is a place in `crossing`
};

/// The expressions of a vocabulary's grammars and their tables. What is public is guarded by the
/// mutex that is; a grammar takes it when it needs an expression that it has not met.
class TerminalTables {
 public:
  /// `store`: where tables of earlier processes are; none: nowhere. It has to live longer.
  explicit TerminalTables(const TokenIndex& index, TableStore* store = nullptr)
      : index_(index), store_(store) {}

  const TokenTrie& tokens() const noexcept { return index_.trie(); }

  std::mutex mutex;
  RegexPool pool;
  FlatMap known;  // expressions of known languages, by their ids

  struct Found {
    TerminalTable* table = nullptr;         // none: the expression is better walked
    TerminalTable* longer = nullptr;        // the table of long tokens, if they have one apart
    std::int32_t low = 0, high = kNoBound;  // of its loop
  };
  /// Cost: a walk over the trie as far as the expression goes, the first time; then a look-up.
  Found find(NodeId node);

  /// The tokens that `wider` allows and `node` does not, and maybe some that neither does, when the
  /// two are known to be the same but for exclusions (`RegexPool::without_exclusions`), and differ
  /// in nothing else; else nullptr.
  const std::vector<TokenId>* exclusions(NodeId node, NodeId wider);

  /// Two of the tables' masks together, which many grammars join; nullptr when there are too many
  /// such pairs already.
  const std::uint32_t* joined(const std::uint32_t* one, const std::uint32_t* other);

  /// One of the tables' masks without some tokens and then with others, for all grammars that come
  /// to it; nullptr when there are too many such already.
  const std::uint32_t* composed(const std::uint32_t* base, std::span<const TokenId> without,
                                std::span<const TokenId> with);

  /// The characters under which an expression stays alive however many of them come: those of one
  /// of its loops.
  const CharClass& loop_characters(NodeId node) {
    std::uint32_t known = node < loop_chars_of_.size() ? loop_chars_of_[node] : 0;
    return known != 0 ? loop_chars_[known] : find_loop_characters(node);
  }

  std::size_t bytes() const noexcept { return pool.bytes() + bytes_; }

  static constexpr std::size_t kMaxCrossing = 8192, kMaxJoined = 512, kMaxComposed = 512;

 private:
  bool exclude_texts(const ByteTrie::Node& root, const RegexPool::Exclusion& exclusion,
                     std::vector<TokenId>& excluded);
  bool exclude_by_trie(const ByteTrie::Node& root, const RegexPool::Exclusion& exclusion,
                       const ByteSet& ends, std::vector<TokenId>& excluded);
  bool exclude_by_ends(const RegexPool::Exclusion& exclusion, const ByteSet& ends,
                       std::vector<TokenId>& excluded);

  /// The tokens that a table is for.
  enum class Tokens : std::uint8_t { kAll, kShort, kLong };

  TerminalTable* table_of(NodeId key, const RegexPool::Loop* loop, Tokens which);
  std::unique_ptr<TerminalTable> made_or_stored(NodeId key, const RegexPool::Loop* loop,
                                                Tokens which);
  std::unique_ptr<TerminalTable> make(NodeId node, Tokens which);
  std::unique_ptr<TerminalTable> make_loop(const RegexPool::Loop& loop, Tokens which);
  const ByteTrie& trie_of(Tokens which) const noexcept {
    return which == Tokens::kLong ? index_.long_tokens() : index_.trie().trie();
  }
  bool is_for(Tokens which, TokenId token) const noexcept {
    return which == Tokens::kAll || index_.is_long(token) == (which == Tokens::kLong);
  }
  bool ends_clearly(const RegexPool::Loop& loop);
  const CharClass& find_loop_characters(NodeId node);
  LoopTable* loop_table(NodeId body);
  bool walk(Tokens which, std::uint32_t first, std::uint32_t last, NodeId node,
            std::vector<TokenId>& inside, std::vector<std::pair<TokenId, std::uint32_t>>& crossing);

  /// An expression as walks see it.
  struct Walked {
    NodeId node;
    bool nullable;
    bool wide;   // many bytes can follow
    bool loops;  // by some characters
    ByteSet follows;
    CharClass loop;
    std::array<std::uint32_t, 256> next;  // by byte: a place in walked_; 0: dead, or kUnknown
  };
  static constexpr std::uint32_t kUnknown = ~std::uint32_t{0};
  static constexpr std::size_t kMaxWalked = 2048;  // kept from walk to walk
  std::uint32_t walked(NodeId node);
  std::uint32_t walk_step(std::uint32_t at, std::uint8_t byte) {
    std::uint32_t next = walked_[at].next[byte];
    return next != kUnknown ? next : compute_walk_step(at, byte);
  }
  std::uint32_t compute_walk_step(std::uint32_t at, std::uint8_t byte);

  const TokenIndex& index_;
  TableStore* store_;
  std::vector<Walked> walked_{1};
  FlatMap walked_of_;     // by expression: a place in walked_
  FlatMap ends_clearly_;  // by body and tail of a loop: 0 or 1
  FlatMap found_;         // by expression: a place in results_
  std::vector<Found> results_;
  FlatMap by_node_;  // by expression, loops without bounds, and tokens: a place in tables_
  std::vector<std::unique_ptr<TerminalTable>> tables_;
  std::map<NodeId, std::unique_ptr<LoopTable>> loops_;
  std::map<std::pair<NodeId, NodeId>, std::unique_ptr<std::vector<TokenId>>> exclusions_;
  std::map<std::pair<const std::uint32_t*, const std::uint32_t*>, std::vector<std::uint32_t>>
      joined_;
  struct Composed {
    const std::uint32_t* base;
    std::vector<TokenId> without, with;
    std::vector<std::uint32_t> mask;
  };
  std::unordered_multimap<std::uint64_t, Composed> composed_;
  std::vector<std::uint32_t> loop_chars_of_;  // by expression: a place in loop_chars_; 0: unasked
  std::vector<CharClass> loop_chars_{CharClass{}, CharClass{}};  // [1]: none at all
  std::size_t bytes_ = 0;
};

}  // namespace slm
