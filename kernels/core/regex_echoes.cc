// A word that comes again behind itself: states are made for each word that is met, and no others.
//
// No regular language is that. But as soon as the word is known one is left, so the derivative only
// has to keep what was read of the word. (See slm.grammar.regular.Echo, whose twin this is.)
#include <algorithm>

#include "core/error.h"
#include "core/regex.h"

namespace slm {
namespace {

/// The code points of UTF-8 that is known to be whole.
std::vector<std::uint32_t> decoded(const std::vector<std::uint8_t>& bytes) {
  std::vector<std::uint32_t> points;
  for (std::size_t i = 0; i < bytes.size();) {
    const std::uint32_t lead = bytes[i];
    const std::size_t length = lead < 0xC0 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
    std::uint32_t point = length == 1 ? lead : lead & (0x7Fu >> length);
    for (std::size_t k = 1; k < length && i + k < bytes.size(); ++k) {
      point = point << 6 | (bytes[i + k] & 0x3Fu);
    }
    points.push_back(point);
    i += length;
  }
  return points;
}

}  // namespace

/// Pieces are lists that share their ends, made from there: what is sought, then one part after the
/// other. Every part has a text, so that whatever is read of the word, an end can be reached.
NodeId RegexPool::echo(NodeId word, std::span<const NodeId> then, std::span<const NodeId> search) {
  for (std::span<const NodeId> parts : {then, search}) {
    for (NodeId part : parts) {
      if (part != kWordAgain && nodes_[part].echoes) throw TooComplex("a repeated text in another");
      if (part != kWordAgain && !alive(part)) return kNothing;
    }
  }
  if (nodes_[word].echoes) throw TooComplex("a repeated text in another");
  Piece piece{Piece::Kind::kEnd, 0, 0, 0, 0, true};
  if (pieces_.empty()) pieces_.push_back(piece);
  auto measure = [&](NodeId part) {
    if (part == kWordAgain) {
      ++piece.times;
      return;
    }
    piece.bytes = add_costs(piece.bytes, least(part).length);
    piece.nullable = piece.nullable && nodes_[part].nullable;
  };
  std::uint32_t at = 0;
  auto add = [&] {
    auto same = [&](const Piece& other) {
      return other.kind == piece.kind && other.part == piece.part && other.next == piece.next;
    };
    auto known = std::ranges::find_if(pieces_, same);
    at = static_cast<std::uint32_t>(known - pieces_.begin());
    if (known == pieces_.end()) pieces_.push_back(piece);
  };
  if (!search.empty()) {
    piece.kind = Piece::Kind::kSearch;
    piece.part = lists_.intern(search);
    std::ranges::for_each(search, measure);
    add();
  }
  for (auto part = then.rbegin(); part != then.rend(); ++part) {
    piece.kind = *part == kWordAgain ? Piece::Kind::kWord : Piece::Kind::kPart;
    piece.part = *part;
    piece.next = at;
    measure(*part);
    add();
  }
  return at == 0 ? word : echo_from(word, 0, at);
}

NodeId RegexPool::echo_from(NodeId word, std::uint32_t read, std::uint32_t at) {
  if (word == kNothing || !alive(word)) return kNothing;
  const Piece piece = pieces_[at];
  if (word == kEpsilon) {
    if (piece.kind == Piece::Kind::kEnd) return kEpsilon;
    if (piece.times == 0) read = 0;  // which comes no more
    if (piece.kind == Piece::Kind::kSearch) return sought(read, at);
  }
  bool nullable = nodes_[word].nullable && piece.nullable && (read == 0 || piece.times == 0);
  NodeId made = make(Kind::kEcho, nullable, true, word, read, static_cast<std::int32_t>(at));
  know_alive(made, kAlive);
  return made;
}

/// The texts of all parts up to the first place where they can end.
NodeId RegexPool::sought(std::uint32_t read, std::uint32_t at) {
  const std::uint64_t key = std::uint64_t{read} << 32 | at;
  if (NodeId known = sought_.find(key); known != FlatMap::kAbsent) return known;
  std::span<const std::uint32_t> shared = lists_.words(pieces_[at].part);
  std::vector<NodeId> parts(shared.begin(), shared.end());
  NodeId found = kEpsilon;
  for (std::size_t i = parts.size(); i-- > 0;) {
    found = parts[i] == kWordAgain ? spelt(read, found) : concat(parts[i], found);
  }
  const NodeId first = first_of(found);
  sought_.insert(key, first);
  return first;
}

/// The texts of which no beginning is one. After one of them there is nothing, so the derivatives
/// are those of the body, and no search is needed for any question.
NodeId RegexPool::first_of(NodeId body) {
  if (nodes_[body].nullable) return kEpsilon;
  if (body == kNothing || !alive(body)) return kNothing;
  NodeId made = make(Kind::kFirst, false, nodes_[body].boolean, body, 0);
  know_alive(made, kAlive);
  return made;
}

/// What was read of a word that is over, then `tail`.
NodeId RegexPool::spelt(std::uint32_t read, NodeId tail) {
  std::vector<std::uint8_t> bytes;
  for (; read != 0; read = read_[read].before) bytes.push_back(read_[read].byte);
  std::reverse(bytes.begin(), bytes.end());
  return literal(decoded(bytes), tail);
}

/// What follows if the word is over.
NodeId RegexPool::behind_word(const Node& echo) {
  const Piece piece = pieces_[static_cast<std::uint32_t>(echo.low)];
  if (piece.kind == Piece::Kind::kSearch)
    return sought(echo.b, static_cast<std::uint32_t>(echo.low));
  const NodeId rest = echo_from(kEpsilon, echo.b, piece.next);
  return piece.kind == Piece::Kind::kWord ? spelt(echo.b, rest) : concat(piece.part, rest);
}

NodeId RegexPool::derive_echo(const Node& echo, std::uint8_t byte) {
  std::vector<NodeId> ways;
  if (NodeId next = step(echo.a, byte); next != kNothing && alive(next)) {
    const std::uint64_t key = std::uint64_t{echo.b} << 8 | byte;
    std::uint32_t read = read_of_.find(key);
    if (read == FlatMap::kAbsent) {
      read = static_cast<std::uint32_t>(read_.size());
      read_.push_back({echo.b, read_[echo.b].length + 1, byte});
      read_of_.insert(key, read);
    }
    ways.push_back(echo_from(next, read, static_cast<std::uint32_t>(echo.low)));
  }
  if (nodes_[echo.a].nullable) ways.push_back(step(behind_word(echo), byte));
  return alternate(std::move(ways));
}

/// A word that is a byte longer makes a text longer by as many bytes as it comes, and whatever it
/// is, the parts are as long: so the shortest text has the shortest word.
RegexPool::Least RegexPool::least_echo(const Node& echo) {
  const Piece piece = pieces_[static_cast<std::uint32_t>(echo.low)];
  const Least word = least_more(echo.a);
  const Cost times_read = times(piece.times, read_[echo.b].length);
  Cost whole = add_costs(times(piece.times + 1, word.length), add_costs(times_read, piece.bytes));
  Least best{word.length == kInfiniteCost ? kInfiniteCost : whole, word.byte};
  if (nodes_[echo.a].nullable) {
    const Least rest = least_more(behind_word(echo));
    if (rest.length < best.length) best = rest;
  }
  return best;
}

Cost RegexPool::echo_bound(NodeId node, std::size_t more) {
  const Node echo = nodes_[node];
  const Piece piece = pieces_[static_cast<std::uint32_t>(echo.low)];
  const Cost known = static_cast<Cost>(read_[echo.b].length) + static_cast<Cost>(more);
  const Cost word = times(piece.times + 1, most_to_end(echo.a));
  return add_costs(word, add_costs(times(piece.times, known), piece.bytes));
}

/// Whether every text has another character, as far as is seen at once.
bool RegexPool::echo_leaves(const Node& echo, const CharClass& chars) {
  if (leaves(echo.a, chars)) return true;
  for (Piece piece = pieces_[static_cast<std::uint32_t>(echo.low)];
       piece.kind == Piece::Kind::kPart || piece.kind == Piece::Kind::kWord;
       piece = pieces_[piece.next]) {
    if (piece.kind == Piece::Kind::kPart && leaves(piece.part, chars)) return true;
  }
  return false;
}

}  // namespace slm
