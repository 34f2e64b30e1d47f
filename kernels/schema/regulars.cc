#include "schema/regulars.h"

#include <algorithm>
#include <string>

#include "schema/json.h"

namespace slm::schema {
namespace {

constexpr std::int32_t op(Program::Op kind) { return static_cast<std::int32_t>(kind); }
using Op = Program::Op;

}  // namespace

std::uint32_t Regulars::set(Ranges ranges) {
  std::size_t before = set_numbers_.size();
  std::uint32_t number = set_numbers_.intern_words(ranges);
  if (number == before) {
    sets_.push_back(static_cast<std::int32_t>(ranges.size() / 2));
    sets_.append(ranges);
  }
  return number;
}

Regular Regulars::chars(Ranges ranges) {
  std::uint32_t number = set(ranges);
  nodes_.append({op(Op::kChars), static_cast<std::int32_t>(number)});
  return count_++;
}

Regular Regulars::literal(std::string_view text) { return points(Op::kLiteral, text); }

Regular Regulars::quoted(std::string_view text, std::string_view suffix) {
  auto plain = [](unsigned char each) {
    return each >= 0x20 && each < 0x80 && each != '"' && each != '\\';
  };
  if (std::ranges::all_of(text, plain)) {  // ASCII, and nothing to escape
    std::size_t size = text.size() + 2 + suffix.size();
    std::int32_t* out = nodes_.extend(2 + size);
    *out++ = op(Op::kLiteral);
    *out++ = static_cast<std::int32_t>(size);
    *out++ = '"';
    out = std::ranges::copy(text, out).out;
    *out++ = '"';
    std::ranges::copy(suffix, out);
    return count_++;
  }
  std::string written;
  write_json(written, text);
  written += suffix;
  return literal(written);
}

Regular Regulars::spelled(std::string_view text) { return points(Op::kSpelled, text); }

Regular Regulars::points(Op kind, std::string_view text) {
  std::size_t start = nodes_.size();
  std::int32_t* out = nodes_.extend(2 + text.size());  // no more code points than bytes
  std::int32_t* end = out + 2;
  each_point(text, [&](std::uint32_t point) { *end++ = static_cast<std::int32_t>(point); });
  out[0] = op(kind);
  out[1] = static_cast<std::int32_t>(end - out - 2);
  nodes_.shrink(start + static_cast<std::size_t>(end - out));
  return count_++;
}

Regular Regulars::list(std::int32_t kind, std::span<const Regular> parts) {
  std::int32_t* out = nodes_.extend(2 + parts.size());
  *out++ = kind;
  *out++ = static_cast<std::int32_t>(parts.size());
  for (Regular part : parts) *out++ = static_cast<std::int32_t>(part);
  return count_++;
}

Regular Regulars::concat(std::span<const Regular> parts) {
  return parts.size() == 1 ? parts[0] : list(op(Op::kConcat), parts);
}

Regular Regulars::any_of(std::span<const Regular> options) {
  return options.size() == 1 ? options[0] : list(op(Op::kUnion), options);
}

Regular Regulars::repeat(Regular body, std::int32_t low, std::int32_t high) {
  if (low == 1 && high == 1) return body;
  nodes_.append({op(Op::kRepeat), static_cast<std::int32_t>(body), low, high});
  return count_++;
}

Regular Regulars::both(Regular left, Regular right) {
  Regular parts[] = {left, right};
  return list(op(Op::kIntersection), parts);
}

Regular Regulars::complement(Regular body) {
  nodes_.append({op(Op::kComplement), static_cast<std::int32_t>(body)});
  return count_++;
}

Regular Regulars::refer(std::shared_ptr<const KnownLanguage> language) {
  nodes_.append({op(Op::kKnown), static_cast<std::int32_t>(known_.size())});
  known_.push_back(std::move(language));
  return count_++;
}

Regular Regulars::splice(const Answer& answer) {
  if (answer->language.is_plain()) return refer({answer, &answer->language});
  const std::int32_t* in = answer->words.data() + 1;
  auto [known, fresh] = spliced_.try_emplace(in, kUnmade);
  if (!fresh) return known->second;
  kept_.push_back(answer);
  moved_.clear();
  for (std::int32_t left = *in++; left > 0; --left) {
    std::size_t size = 2 * static_cast<std::size_t>(*in++);
    moved_.push_back(set({in, size}));
    in += size;
  }
  auto set_of = [&](std::int32_t number) { return static_cast<std::int32_t>(moved_[number]); };
  auto base = static_cast<std::int32_t>(count_);
  auto copy = [&](std::int32_t size) {
    nodes_.append({in, in + size});
    in += size;
  };
  auto copy_nodes = [&](std::int32_t size) {
    for (; size > 0; --size) nodes_.push_back(base + *in++);
  };
  for (std::int32_t left = *in++; left > 0; --left, ++count_) {
    std::int32_t kind = *in;
    copy(1);
    switch (static_cast<Op>(kind)) {
      case Op::kLabel:
        has_labels_ = true;
        [[fallthrough]];
      case Op::kChars:
        nodes_.push_back(set_of(*in++));
        break;
      case Op::kComplement:
        copy_nodes(1);
        break;
      case Op::kRepeat:
        copy_nodes(1);
        copy(2);
        break;
      case Op::kLiteral:
        copy(1 + *in);
        break;
      case Op::kDfa: {
        std::int32_t states = *in;
        for (copy(1); states > 0; --states) {
          std::int32_t edges = in[1];
          for (copy(2); edges > 0; --edges) {
            nodes_.push_back(set_of(*in++));
            copy(1);
          }
        }
        break;
      }
      default: {
        std::int32_t size = *in;
        copy(1);
        copy_nodes(size);
      }
    }
  }
  return spliced_[answer->words.data() + 1] = static_cast<Regular>(base + *in);
}

}  // namespace slm::schema
