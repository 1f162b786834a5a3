#include "cluster/run/alone.hpp"

#include "cluster/site/clocks.hpp"

namespace isogrid::cluster {

void train_alone(Sweep& sweep, const Workplace& workplace, const archive::Writer& writer,
                 const CoordinatorHooks& hooks) {
    while (!sweep.over()) {
        if (!hooks.keep_going(sweep)) {
            sweep.stop();
            return;
        }
        sweep.worker_idle(0);
        const auto next = sweep.assign(steady_seconds());
        if (next.empty()) return sweep.stop();
        const int trial = next.front().trial;
        const auto on_progress = [&](const train::Progress& progress) {
            sweep.progressed({.trial = trial,
                              .steps_done = progress.steps_done,
                              .steps = progress.steps,
                              .tokens_per_second = progress.tokens_per_second},
                             steady_seconds());
            return hooks.keep_going(sweep);
        };
        GroupOfOne group;
        const Finished finished = execute_trial(workplace, trial, group, writer, on_progress);
        sweep.finished(finished, steady_seconds());
        hooks.on_finished(sweep, finished);
    }
}

}  // namespace isogrid::cluster
