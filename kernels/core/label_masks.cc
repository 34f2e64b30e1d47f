// The tokens that may follow in a label: walked with one place, and no expression for each.
#include "core/masks.h"

namespace slm {

/// What a letter leaves is another expression for each label; made for every token that is tried
/// they would be the largest part of all there are. Where the label may end, and the next byte be
/// of what follows it, the states know the rest.
///
/// Cost: O(nodes of the trie that are letters), each a look at the letters before it.
void MaskMemo::add_label(const Part& part, Remembered& made) {
  std::unique_lock lock(shared_.mutex);
  const RegexPool::Label label = shared_.pool.label_of(part.node);
  const bool may_end = shared_.pool.nullable(label.tail);  // the terminal, with the label
  lock.unlock();
  Part rest = part;
  rest.node = label.tail;
  const StateId tail = label.tail == kEpsilon ? kDead : recogniser_.state_of(rest);
  const StateId after = may_end ? part.after : kDead;
  const ByteTrie& trie = trie_.trie();
  struct Frame {
    std::uint32_t next, last;
    std::size_t letters;
    std::uint32_t value, to_come;
  };
  LabelPlace place = label.place;
  auto frame = [&](const ByteTrie::Node& node) {
    return Frame{node.first_child, node.last_child, place.letters.size(), place.value,
                 place.to_come};
  };
  if (place.to_come == 0 && !place.letters.empty()) {
    for (StateId follows : {tail, after}) {
      if (follows == kDead) continue;
      const std::vector<TokenId>& crossed = crossing(trie, follows);
      made.with.insert(made.with.end(), crossed.begin(), crossed.end());
    }
  }
  std::vector<Frame> stack{frame(trie.nodes[0])};
  while (!stack.empty()) {
    Frame& top = stack.back();
    if (top.next == top.last) {
      stack.pop_back();
      continue;
    }
    place.letters.resize(top.letters);
    place.value = top.value;
    place.to_come = top.to_come;
    const std::uint32_t at = top.next++;
    const std::uint8_t byte = trie.bytes[at];
    // What begins with it is the same wherever a label ends, and known.
    if (stack.size() > 1 && place.to_come == 0) {
      for (StateId follows : {tail, after}) {
        if (recogniser_.first_bytes(follows)[byte]) {
          recogniser_.walk(trie, at, at + 1, follows, made.with);
        }
      }
    }
    if (!label.alphabet.read(place, byte)) continue;
    const ByteTrie::Node& node = trie.nodes[at];
    made.with.insert(made.with.end(), trie.tokens.begin() + node.first_token,
                     trie.tokens.begin() + node.last_token);
    if (node.first_child != node.last_child) stack.push_back(frame(node));
  }
}

}  // namespace slm
