// Fuzz target: the decoder of grammars on any words at all, and an engine for what it lets pass.
#include <optional>
#include <stdexcept>

#include "core/engine.h"
#include "core/error.h"
#include "core/session.h"
#include "tests/fuzz_input.h"

namespace slm::fuzz {

/// Never crashes; what is malformed is refused with std::invalid_argument and nothing else. A
/// program that is read is well-formed enough for an engine to walk a little.
void fuzz_program(std::span<const std::uint8_t> data) {
  Source in(data);
  std::vector<std::int32_t> words;
  if (in.one_in(2)) {  // a good one, with damage
    words = encode(read_grammar(in));
    for (std::uint32_t left = in.below(6); left > 0; --left) {
      std::size_t at = in.word() % words.size();
      std::uint32_t kind = in.below(6);
      std::int32_t value = static_cast<std::int32_t>(in.byte()) - 3;
      if (kind == 0) {
        words.erase(words.begin() + static_cast<std::ptrdiff_t>(at));
      } else if (kind == 1) {
        words.insert(words.begin() + static_cast<std::ptrdiff_t>(at), value);
      } else {
        words[at] = kind == 2 ? 0x7FFFFFFF : kind == 3 ? -1 - value : value;
      }
      if (words.empty()) words.push_back(0);
    }
  }
  while (!in.done()) {  // or nothing but the bytes
    std::uint32_t low = in.byte();
    std::int32_t word = static_cast<std::int32_t>(low) - 2;
    if (low == 255) word = static_cast<std::int32_t>(in.word() << 16 | in.word());
    words.push_back(word);
  }
  std::optional<slm::Program> program;
  try {
    program.emplace(words);
  } catch (const std::invalid_argument&) {
    return;
  }
  std::vector<std::int32_t> again = encode(decode(*program));
  try {
    if (encode(decode(slm::Program(again))) != again) {
      fail("what was read is read differently again", "");
    }
  } catch (const std::invalid_argument&) {
    // Regular nodes among the expressions move when they are written again: allowed, and useless.
  }
  try {
    std::vector<std::string> tokens{"a", "b", "0", "\"", "ab", " ", "\xC3\xA9", "\xE2", ""};
    auto tables = std::make_shared<VocabularyTables>(tokens);
    auto engine = std::make_shared<Engine>(*program, tables, std::vector<TokenId>{8});
    Session session(engine);
    std::vector<std::uint32_t> row(1);
    for (TokenId step = 0; step < 6 && engine->stats().states < 20'000; ++step) {
      session.fill_mask(row);
      for (TokenId t = 0; t < 8; ++t) {
        if (session.accept((t + step) % 8)) break;
      }
    }
  } catch (const TooComplex&) {
  } catch (const NoText&) {
  } catch (const std::invalid_argument&) {
  }
}

}  // namespace slm::fuzz
