// The same work on every core.
#pragma once

#include <cstddef>
#include <functional>

namespace isogrid::analysis {

using Task = std::function<void(std::size_t index)>;

/// Runs tasks 0 .. count - 1, each once, in no order, on up to eight threads; every thread asks `worker` for
/// its own task first, so that buffers can be its own. Called from within a task it stays on that task's
/// thread. The first error that a task throws is thrown again here.
void parallel_for(std::size_t count, const std::function<Task()>& worker);

}  // namespace isogrid::analysis
