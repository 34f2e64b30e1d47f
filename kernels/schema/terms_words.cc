// Languages as the words of a program, and back.
#include <unordered_map>

#include "core/program.h"
#include "schema/terms.h"

namespace slm::schema {
namespace {

constexpr std::int32_t kLiteral = static_cast<std::int32_t>(Program::Op::kLiteral);

}  // namespace

Term Terms::read(Span<std::int32_t> words) {
  const std::int32_t* in = words.data();
  std::vector<Term> sets, nodes, parts;
  for (std::int32_t left = *in++; left > 0; --left) {
    std::size_t size = 2 * static_cast<std::size_t>(*in++);
    sets.push_back(made(Kind::kChars, {in, size}));
    in += size;
  }
  std::vector<Points> literals;  // by node; most are empty
  for (std::int32_t left = *in++; left > 0; --left) {
    std::int32_t kind = *in++;
    literals.emplace_back();
    if (kind == kLiteral) {
      std::size_t size = static_cast<std::size_t>(*in++);
      literals.back().assign(in, in + size);
      nodes.push_back(epsilon);  // never asked for: literals stand in concatenations
      in += size;
      continue;
    }
    switch (static_cast<Kind>(kind)) {
      case Kind::kChars:
        nodes.push_back(sets[static_cast<std::size_t>(*in++)]);
        break;
      case Kind::kRepeat: {
        auto body = static_cast<std::int32_t>(nodes[static_cast<std::size_t>(*in)]);
        nodes.push_back(made(Kind::kRepeat, {&body, 1}, in[1], in[2]));
        in += 3;
        break;
      }
      case Kind::kComplement: {
        auto body = static_cast<std::int32_t>(nodes[static_cast<std::size_t>(*in++)]);
        nodes.push_back(made(Kind::kComplement, {&body, 1}));
        break;
      }
      case Kind::kDfa: {
        Points data{*in};
        for (std::int32_t states = *in++; states > 0; --states) {
          data.insert(data.end(), {in[0], in[1]});
          std::int32_t edges = in[1];
          for (in += 2; edges > 0; --edges, in += 2) {
            auto set = static_cast<std::int32_t>(sets[static_cast<std::size_t>(in[0])]);
            data.insert(data.end(), {set, in[1]});
          }
        }
        nodes.push_back(made(Kind::kDfa, data));
        break;
      }
      default:
        parts.clear();
        for (std::int32_t children = *in++; children > 0; --children) {
          auto part = static_cast<std::size_t>(*in++);
          for (std::int32_t point : literals[part]) {
            std::int32_t one[] = {point, point};
            parts.push_back(made(Kind::kChars, one));
          }
          if (literals[part].empty()) parts.push_back(nodes[part]);
        }
        nodes.push_back(list(static_cast<Kind>(kind), parts));
    }
  }
  return nodes[static_cast<std::size_t>(*in)];
}

/// Numbers sets and nodes, children first, each once.
class Terms::Flattener {
 public:
  explicit Flattener(const Terms& terms) : terms_(terms) {}

  std::int32_t node(Term term) {
    if (auto known = numbers_.find(term); known != numbers_.end()) return known->second;
    const Node& node = terms_[term];
    std::vector<std::int32_t> made{static_cast<std::int32_t>(node.kind)};
    switch (node.kind) {
      case Kind::kChars:
        made.push_back(set(term));
        break;
      case Kind::kConcat:
        concat(node, made);
        break;
      case Kind::kDfa: {
        const std::int32_t* in = node.data.data();
        made.push_back(*in);
        for (std::int32_t states = *in++; states > 0; --states) {
          made.insert(made.end(), {in[0], in[1]});
          std::int32_t edges = in[1];
          for (in += 2; edges > 0; --edges, in += 2) {
            made.insert(made.end(), {set(static_cast<Term>(in[0])), in[1]});
          }
        }
        break;
      }
      case Kind::kUnion:
      case Kind::kIntersection:
        made.push_back(static_cast<std::int32_t>(node.data.size()));
        [[fallthrough]];
      default:
        for (std::int32_t child : node.data) made.push_back(this->node(static_cast<Term>(child)));
        if (node.kind == Kind::kRepeat) made.insert(made.end(), {node.low, node.high});
    }
    nodes.insert(nodes.end(), made.begin(), made.end());
    return numbers_[term] = count++;
  }

  std::vector<std::int32_t> sets, nodes;
  std::int32_t set_count = 0, count = 0;

 private:
  std::int32_t set(Term chars) {
    auto [known, fresh] = sets_.try_emplace(chars, set_count);
    if (fresh) {
      ++set_count;
      Span<std::int32_t> ranges = terms_[chars].data;
      sets.push_back(static_cast<std::int32_t>(ranges.size() / 2));
      sets.insert(sets.end(), ranges.begin(), ranges.end());
    }
    return known->second;
  }

  /// Runs of single characters are one node.
  void concat(const Node& node, std::vector<std::int32_t>& made) {
    std::vector<std::int32_t> run;
    std::size_t size = made.size();
    made.push_back(0);
    auto flush = [&] {
      if (run.empty()) return;
      nodes.insert(nodes.end(), {kLiteral, static_cast<std::int32_t>(run.size())});
      nodes.insert(nodes.end(), run.begin(), run.end());
      made.push_back(count++);
      run.clear();
    };
    for (std::int32_t child : node.data) {
      const Node& part = terms_[static_cast<Term>(child)];
      if (part.kind == Kind::kChars && part.data.size() == 2 && part.data[0] == part.data[1]) {
        run.push_back(part.data[0]);
        continue;
      }
      flush();
      std::int32_t number = this->node(static_cast<Term>(child));
      made.push_back(number);
    }
    flush();
    made[size] = static_cast<std::int32_t>(made.size() - size - 1);
  }

  const Terms& terms_;
  std::unordered_map<Term, std::int32_t> numbers_, sets_;
};

std::vector<std::int32_t> Terms::words(Term term) const {
  if (term == nothing) return {0};
  Flattener flat(*this);
  std::int32_t number = flat.node(term);
  std::vector<std::int32_t> out{1, flat.set_count};
  out.insert(out.end(), flat.sets.begin(), flat.sets.end());
  out.push_back(flat.count);
  out.insert(out.end(), flat.nodes.begin(), flat.nodes.end());
  out.push_back(number);
  return out;
}

}  // namespace slm::schema
