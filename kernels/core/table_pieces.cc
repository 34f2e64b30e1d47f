#include "core/table_pieces.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <optional>
#include <type_traits>
#include <utility>

namespace slm {
namespace {

class Packer {
 public:
  void number(std::uint64_t value) { bytes_.append(reinterpret_cast<const char*>(&value), 8); }
  /// Numbers without gaps between them.
  template <class Plain, class Memory>
  void list(const std::vector<Plain, Memory>& items) {
    static_assert(std::has_unique_object_representations_v<Plain>);
    number(items.size());
    bytes_.append(reinterpret_cast<const char*>(items.data()), items.size() * sizeof(Plain));
  }
  std::string take() { return std::move(bytes_); }

 private:
  std::string bytes_;
};

class Unpacker {
 public:
  explicit Unpacker(std::string_view bytes) : left_(bytes) {}

  std::uint64_t number() {
    std::uint64_t value = 0;
    if (left_.size() < 8) return bad_ = true, 0;
    std::memcpy(&value, left_.data(), 8);
    left_.remove_prefix(8);
    return value;
  }
  template <class Plain, class Memory>
  void list(std::vector<Plain, Memory>& items) {
    static_assert(std::has_unique_object_representations_v<Plain>);
    std::uint64_t count = number();
    if (bad_ || count > left_.size() / sizeof(Plain)) {
      bad_ = true;
      return;
    }
    items.resize(count);
    if (count == 0) return;  // then there may be no address
    std::memcpy(items.data(), left_.data(), count * sizeof(Plain));
    left_.remove_prefix(count * sizeof(Plain));
  }
  void require(bool holds) { bad_ = bad_ || !holds; }
  bool good() const { return !bad_ && left_.empty(); }

 private:
  std::string_view left_;
  bool bad_ = false;
};

void pack(Packer& out, const ByteTrie& trie) {
  const auto& [nodes, bytes, tokens, below, longest] = trie;
  out.list(nodes);
  out.list(bytes);
  out.list(tokens);
  std::vector<CharClass> starts;
  std::vector<std::uint8_t> whole;
  for (const ByteTrie::Below& one : below) {
    starts.push_back(one.starts);
    whole.push_back(one.whole ? 1 : 0);
  }
  out.list(starts);
  out.list(whole);
  out.number(longest);
}

void unpack(Unpacker& in, ByteTrie& trie, std::size_t entries) {
  auto& [nodes, bytes, tokens, below, longest] = trie;
  in.list(nodes);
  in.list(bytes);
  in.list(tokens);
  std::vector<CharClass> starts;
  std::vector<std::uint8_t> whole;
  in.list(starts);
  in.list(whole);
  longest = in.number();
  in.require(!nodes.empty() && bytes.size() == nodes.size() && starts.size() == nodes.size() &&
             whole.size() == nodes.size());
  in.require(std::ranges::all_of(tokens, [&](TokenId at) { return at < entries; }));
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    const ByteTrie::Node& node = nodes[i];
    // Children come after their parents: a walk ends.
    in.require(node.first_child <= node.last_child && node.last_child <= nodes.size() &&
               (node.first_child == node.last_child || node.first_child > i) &&
               node.first_token <= node.last_token && node.last_token <= node.subtree_last_token &&
               node.subtree_last_token <= tokens.size());
  }
  for (std::size_t i = 0; i < std::min(starts.size(), whole.size()); ++i) {
    below.push_back({starts[i], whole[i] != 0});
  }
}

}  // namespace

std::string pack_table(const TerminalTable* table) {
  Packer out;
  out.number(table != nullptr);
  if (table == nullptr) return out.take();
  // All fields by name: who adds one has to come here.
  const auto& [loop, may_end, mask, tokens, left, crossing, remainders] = *table;
  out.number(loop != nullptr);
  out.number(may_end);
  out.list(mask);
  out.list(tokens);
  out.list(left);
  out.list(crossing);
  pack(out, remainders);
  return out.take();
}

UnpackedTable unpack_table(std::string_view bytes, std::size_t vocabulary) {
  Unpacker in(bytes);
  if (in.number() == 0) return {in.good(), nullptr};
  auto table = std::make_unique<TerminalTable>();
  in.number();  // the loop: the caller knows
  table->may_end = in.number() != 0;
  in.list(table->mask);
  in.list(table->tokens);
  in.list(table->left);
  in.list(table->crossing);
  unpack(in, table->remainders, table->crossing.size());
  auto known = [&](TokenId token) { return token < vocabulary; };
  auto counted = [&](const TerminalTable::Counted& one) { return known(one.token); };
  in.require(table->mask.empty() || table->mask.size() == (vocabulary + 31) / 32);
  in.require(std::ranges::all_of(table->tokens, known));
  in.require(std::ranges::all_of(table->left, counted));
  in.require(std::ranges::all_of(table->crossing, counted));
  if (!in.good()) return {};
  return {true, std::move(table)};
}

/// The table of an expression, from the store if it is there; kept for the store if it took long.
std::unique_ptr<TerminalTable> TerminalTables::made_or_stored(NodeId key,
                                                              const RegexPool::Loop* loop,
                                                              Tokens which) {
  auto make_it = [&] { return loop != nullptr ? make_loop(*loop, which) : make(key, which); };
  if (store_ == nullptr) return make_it();
  std::optional<Hash128> expression = pool.name(key, store_->key());
  if (!expression) return make_it();
  KeyedHash hash(store_->key());
  hash.add(*expression);
  hash.add(std::uint64_t{loop != nullptr} | static_cast<std::uint64_t>(which) << 1);
  const Hash128 name = hash.done();
  if (std::optional<std::string> bytes = store_->find(name)) {
    UnpackedTable known = unpack_table(*bytes, index_.trie().vocabulary());
    if (known.found) {
      if (known.table && loop != nullptr) known.table->loop = loop_table(loop->body);
      return std::move(known.table);
    }
  }
  auto begin = std::chrono::steady_clock::now();
  std::unique_ptr<TerminalTable> made = make_it();
  if (std::chrono::steady_clock::now() - begin >= store_->least()) {
    store_->add(name, pack_table(made.get()));
  }
  return made;
}

}  // namespace slm
