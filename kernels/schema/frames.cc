#include "schema/frames.h"

namespace slm::schema {

bool has(const Numbers& numbers, std::uint32_t number) {
  return std::ranges::binary_search(numbers, number);
}

bool has(const Literals& literals, std::int32_t literal) {
  return std::ranges::binary_search(literals, literal);
}

Claim Claims::make(std::uint32_t shape, std::vector<Claim> none) {
  std::ranges::sort(none);
  none.erase(std::unique(none.begin(), none.end()), none.end());
  std::vector<std::uint32_t> words{shape};
  words.insert(words.end(), none.begin(), none.end());
  Claim claim = numbers_.intern_words(std::span<const std::uint32_t>(words));
  if (claim < nodes_.size()) return claim;
  Numbers shapes{shape};
  for (Claim other : none) {
    shapes.insert(shapes.end(), nodes_[other].shapes.begin(), nodes_[other].shapes.end());
  }
  std::ranges::sort(shapes);
  shapes.erase(std::unique(shapes.begin(), shapes.end()), shapes.end());
  nodes_.push_back({shape, arena_.keep(none), std::move(shapes)});
  return claim;
}

bool Claims::holds(Claim claim) const {
  return std::ranges::none_of(nodes_[claim].none, [&](Claim other) { return holds(other); });
}

Claim Claims::settle(Claim claim, const Numbers& dead) {
  if (has(dead, nodes_[claim].shape)) return kFailed;
  std::vector<Claim> left;
  for (Claim other : nodes_[claim].none) {
    Claim kept = settle(other, dead);
    if (kept != kFailed) left.push_back(kept);
  }
  return make(nodes_[claim].shape, std::move(left));
}

Claim Claims::settle_unsure(Claim claim, const Numbers& dead, bool held) {
  if (held && has(dead, nodes_[claim].shape)) return kFailed;
  std::vector<Claim> left;
  for (Claim other : nodes_[claim].none) {
    Claim kept = settle_unsure(other, dead, !held);
    if (kept != kFailed) left.push_back(kept);
  }
  return make(nodes_[claim].shape, std::move(left));
}

Numbers Claims::denied(Claim claim) const {
  Numbers found;
  deny(claim, true, found);
  std::ranges::sort(found);
  found.erase(std::unique(found.begin(), found.end()), found.end());
  return found;
}

void Claims::deny(Claim claim, bool held, Numbers& found) const {
  if (!held) found.push_back(nodes_[claim].shape);
  for (Claim other : nodes_[claim].none) deny(other, !held, found);
}

bool fails(const Goals& goals, Goal goal, const Literals& failed) {
  if (goal == kFalse) return true;
  return std::ranges::any_of(goals.literals(goal), [&](auto one) { return has(failed, one); });
}

std::int32_t undecided(const Goals& goals, const std::vector<Goal>& some, const Literals& held,
                       const Literals& failed) {
  for (Goal goal : some) {
    if (goal == kTrue || fails(goals, goal, failed)) continue;
    std::int32_t first = 0;  // the least that is not settled, whatever its sign
    for (std::int32_t literal : goals.literals(goal)) {
      if (has(held, literal)) continue;
      if (first == 0 || std::abs(literal) < std::abs(first)) first = literal;
    }
    if (first != 0) return first;
  }
  return 0;
}

}  // namespace slm::schema
