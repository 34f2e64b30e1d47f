// Labels of host names as expressions: a state is what was read, made when it is reached.
#include <algorithm>

#include "core/error.h"
#include "core/regex.h"

namespace slm {

NodeId RegexPool::label(const Ranges& letters) {
  if (letters.empty() || letters.front().first > 0x10FFFF) return kNothing;
  std::size_t count = 0;
  for (auto [first, last] : letters) count += last - first + 1;
  if (count > LabelAlphabet::kMaxLetters) throw TooComplex("a label of too many letters");
  auto same = [&](const LabelAlphabet& known) { return known.set() == letters; };
  auto found = std::ranges::find_if(alphabets_of_labels_, same);
  if (found == alphabets_of_labels_.end()) {
    found = alphabets_of_labels_.insert(found, LabelAlphabet(letters));
  }
  return label_at(static_cast<std::uint32_t>(found - alphabets_of_labels_.begin()), {});
}

/// What no letter can follow is kEpsilon, and what nothing completes is never made: nobody has to
/// search.
NodeId RegexPool::label_at(std::uint32_t alphabet, const LabelPlace& place) {
  if (place.letters.size() >= alphabets_of_labels_[alphabet].sure() &&
      alphabets_of_labels_[alphabet].next(place, true).empty()) {
    return kEpsilon;
  }
  bool whole = place.to_come == 0 && !place.letters.empty();
  return make(Kind::kLabel, whole, false, alphabet, lists_.intern(place.letters),
              static_cast<std::int32_t>(place.value), static_cast<std::int32_t>(place.to_come));
}

LabelPlace RegexPool::place_of(const Node& label) const {
  std::span<const std::uint32_t> letters = lists_.words(label.b);
  return {{letters.begin(), letters.end()},
          static_cast<std::uint32_t>(label.low),
          static_cast<std::uint32_t>(label.high)};
}

NodeId RegexPool::derive_label(const Node& node, std::uint8_t byte) {
  LabelPlace place = place_of(node);
  if (!alphabets_of_labels_[node.a].read(place, byte)) return kNothing;
  return label_at(node.a, place);
}

RegexPool::Least RegexPool::least_of_label(const Node& node) {
  LabelPlace place = place_of(node);
  std::uint32_t letter = alphabets_of_labels_[node.a].next(place, true).front().first;
  if (place.to_come > 0) {
    std::uint32_t bits = letter >> (6 * (place.to_come - 1)) & 0x3Fu;
    return {place.to_come, static_cast<std::uint8_t>(0x80u | bits)};
  }
  return least_more(chars({{letter, letter}}));
}

ByteSet RegexPool::first_bytes_of_label(const Node& node) {
  if (node.high == 0) return first_bytes(chars(alphabets_of_labels_[node.a].set()));
  ByteSet bytes;
  for (std::size_t b = 0x80; b < 0xC0; ++b) bytes.set(b);
  return bytes;
}

RegexPool::Label RegexPool::label_of(NodeId id) const {
  const Node& whole = nodes_[id];
  bool concat = whole.kind == Kind::kConcat;
  const Node& node = concat ? nodes_[whole.a] : whole;
  return {alphabets_of_labels_[node.a], place_of(node), concat ? whole.b : kEpsilon};
}

std::vector<NodeId> RegexPool::options_and_labels(NodeId node) {
  std::vector<NodeId> found;
  for (NodeId option : options(node)) {
    NodeId head, tail;
    bool split = nodes_[option].labelled && is_concat(option, head, tail) &&
                 nodes_[head].kind == Kind::kUnion;
    std::vector<NodeId> others;
    for (NodeId one : split ? options(head) : std::vector<NodeId>{}) {
      if (is_label(one)) {
        found.push_back(concat(one, tail));
      } else {
        others.push_back(one);
      }
    }
    if (!split) found.push_back(option);
    if (!others.empty()) found.push_back(concat(alternate(std::move(others)), tail));
  }
  return found;
}

/// A letter that is begun, and then so many as surely fit, or any number of them.
NodeId RegexPool::letters_of_label(const Node& node, bool wide) {
  const LabelAlphabet alphabet = alphabets_of_labels_[node.a];
  const LabelPlace place = place_of(node);
  std::size_t read = place.letters.size() + (place.to_come > 0 ? 1 : 0);
  std::size_t room = std::max(alphabet.sure(), read) - read;
  std::int32_t low = read == 0 ? 1 : 0;
  std::int32_t high = wide ? kNoBound : std::max(low, static_cast<std::int32_t>(room));
  NodeId more = repeat(chars(alphabet.set()), low, high);
  if (place.to_come == 0) return more;
  Ranges values;
  for (auto [first, last] : alphabet.next(place, false)) {
    std::uint32_t base = place.value << (6 * place.to_come);
    values.emplace_back(first - base, last - base);
  }
  return concat(rest(place.to_come, values), more);
}

NodeId RegexPool::without_labels(NodeId id, bool wide) {
  if (!nodes_[id].labelled) return id;
  std::uint64_t key = std::uint64_t{id} << 1 | (wide ? 1 : 0);
  if (NodeId known = without_labels_.find(key); known != FlatMap::kAbsent) return known;
  DepthGuard guard(depth_);
  const Node node = nodes_[id];
  NodeId made = id;
  switch (node.kind) {
    case Kind::kLabel:
      made = letters_of_label(node, wide);
      break;
    case Kind::kConcat: {  // a loop: a literal is as many parts as characters
      std::vector<NodeId> parts;
      for (made = id; nodes_[made].kind == Kind::kConcat; made = nodes_[made].b) {
        parts.push_back(nodes_[made].a);
      }
      made = without_labels(made, wide);
      for (; !parts.empty(); parts.pop_back()) {
        made = concat(without_labels(parts.back(), wide), made);
      }
      break;
    }
    case Kind::kRepeat:
      made = repeat(without_labels(node.a, wide), node.low, node.high);
      break;
    case Kind::kComplement:
      made = complement(without_labels(node.a, !wide));
      break;
    case Kind::kUnion:
    case Kind::kIntersection: {
      std::span<const std::uint32_t> shared = lists_.words(node.a);
      std::vector<NodeId> parts(shared.begin(), shared.end());
      for (NodeId& part : parts) part = without_labels(part, wide);
      made = node.kind == Kind::kUnion ? alternate(std::move(parts)) : intersect(std::move(parts));
      break;
    }
    default:
      break;
  }
  without_labels_.insert(key, made);
  return made;
}

}  // namespace slm
