// Programs without references: for those who read programs, not for engines.
#pragma once

#include <cstdint>
#include <vector>

#include "core/program.h"

namespace slm::schema {

/// The words of the same program with the sets and nodes of every known language in place.
std::vector<std::int32_t> written_out(const Program& program);

}  // namespace slm::schema
