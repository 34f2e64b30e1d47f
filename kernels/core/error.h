// The one exception type of the core. The binding turns it into an error class of slm.
#pragma once

#include <stdexcept>
#include <string>

namespace slm {

/// A bound on states, depth or work was hit; the grammar cannot be decided within it.
class TooComplex : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// One question was too much work. Unlike after other bounds, what was made until then is whole.
class Undecided : public TooComplex {
 public:
  using TooComplex::TooComplex;
};

/// No text at all is in the language.
class NoText : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

}  // namespace slm
