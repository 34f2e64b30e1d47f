#include <algorithm>
#include <bit>

#include "lower/tables.h"

namespace slm::lower {

Symbols::Symbols(Words& in, Number tokens) : tokens_(tokens) {
  end_ = in.index(tokens);
  rows_.resize(in.count());
  start_ = in.index(rows_.size());
  std::size_t symbols = tokens_ + rows_.size();
  for (auto& rows : rows_) {
    for (std::size_t left = in.count(); left > 0; --left) {
      Row row;
      for (std::size_t size = in.count(); size > 0; --size) {
        row.symbols.push_back(in.index(symbols));
        if (row.symbols.back() == end_) throw std::invalid_argument("the rules read the end");
      }
      row.same = number(rows.size());
      for (Number at = 0; at < rows.size(); ++at) {
        if (rows[at].symbols == row.symbols) row.same = std::min(row.same, at);
      }
      rows.push_back(std::move(row));
    }
  }
  find_first();
  find_follow();
}

namespace {

void put(std::vector<std::uint64_t>& bits, Token token) {
  bits[token / 64] |= std::uint64_t{1} << (token % 64);
}

/// Adds what `more` has; whether there was anything to add.
bool put_all(std::vector<std::uint64_t>& bits, const std::vector<std::uint64_t>& more) {
  std::uint64_t fresh = 0;
  for (std::size_t at = 0; at < bits.size(); ++at) {
    fresh |= more[at] & ~bits[at];
    bits[at] |= more[at];
  }
  return fresh != 0;
}

Tokens list_of(const std::vector<std::uint64_t>& bits) {
  Tokens found;
  for (std::size_t at = 0; at < bits.size(); ++at) {
    for (std::uint64_t left = bits[at]; left != 0; left &= left - 1) {
      found.push_back(number(64 * at) + static_cast<Token>(std::countr_zero(left)));
    }
  }
  return found;
}

}  // namespace

/// Adds the tokens that a row of symbols can begin with; whether it can be empty.
bool Symbols::first_of(std::span<const Symbol> row, Bits& found) const {
  for (Symbol symbol : row) {
    if (is_token(symbol)) {
      put(found, symbol);
      return false;
    }
    put_all(found, first_bits_[rule(symbol)]);
    if (!nullable_[rule(symbol)]) return false;
  }
  return true;
}

void Symbols::find_first() {
  nullable_.assign(rows_.size(), false);
  for (bool changed = true; changed;) {
    changed = false;
    for (Number rule = 0; rule < rows_.size(); ++rule) {
      if (nullable_[rule]) continue;
      auto empty = [&](const Row& row) {
        return std::ranges::all_of(
            row.symbols, [&](Symbol each) { return !is_token(each) && nullable_[each - tokens_]; });
      };
      if (std::ranges::any_of(rows_[rule], empty)) changed = nullable_[rule] = true;
    }
  }
  first_bits_.assign(rows_.size(), Bits((tokens_ + 63) / 64, 0));
  Bits found;
  for (bool changed = true; changed;) {
    changed = false;
    for (Number rule = 0; rule < rows_.size(); ++rule) {
      found = first_bits_[rule];
      for (const Row& row : rows_[rule]) first_of(row.symbols, found);
      if (put_all(first_bits_[rule], found)) changed = true;
    }
  }
  for (const Bits& bits : first_bits_) first_.push_back(list_of(bits));
}

void Symbols::find_follow() {
  std::size_t symbols = tokens_ + rows_.size();
  std::vector<Bits> found(symbols, Bits((tokens_ + 63) / 64, 0));
  std::vector<std::vector<Symbol>> passed_on(symbols);
  put(found[tokens_ + start_], end_);
  for (Number rule = 0; rule < rows_.size(); ++rule) {
    for (const Row& row : rows_[rule]) {
      std::span<const Symbol> all(row.symbols);
      for (std::size_t at = 0; at < all.size(); ++at) {
        if (first_of(all.subspan(at + 1), found[all[at]])) {
          passed_on[tokens_ + rule].push_back(all[at]);
        }
      }
    }
  }
  std::vector<Symbol> queue;
  for (Symbol symbol = 0; symbol < symbols; ++symbol) {
    auto& to = passed_on[symbol];
    std::ranges::sort(to);
    to.erase(std::ranges::unique(to).begin(), to.end());
    if (!to.empty()) queue.push_back(symbol);
  }
  while (!queue.empty()) {
    Symbol upper = queue.back();
    queue.pop_back();
    for (Symbol symbol : passed_on[upper]) {
      if (put_all(found[symbol], found[upper])) queue.push_back(symbol);
    }
  }
  for (const Bits& bits : found) follow_.push_back(list_of(bits));
  Bits begins = first_bits_[start_];
  if (nullable_[start_]) put(begins, end_);
  begins_ = list_of(begins);
}

}  // namespace slm::lower
