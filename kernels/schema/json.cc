#include "schema/json.h"

namespace slm::schema {

const Value* find(const Value& object, Keyword keyword) {
  for (const Member& member : object.members()) {
    if (member.keyword == keyword) return member.value;
  }
  return nullptr;
}

const Value* find(const Value& object, std::string_view name) {
  for (const Member& member : object.members()) {
    if (member.name == name) return member.value;
  }
  return nullptr;
}

void write_json(std::string& out, std::string_view text) {
  static constexpr char kHex[] = "0123456789abcdef";
  out.push_back('"');
  for (char each : text) {
    switch (each) {
      case '"':
        out += "\\\"";
        break;
      case '\\':
        out += "\\\\";
        break;
      case '\b':
        out += "\\b";
        break;
      case '\f':
        out += "\\f";
        break;
      case '\n':
        out += "\\n";
        break;
      case '\r':
        out += "\\r";
        break;
      case '\t':
        out += "\\t";
        break;
      default:
        if (static_cast<unsigned char>(each) < 0x20) {
          out += "\\u00";
          out.push_back(kHex[each >> 4]);
          out.push_back(kHex[each & 15]);
        } else {
          out.push_back(each);
        }
    }
  }
  out.push_back('"');
}

std::size_t length(std::string_view text) {
  std::size_t count = 0;
  for (char each : text) count += (each & 0xC0) != 0x80;
  return count;
}

}  // namespace slm::schema
