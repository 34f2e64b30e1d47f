// What the environment asks of this library.
#pragma once

#include <cstdint>

namespace slm {

enum class WantedEngine : std::uint8_t { kAny, kReference, kOther };

/// What SLM_ENGINE says now: nothing or "native", "reference", or something that is no engine.
///
/// Cost: where the environment is as it was, a look at the places of its variables, not at them.
/// To be called with the GIL, as Python's own changes of the environment are made.
WantedEngine wanted_engine();

}  // namespace slm
