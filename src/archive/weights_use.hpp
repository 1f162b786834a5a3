// What a reader does with the weights in a file.
#pragma once

namespace isogrid::archive {

/// Nothing, which takes no time; read them all and compare their digest; hand them out as well.
enum class WeightsUse { skip, check, keep };

}  // namespace isogrid::archive
