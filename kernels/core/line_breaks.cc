#include "core/line_breaks.h"

#include <cstring>
#include <string>

namespace slm {

LineBreaks LineBreaks::find(const ByteTrie& trie, const ByteSet& marks) {
  LineBreaks found;
  found.within.resize(trie.nodes.size());
  std::vector<std::uint8_t> has(trie.nodes.size(), 0);  // the same, as bytes
  for (std::size_t at = has.size(); at-- > 0;) {        // children stand behind their parents
    const ByteTrie::Node& node = trie.nodes[at];
    if (node.first_child == node.last_child) continue;
    const std::uint8_t* children = has.data() + node.first_child;
    const std::size_t count = node.last_child - node.first_child;
    if (trie.bytes[at] != '\n' && std::memchr(children, 1, count) == nullptr) continue;
    has[at] = 1;
    found.within[at] = true;
  }
  std::vector<std::pair<std::string, std::uint32_t>> paths;
  std::vector<std::pair<std::uint32_t, std::string>> todo{{0, ""}};
  while (!todo.empty()) {
    auto [at, path] = std::move(todo.back());
    todo.pop_back();
    const ByteTrie::Node& node = trie.nodes[at];
    if (at != 0 && trie.bytes[at] == '\n') paths.emplace_back(path, at);
    for (std::uint32_t child = node.last_child; child-- > node.first_child;) {
      if (has[child] == 0) continue;
      todo.emplace_back(child, path + static_cast<char>(trie.bytes[child]));
    }
  }
  std::vector<std::string> texts;
  std::vector<std::uint32_t> nodes;
  texts.reserve(paths.size() * marks.count());
  for (const auto& [path, node] : paths) {
    for (std::size_t byte = 0; byte < 256; ++byte) {
      if (!marks[byte]) continue;
      texts.push_back(path + static_cast<char>(byte));
      nodes.push_back(node);
    }
  }
  std::vector<ByteTrie::Entry> entries;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    entries.emplace_back(texts[i], static_cast<TokenId>(i));
  }
  found.marked = ByteTrie::build(std::move(entries));
  for (TokenId& entry : found.marked.tokens) {  // by their places there: what is below is a range
    found.nodes.push_back(nodes[entry]);
    entry = static_cast<TokenId>(found.nodes.size() - 1);
  }
  return found;
}

}  // namespace slm
