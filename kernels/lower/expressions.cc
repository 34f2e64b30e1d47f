#include "lower/expressions.h"

#include <algorithm>
#include <unordered_map>

namespace slm::lower {

std::uint32_t Expressions::make(Op op, std::span<const std::uint32_t> values) {
  scratch_.assign(1, static_cast<std::uint32_t>(op));
  scratch_.insert(scratch_.end(), values.begin(), values.end());
  return nodes_.add(scratch_);
}

std::uint32_t Expressions::flat(Op op, std::span<const std::uint32_t> parts) {
  if (parts.size() == 1) return parts[0];
  scratch_.assign(1, static_cast<std::uint32_t>(op));
  for (std::uint32_t part : parts) {
    if (this->op(part) == op) {
      auto inner = values(part);
      scratch_.insert(scratch_.end(), inner.begin(), inner.end());
    } else {
      scratch_.push_back(part);
    }
  }
  return scratch_.size() == 2 ? scratch_[1] : nodes_.add(scratch_);
}

std::vector<std::uint32_t> refined(const std::vector<std::uint32_t>& kinds,
                                   const std::vector<std::vector<std::uint32_t>>& calls) {
  std::size_t count = kinds.size();
  std::vector<std::uint32_t> block(count);
  std::vector<std::vector<std::uint32_t>> members, callers(count);
  std::unordered_map<std::uint32_t, std::uint32_t> numbers;
  for (std::uint32_t thing = 0; thing < count; ++thing) {
    auto [at, fresh] = numbers.emplace(kinds[thing], static_cast<std::uint32_t>(members.size()));
    if (fresh) members.emplace_back();
    block[thing] = at->second;
    members[at->second].push_back(thing);
    for (std::uint32_t called : calls[thing]) callers[called].push_back(thing);
  }
  std::vector<std::uint32_t> waiting;
  for (std::uint32_t number = 0; number < members.size(); ++number) {
    if (members[number].size() > 1) waiting.push_back(number);
  }
  std::vector<std::uint32_t> key, part_of;
  while (!waiting.empty()) {
    // All blocks are looked at before any is cut, so that a round sees one partition.
    Lists keys;  // a block, and the blocks that are called
    part_of.clear();
    std::vector<std::pair<std::uint32_t, std::vector<std::vector<std::uint32_t>>>> cut;
    for (std::uint32_t number : waiting) {
      std::vector<std::vector<std::uint32_t>> parts;
      for (std::uint32_t thing : members[number]) {
        key.assign(1, number);
        for (std::uint32_t called : calls[thing]) key.push_back(block[called]);
        std::uint32_t known = keys.add(key);
        if (known == part_of.size()) {
          part_of.push_back(static_cast<std::uint32_t>(parts.size()));
          parts.emplace_back();
        }
        parts[part_of[known]].push_back(thing);
      }
      if (parts.size() < 2) continue;
      auto largest = std::ranges::max_element(
          parts, {}, [](const std::vector<std::uint32_t>& part) { return part.size(); });
      std::iter_swap(parts.begin(), largest);
      cut.emplace_back(number, std::move(parts));
    }
    std::vector<std::uint32_t> moved;
    for (auto& [number, parts] : cut) {
      members[number] = std::move(parts[0]);
      for (std::size_t at = 1; at < parts.size(); ++at) {
        for (std::uint32_t thing : parts[at]) {
          block[thing] = static_cast<std::uint32_t>(members.size());
          moved.push_back(thing);
        }
        members.push_back(std::move(parts[at]));
      }
    }
    waiting.clear();
    std::vector<bool> asked(members.size(), false);
    for (std::uint32_t thing : moved) {
      for (std::uint32_t caller : callers[thing]) {
        std::uint32_t number = block[caller];
        if (asked[number] || members[number].size() < 2) continue;
        asked[number] = true;
        waiting.push_back(number);
      }
    }
  }
  return block;
}

}  // namespace slm::lower
