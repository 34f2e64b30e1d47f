#include "schema/languages.h"

#include "schema/json.h"

namespace slm::schema {

Answer Languages::ask(const std::string& request) {
  Answer answer = shared_answers().get(request, oracle_);
  if (!answer) throw Deferred("a language that only Python can make");
  return answer;
}

Part Languages::made(const std::string& written) {
  Answer info = ask("[\"info\"," + written + "]");
  const std::int32_t* words = info->data();
  std::int64_t hash =
      static_cast<std::int64_t>(words[1]) << 32 | static_cast<std::uint32_t>(words[2]);
  parts_.push_back({arena_.keep(std::string_view(written)), words[0], hash});
  return static_cast<Part>(parts_.size() - 1);
}

Part Languages::pattern(std::string_view text) {
  std::size_t before = patterns_.size();
  std::string written = "[\"pattern\",";
  write_json(written, text);
  written.push_back(']');
  std::uint32_t number = patterns_.intern(written);
  if (number == before) pattern_parts_.push_back(made(written));
  return pattern_parts_[number];
}

std::optional<Part> Languages::format(std::string_view name, std::string_view draft, bool wide) {
  std::string written = wide ? "[\"wide\"," : "[\"format\",";
  write_json(written, name);
  written.push_back(']');
  std::string request = "[\"asserts\"," + written + ",";
  write_json(request, draft);
  request.push_back(']');
  if (ask(request)->front() == 0) return std::nullopt;
  // What a format means is the same in every draft that has it.
  std::size_t before = patterns_.size();
  std::uint32_t number = patterns_.intern(written);
  if (number == before) pattern_parts_.push_back(made(written));
  return pattern_parts_[number];
}

Part Languages::complement(Part body) {
  // Python gives back an object that was there before; that happens where nobody looks.
  if (parts_[body].flags & (kNothing | kAnything | kComplement)) {
    throw Deferred("the complement of a language that is nearly everything");
  }
  return made("[\"not\"," + std::string(parts_[body].written) + "]");
}

void Languages::write_names(std::string& out, Span<Name> names) const {
  out.push_back('[');
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (i) out.push_back(',');
    write_json(out, text(names[i]));
  }
  out.push_back(']');
}

Part Languages::complement_of_names(Span<Name> names) {
  std::string written = "[\"not\",[\"texts\",";
  write_names(written, names);
  written += "]]";
  return made(written);
}

void Languages::write(std::string& out, const StringShape& shape) const {
  out.push_back('[');
  out += std::to_string(shape.low);
  out.push_back(',');
  out += shape.high ? std::to_string(*shape.high) : "null";
  out += ",[";
  for (std::size_t i = 0; i < shape.parts.size(); ++i) {
    if (i) out.push_back(',');
    out += parts_[shape.parts[i]].written;
  }
  out += "],";
  if (shape.finite) {
    write_names(out, shape.values);
  } else {
    out += "null";
  }
  out.push_back(']');
}

Part Languages::complement_of_shapes(Span<const StringShape*> shapes) {
  std::string written = "[\"not\",[\"shapes\"";
  for (const StringShape* shape : shapes) {
    written.push_back(',');
    write(written, *shape);
  }
  written += "]]";
  return made(written);
}

Part Languages::region(const std::vector<Part>& parts, const std::vector<bool>& held) {
  std::string written = "[\"and\"";
  for (std::size_t i = 0; i < parts.size(); ++i) {
    written += held[i] ? "," : ",[\"not\",";
    written += parts_[parts[i]].written;
    if (!held[i]) written.push_back(']');
  }
  written.push_back(']');
  return made(written);
}

bool Languages::equal(Part left, Part right) {
  if (left == right || parts_[left].written == parts_[right].written) return true;
  if (parts_[left].hash != parts_[right].hash) return false;
  std::string request = "[\"equal\",";
  request += parts_[left].written;
  request.push_back(',');
  request += parts_[right].written;
  request.push_back(']');
  return ask(request)->front() != 0;
}

Part Languages::representative(Part part) {
  for (Part known : representatives_) {
    if (equal(known, part)) return known;
  }
  representatives_.push_back(part);
  return part;
}

bool Languages::matches(Part part, Name name) {
  std::string request = "[\"matches\",";
  request += parts_[part].written;
  request.push_back(',');
  write_json(request, text(name));
  request.push_back(']');
  return ask(request)->front() != 0;
}

bool Languages::is_void(const StringShape& shape) {
  if (shape.finite) return shape.values.empty();
  bool doubtful = shape.parts.size() > 1 || (!shape.parts.empty() && (shape.low > 0 || shape.high));
  for (Part part : shape.parts) doubtful = doubtful || (parts_[part].flags & kMayBeEmpty);
  if (!doubtful) return false;
  std::string request = "[\"void\",";
  write(request, shape);
  request.push_back(']');
  return ask(request)->front() != 0;
}

bool Languages::has_other(Part region, Span<Name> names) {
  // Of endlessly many names some are left, whatever the others are; that is asked once a region.
  if (ask("[\"endless\"," + std::string(parts_[region].written) + "]")->front() != 0) return true;
  std::string request = "[\"other\",";
  request += parts_[region].written;
  request.push_back(',');
  write_names(request, names);
  request.push_back(']');
  return ask(request)->front() != 0;
}

Answer Languages::spelled(Part region) {
  return ask("[\"spelled\"," + std::string(parts_[region].written) + "]");
}

Answer Languages::strings(Span<const StringShape*> shapes) {
  std::string request = "[\"strings\"";
  for (const StringShape* shape : shapes) {
    request.push_back(',');
    write(request, *shape);
  }
  request.push_back(']');
  return ask(request);
}

Answer Languages::constant(std::string_view name) { return ask("[\"" + std::string(name) + "\"]"); }

void Languages::write(std::string& out, const NumberShape& shape) const {
  auto list = [&](Span<Decimal> values) {
    out.push_back('[');
    for (std::size_t i = 0; i < values.size(); ++i) {
      out += i ? ",\"" : "\"";
      schema::write(out, values[i]);
      out.push_back('"');
    }
    out.push_back(']');
  };
  auto bound = [&](const std::optional<Decimal>& value, bool open) {
    if (!value) {
      out += "null,false,";
      return;
    }
    out.push_back('"');
    schema::write(out, *value);
    out += open ? "\",true," : "\",false,";
  };
  out += shape.integer ? (*shape.integer ? "[true," : "[false,") : "[null,";
  bound(shape.low, shape.low_open);
  bound(shape.high, shape.high_open);
  list(shape.multiples);
  out.push_back(',');
  list(shape.non_multiples);
  out.push_back(',');
  if (shape.finite) {
    list(shape.values);
  } else {
    out += "null";
  }
  out.push_back(',');
  list(shape.excluded);
  out.push_back(']');
}

Answer Languages::numbers(Span<const NumberShape*> shapes, bool integer_point) {
  std::string request = integer_point ? "[\"numbers\",true" : "[\"numbers\",false";
  for (const NumberShape* shape : shapes) {
    request.push_back(',');
    write(request, *shape);
  }
  request.push_back(']');
  return ask(request);
}

}  // namespace slm::schema
