// What more than one way to ask a session needs.
#pragma once

#include <cstdint>
#include <span>

#include "core/session.h"

namespace slm {

/// Writes the mask of a session: a remembered one at once, since letting go of the GIL would cost
/// more than the copy; else without the GIL.
void write_mask(Session& session, std::span<std::uint32_t> words);

}  // namespace slm
