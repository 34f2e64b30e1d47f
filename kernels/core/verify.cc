#include "core/verify.h"

#include <algorithm>

namespace slm {
namespace {

/// Where a node leads: a state, or the end of the text after an end token.
struct Place {
  StateId state = kDead;
  bool finished = false;
};

Place after(Engine& engine, Place place, TokenId token) {
  if (engine.is_end_token(token)) {
    if (place.finished || engine.can_end(place.state)) return {place.state, true};
    return {};
  }
  if (place.finished) return {};
  const std::string& bytes = engine.trie().bytes_of(token);
  if (bytes.empty()) return {};
  return {engine.step(place.state, bytes), false};
}

void write_mask(Engine& engine, Place place, std::span<std::uint32_t> row) {
  if (place.state != kDead && !place.finished) {
    engine.fill_mask(place.state, row);
    return;
  }
  std::fill(row.begin(), row.end(), 0u);
  if (!place.finished) return;
  for (TokenId token : engine.end_tokens()) row[token >> 5] |= 1u << (token & 31);
}

Verdict verify_from(Engine& engine, Place root, std::span<const std::int64_t> tokens,
                    std::span<const std::int64_t> parents, MaskRows rows) {
  std::vector<Place> places{root};
  places.reserve(tokens.size() + 1);
  Verdict verdict;
  verdict.legal.reserve(tokens.size());
  verdict.may_end.reserve(tokens.size());
  if (rows.data != nullptr) write_mask(engine, places[0], rows.row(0));
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    Place parent = places[static_cast<std::size_t>(parents[i] + 1)];
    Place place{};
    if (parent.state != kDead) place = after(engine, parent, static_cast<TokenId>(tokens[i]));
    places.push_back(place);
    bool legal = place.state != kDead;
    verdict.legal.push_back(legal);
    verdict.may_end.push_back(legal && (place.finished || engine.can_end(place.state)));
    if (rows.data != nullptr) write_mask(engine, place, rows.row(i + 1));
  }
  return verdict;
}

}  // namespace

Verdict verify_tree(Session& session, std::span<const std::int64_t> tokens,
                    std::span<const std::int64_t> parents, MaskRows rows) {
  return session.ask([&](Engine& engine, StateId state) {
    return verify_from(engine, {state, session.is_finished()}, tokens, parents, rows);
  });
}

}  // namespace slm
