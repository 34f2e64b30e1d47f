// Regular languages that many programs refer to by name, in place of writing them out.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace slm {

class Program;

/// A regular language by itself: what a string of JSON may be, the integers, a pattern. A program
/// has a number for it (`Program::Op::kKnown`), and tables of terminals keep the expression that
/// they have made of it, so that a program that refers to it neither writes nor reads it.
///
/// Immutable; safe between threads.
class KnownLanguage {
 public:
  /// The words of sets, then of nodes, then the root's number, as in a program (core/program.h).
  /// They are not copied and have to live as long as this.
  explicit KnownLanguage(std::span<const std::int32_t> words) noexcept;
  KnownLanguage(const KnownLanguage&) = delete;
  KnownLanguage& operator=(const KnownLanguage&) = delete;

  /// No other one in the process has it.
  std::uint64_t id() const noexcept { return id_; }

  /// Whether programs may refer to it. Not so where explicit automata, labels of host names or
  /// echoes are in it: an engine asks a program whether it has any.
  bool is_plain() const {
    Form known = form_.load(std::memory_order_relaxed);
    return known == Form::kUnasked ? find_form() : known == Form::kPlain;
  }

  /// The program whose only terminal it is: number 0. Cost: linear in the words.
  Program alone() const;

 private:
  enum class Form : std::uint8_t { kUnasked, kPlain, kOther };
  bool find_form() const;

  std::span<const std::int32_t> words_;
  std::uint64_t id_;
  mutable std::atomic<Form> form_{Form::kUnasked};
};

using KnownLanguages = std::vector<std::shared_ptr<const KnownLanguage>>;

}  // namespace slm
