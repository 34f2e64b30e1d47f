#include "schema/reader.h"

namespace slm::schema {
namespace {

constexpr std::uint32_t kMaxPointer = 30'000;
using Kind = Value::Kind;

Draft dialect(std::string_view declared) {
  if (std::size_t at = declared.rfind("://"); at != declared.npos) declared.remove_prefix(at + 3);
  while (declared.ends_with('#')) declared.remove_suffix(1);
  if (declared == "json-schema.org/draft-04/schema") return Draft::k4;
  if (declared == "json-schema.org/draft-06/schema") return Draft::k6;
  if (declared == "json-schema.org/draft-07/schema") return Draft::k7;
  if (declared == "json-schema.org/draft/2019-09/schema") return Draft::k2019;
  if (declared == "json-schema.org/draft/2020-12/schema") return Draft::k2020;
  if (declared == "json-schema.org/schema") return Draft::k2020;
  throw Deferred("an unknown dialect");
}

/// Whether `urljoin` and `urldefrag` leave it as it is, after nothing.
bool is_plain_uri(std::string_view uri) {
  if (uri.empty()) return false;
  for (char each : uri) {
    bool fine = (each >= 'a' && each <= 'z') || (each >= '0' && each <= '9') ||
                (each >= 'A' && each <= 'Z') || each == '/' || each == '.' || each == '-' ||
                each == '_' || each == ':';
    if (!fine) return false;
  }
  return true;
}

/// Whether it is what `urljoin` makes of it after anything, and `urldefrag` after that.
bool is_absolute_uri(std::string_view uri) {
  for (std::string_view scheme : {"http://", "https://"}) {
    std::size_t size = scheme.size();
    if (uri.starts_with(scheme) && uri.size() > size) return uri[size] != '/' && is_plain_uri(uri);
  }
  return false;
}

std::uint32_t escaped_length(std::string_view token) {
  auto size = static_cast<std::uint32_t>(length(token));
  for (char each : token) size += each == '~' || each == '/';
  return size;
}

}  // namespace

Reader::Reader(Arena& arena, Goals& goals, Languages& pool, Oracle& oracle, const Value& root,
               std::optional<Draft> draft)
    : arena_(arena),
      goals_(goals),
      pool_(pool),
      oracle_(oracle),
      nodes_(arena),
      places_(arena),
      goal_of_place_(arena) {
  const Value* declared = root.is(Kind::kObject) ? find(root, Keyword::kSchema) : nullptr;
  if (declared != nullptr && declared->is(Kind::kNull)) declared = nullptr;
  guessed_ = !draft && declared == nullptr;
  if (draft) {
    draft_ = *draft;
  } else if (declared == nullptr) {
    draft_ = Draft::k2020;
  } else {
    if (!declared->is(Kind::kString)) throw Deferred("$schema is no string");
    draft_ = dialect(declared->text());
  }
  known_ = known_keywords(draft_);
  if (guessed_) known_ |= bit(Keyword::kAdditionalItems);
  root_.root = &root;
  root_.pointer = arena_.make<Pointer>();
  if (const Value* id = own_id(root)) root_.uri = uri_of(*id, "");
}

std::string_view Reader::draft_name() const {
  static constexpr std::string_view kDrafts[] = {"4", "6", "7", "2019-09", "2020-12"};
  return kDrafts[static_cast<std::size_t>(draft_)];
}

const Pointer* Reader::join(const Pointer* parent, std::string_view token) {
  auto size = static_cast<std::uint32_t>(token.size());
  return arena_.make<Pointer>(parent, token, parent->bytes + 1 + size);
}

/// In characters, escaped: no more than twice its bytes, so mostly they need no count.
bool Reader::is_too_long(const Pointer* pointer) {
  if (pointer->bytes <= kMaxPointer / 2) return false;
  std::uint32_t size = 0;
  for (; pointer->parent != nullptr; pointer = pointer->parent) {
    size += 1 + escaped_length(pointer->token);
  }
  return size > kMaxPointer;
}

const Pointer* Reader::join(const Pointer* parent, std::size_t index) {
  return join(parent, arena_.keep(std::string_view(std::to_string(index))));
}

std::string Reader::written(const Pointer* pointer) const {
  std::vector<std::string_view> tokens;
  for (; pointer->parent != nullptr; pointer = pointer->parent) tokens.push_back(pointer->token);
  std::string text;
  for (std::size_t at = tokens.size(); at-- > 0;) {
    text.push_back('/');
    for (char each : tokens[at]) {
      if (each == '~') {
        text += "~0";
      } else if (each == '/') {
        text += "~1";
      } else {
        text.push_back(each);
      }
    }
  }
  return text;
}

bool Reader::before(std::int32_t left, std::int32_t right) const {
  const Pointer *one = node(left).pointer, *two = node(right).pointer;
  if (one != two) {
    int side = written(one).compare(written(two));
    if (side != 0) return side < 0;
  }
  return left < right;
}

Goal Reader::child(const SchemaNode& node, Keyword keyword) {
  return goal(find(*node.raw, keyword), join(node.pointer, name_of(keyword)), node.resource);
}

Goal Reader::child(const SchemaNode& node, Keyword keyword, std::size_t at) {
  const Value* raw = find(*node.raw, keyword)->items()[at];
  return goal(raw, join(join(node.pointer, name_of(keyword)), at), node.resource);
}

Goal Reader::child(const SchemaNode& node, Keyword keyword, const Member& member) {
  const Pointer* pointer = join(join(node.pointer, name_of(keyword)), member.name);
  return goal(member.value, pointer, node.resource);
}

Goal Reader::derive(const Value* raw, const SchemaNode& node, Keyword keyword) {
  return goal(raw, join(node.pointer, name_of(keyword)), node.resource);
}

Goal Reader::derive(const Value* raw, const SchemaNode& node, Keyword keyword,
                    std::string_view name) {
  return goal(raw, join(join(node.pointer, name_of(keyword)), name), node.resource);
}

Goal Reader::goal(const Value* raw, const Pointer* pointer, Resource* outer) {
  if (raw->is(Kind::kBool)) return raw->truth ? kTrue : kFalse;
  if (!raw->is(Kind::kObject)) throw Deferred("not a schema");
  if (raw->members().empty()) return kTrue;
  const void* const key[] = {raw, outer};
  std::uint32_t place = places_.intern_words(std::span<const void* const>(key));
  if (place < goal_of_place_.size()) return goal_of_place_[place];
  goal_of_place_.push_back(kTrue);
  std::pair<std::uint32_t, const Resource*> said{0, outer};
  if (alike_) {
    said.first = alike_->number(*raw);
    auto first = firsts_.find(said);
    if (first != firsts_.end()) return goal_of_place_[place] = first->second;
  }
  if (is_too_long(pointer)) throw Deferred("a pointer is too long");
  Resource* inner = outer;
  if (raw != outer->root) {
    if (const Value* id = own_id(*raw)) inner = resource(uri_of(*id, outer->uri), raw, pointer);
  }
  if (!check_keywords(*raw, draft_, guessed_)) throw Deferred("a keyword has a wrong value");
  KeywordSet keywords = 0;
  for (const Member& member : raw->members()) keywords |= bit(member.keyword);
  constexpr KeywordSet kContent = set_of(Keyword::kContentMediaType, Keyword::kContentEncoding);
  bool content = content_ && (keywords & kContent);
  keywords &= known_;
  if (ref_overrides() && (keywords & bit(Keyword::kRef))) {
    keywords = bit(Keyword::kRef);
  } else if (content && draft_ >= Draft::k7) {
    throw Deferred("JSON in strings, or encoded ones");
  }
  auto number = static_cast<std::int32_t>(nodes_.size() + 2);
  nodes_.push_back(arena_.make<SchemaNode>(number, raw, pointer, inner, keywords));
  if (alike_) firsts_.emplace(said, goals_.of(number));
  return goal_of_place_[place] = goals_.of(number);
}

std::optional<KeywordSet> Reader::said(const Target& at, KeywordSet keywords) const {
  constexpr KeywordSet kContent = set_of(Keyword::kContentMediaType, Keyword::kContentEncoding);
  constexpr KeywordSet kIds = set_of(Keyword::kId, Keyword::kOldId);
  if (at.resource != &root_ || (keywords & kContent) || is_too_long(at.pointer))
    return std::nullopt;
  if ((keywords & kIds) && at.raw != root_.root) return std::nullopt;
  if (!check_keywords(*at.raw, draft_, guessed_)) return std::nullopt;
  keywords &= known_ & ~kIds;
  return ref_overrides() && (keywords & bit(Keyword::kRef)) ? bit(Keyword::kRef) : keywords;
}

// --- identifiers and references
// ---------------------------------------------------------------------

const Value* Reader::own_id(const Value& raw) const {
  const Value* id = find(raw, draft_ == Draft::k4 ? Keyword::kOldId : Keyword::kId);
  if (id == nullptr || !id->is(Kind::kString) || id->text().starts_with('#')) return nullptr;
  if (ref_overrides() && find(raw, Keyword::kRef) != nullptr) return nullptr;
  return id;
}

std::vector<std::string> Reader::ask(std::string_view kind, std::string_view base,
                                     std::string_view text) {
  std::string request = "[\"" + std::string(kind) + "\",";
  write_json(request, base);
  request.push_back(',');
  write_json(request, text);
  request.push_back(']');
  Answer answer = shared_answers().get(request, oracle_);
  if (!answer) throw Deferred("a URI that cannot be read");
  std::vector<std::string> texts;
  for (std::size_t at = 0; at < answer->words.size();) {  // each: its length, then its bytes
    auto size = static_cast<std::size_t>(answer->words[at++]);
    std::string& made = texts.emplace_back();
    for (; size > 0; --size) made.push_back(static_cast<char>(answer->words[at++]));
  }
  return texts;
}

std::string Reader::uri_of(const Value& id, const std::string& base) {
  std::string_view uri = id.text();
  if (base.empty() && is_plain_uri(uri)) return std::string(uri);
  if (uri.ends_with('#')) uri.remove_suffix(1);
  if (is_absolute_uri(uri)) return std::string(uri);
  return ask("join", base, id.text())[0];
}

/// A resource inside the schema may be written in another draft, which Python reads.
void Reader::check_dialect(const Value& resource) const {
  const Value* declared = find(resource, Keyword::kSchema);
  if (guessed_ || declared == nullptr || !declared->is(Kind::kString)) return;
  if (dialect(declared->text()) != draft_) throw Deferred("a resource of another draft");
}

Resource* Reader::resource(const std::string& uri, const Value* raw, const Pointer* pointer) {
  index(nullptr);
  auto found = resources_.find(uri);
  if (found != resources_.end() && found->second->root == raw) return found->second;
  check_dialect(*raw);
  made_.push_back(std::make_unique<Resource>(Resource{uri, raw, pointer, false, {}}));
  resources_.try_emplace(uri, made_.back().get());
  return made_.back().get();
}

Goal Reader::resolve(const SchemaNode& node) {
  Target found = target(node.resource, find(*node.raw, Keyword::kRef)->text());
  if (!found.raw->is(Kind::kObject) && !found.raw->is(Kind::kBool)) {
    throw Unresolvable("a reference to what is no schema");
  }
  return goal(found.raw, found.pointer, found.resource);
}

Target Reader::target(Resource* resource, std::string_view reference) {
  std::string fragment;
  bool plain = reference.starts_with('#');
  for (char each : reference.substr(plain)) {
    plain = plain && static_cast<unsigned char>(each) > 0x20 && each != '%' && each != '#';
  }
  if (plain) {
    fragment = reference.substr(1);
  } else {
    // Python says what it is relative to, if anything, and what the percents stand for.
    std::vector<std::string> parts = ask("split", resource->uri, reference);
    fragment = parts[1];
    if (parts.size() > 2) {
      index(nullptr);
      auto found = resources_.find(parts[0]);
      if (found == resources_.end()) throw Unresolvable("a reference outside the schema");
      resource = found->second;
    }
  }
  if (fragment.empty() || fragment.starts_with('/')) return walk(resource, fragment);
  index(resource);
  auto found = resource->anchors.find(fragment);
  if (found == resource->anchors.end()) throw Unresolvable("a reference to nothing");
  return found->second;
}

Target Reader::walk(Resource* resource, std::string_view fragment) {
  Target at{resource->root, resource->pointer, resource};
  while (!fragment.empty()) {
    fragment.remove_prefix(1);
    std::string_view rest = fragment.substr(0, fragment.find('/'));
    fragment.remove_prefix(rest.size());
    std::string token;
    for (std::size_t i = 0; i < rest.size(); ++i) {
      // "~1" first, then "~0", as two passes would: "~01" is "~1"
      bool escape = rest[i] == '~' && i + 1 < rest.size();
      if (escape && (rest[i + 1] == '0' || rest[i + 1] == '1')) {
        token.push_back(rest[++i] == '0' ? '~' : '/');
      } else {
        token.push_back(rest[i]);
      }
    }
    const Value* next = nullptr;
    if (at.raw->is(Kind::kObject)) {
      if (at.raw->members().size() <= 16) {
        next = find(*at.raw, std::string_view(token));
      } else {
        auto& names = by_name_[at.raw];
        if (names.empty()) {
          for (const Member& member : at.raw->members()) names.emplace(member.name, member.value);
        }
        auto found = names.find(token);
        next = found == names.end() ? nullptr : found->second;
      }
    } else if (at.raw->is(Kind::kArray) && !token.empty() && token.size() < 10) {
      std::size_t index = 0;
      for (char each : token) {
        if (each & 0x80) throw Deferred("an index that may be a number");
        if (each < '0' || each > '9') throw Unresolvable("a reference to nothing");
        index = index * 10 + static_cast<std::size_t>(each - '0');
      }
      if (index < at.raw->items().size()) next = at.raw->items()[index];
    } else if (at.raw->is(Kind::kArray) && token.size() >= 10) {
      throw Deferred("an index that may be a number");
    }
    if (next == nullptr) throw Unresolvable("a reference to nothing");
    at.raw = next;
    at.pointer = join(at.pointer, arena_.keep(std::string_view(token)));
    if (at.raw->is(Kind::kObject) && at.raw != at.resource->root) {
      if (const Value* id = own_id(*at.raw)) {
        at.resource = this->resource(uri_of(*id, at.resource->uri), at.raw, at.pointer);
      }
    }
  }
  return at;
}

/// Finds every resource and anchor at or below the start; null: the root, once.
void Reader::index(Resource* start) {
  if (start == nullptr) {
    if (all_resources_) return;
    start = &root_;
  } else if (start->indexed) {
    return;
  }
  if (!all_resources_) {
    all_resources_ = true;
    resources_.emplace(root_.uri, &root_);
  }
  start->indexed = true;
  std::vector<Target> stack{{start->root, start->pointer, start}};
  while (!stack.empty()) {
    Target at = stack.back();  // no structured binding: lambdas take none in Clang 15
    auto& [raw, pointer, resource] = at;
    stack.pop_back();
    if (!raw->is(Kind::kObject)) continue;
    const Value* id = own_id(*raw);
    if (id != nullptr && raw != resource->root) {
      std::string uri = uri_of(*id, resource->uri);
      check_dialect(*raw);
      made_.push_back(std::make_unique<Resource>(Resource{uri, raw, pointer, true, {}}));
      resource = made_.back().get();
      resources_.try_emplace(uri, resource);
    }
    auto name = [&](const Value* value, std::size_t skip) {
      if (value == nullptr || !value->is(Kind::kString)) return;
      at.resource->anchors.try_emplace(std::string(value->text().substr(skip)), at);
    };
    name(find(*raw, Keyword::kAnchor), 0);
    name(find(*raw, Keyword::kDynamicAnchor), 0);
    const Value* own = find(*raw, draft_ == Draft::k4 ? Keyword::kOldId : Keyword::kId);
    bool old = draft_ <= Draft::k7 && own != nullptr && own->is(Kind::kString);
    if (old && own->text().starts_with('#')) name(own, 1);
    for (const Inside& inside : subschemas(*raw)) {
      const Pointer* below = join(pointer, name_of(inside.keyword));
      if (inside.indexed) below = join(below, inside.index);
      if (inside.named) below = join(below, inside.name);
      stack.push_back({inside.value, below, resource});
    }
  }
}

}  // namespace slm::schema
