#include "lower/leaves.h"

namespace slm::lower {
namespace {

constexpr Number word(Op op) noexcept { return static_cast<Number>(op); }

}  // namespace

Number Leaves::terminal(Kind kind, Number token, Number value) {
  return nodes_.add({word(Op::kTerminal), atoms_.add({kind, token, value})});
}

Number Leaves::sequence(std::span<const Number> parts) {
  std::vector<Number> flat{word(Op::kSeq)};
  for (Number part : parts) {
    if (op(part) == Op::kSeq) {
      Lists::List inner = nodes_[part].subspan(1);
      flat.insert(flat.end(), inner.begin(), inner.end());
    } else {
      flat.push_back(part);
    }
  }
  return flat.size() == 2 ? flat[1] : nodes_.add(flat);
}

Number Leaves::any_of(std::span<const Number> parts, bool once) {
  std::vector<Number> flat{word(Op::kChoice)};
  auto put = [&](Number part) {
    if (!once || std::find(flat.begin() + 1, flat.end(), part) == flat.end()) flat.push_back(part);
  };
  for (Number part : parts) {
    if (op(part) == Op::kChoice) {
      for (Number inner : nodes_[part].subspan(1)) put(inner);
    } else {
      put(part);
    }
  }
  return flat.size() == 2 ? flat[1] : nodes_.add(flat);
}

Number Leaves::optional(Number body) { return nodes_.add({word(Op::kMany), body, 0, 1}); }

void Leaves::write(std::span<const Number> labels, std::vector<std::int32_t>& words) const {
  auto put = [&](std::size_t value) { words.push_back(static_cast<std::int32_t>(value)); };
  put(atoms_.size());
  for (Number atom = 0; atom < atoms_.size(); ++atom) put(atom);
  put(nodes_.size());
  for (Number node = 0; node < nodes_.size(); ++node) {
    Lists::List all = nodes_[node];
    put(all[0]);
    if (op(node) == Op::kSeq || op(node) == Op::kChoice) put(all.size() - 1);
    for (Number value : all.subspan(1)) put(value);
  }
  put(labels.size());
  for (Number label : labels) put(label);
}

}  // namespace slm::lower
