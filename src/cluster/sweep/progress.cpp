#include "cluster/sweep/progress.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>
#include <utility>

#include "cluster/site/clocks.hpp"
#include "cluster/sweep/progress_file.hpp"
#include "program/quantities.hpp"

namespace isogrid::cluster {

using program::duration, program::count, program::Console;

namespace {

constexpr double live_interval = 0.25, log_interval = 60, file_interval = 3;  // seconds
constexpr double seconds_a_trial = 1e-5;  // between two files, so that a large sweep is not busy with them
constexpr double lines_apart = 0.5;       // of trials that end well, on a terminal: what one can read
constexpr double settling_time = 0.1;     // seconds until a trial's successor has been assigned

std::string percent(const RunningTrial& trial) {
    const double fraction =
        trial.steps > 0 ? static_cast<double>(trial.steps_done) / static_cast<double>(trial.steps) : 0;
    return std::to_string(static_cast<int>(100 * fraction)) + "%";
}

std::string running_trials(const SweepState& state) {
    std::string text;
    for (const RunningTrial& trial : state.running) {
        text += text.empty() ? " (" : ", ";
        text += trial.name + " " + percent(trial);
    }
    return text.empty() ? text : text + ")";
}

std::string loss(double value) {
    char text[32];
    std::snprintf(text, sizeof text, "%.4f", value);
    return text;
}

}  // namespace

std::string progress_line(const SweepState& state, int columns) {
    const std::string name = state.study + ": ";
    const std::string done = std::to_string(state.done) + "/" + std::to_string(state.trials) + " done";
    const std::string failed =
        state.failed.empty() ? "" : ", " + std::to_string(state.failed.size()) + " failed";
    const std::string running = ", " + std::to_string(state.running.size()) + " running";
    const std::string trials = running_trials(state);
    const std::string speed =
        state.tokens_per_second > 0 ? ", " + count(state.tokens_per_second) + " tokens/s" : "";
    const std::string left =
        state.remaining_seconds ? ", " + duration(*state.remaining_seconds) + " left" : "";
    for (const std::string& line :
         {name + done + failed + running + trials + speed + left,
          name + done + failed + running + speed + left, done + failed + running + speed + left,
          done + failed + running + left, done + failed + left})
        if (line.size() <= static_cast<std::size_t>(columns)) return line;
    return done.substr(0, static_cast<std::size_t>(std::max(0, columns)));
}

std::string finished_line(const SweepState& state, const std::string& name, const Finished& finished) {
    std::string line = std::to_string(state.done) + "/" + std::to_string(state.trials) + " " + name + " " +
                       std::string(archive::name(finished.outcome));
    if (finished.outcome == archive::Outcome::interrupted) return line;
    line += " in " + duration(finished.seconds);
    if (finished.outcome == archive::Outcome::completed)
        line += ": validation loss " + loss(finished.validation_loss);
    else
        line += ": " + finished.cause;
    if (!finished.stored) line += "; its file could not be written: " + finished.store_fault;
    return line;
}

Progress::Progress(Console& console, std::filesystem::path progress_file)
    : console_(console),
      progress_file_(std::move(progress_file)),
      live_due_(-std::numeric_limits<double>::infinity()),
      log_due_(-std::numeric_limits<double>::infinity()),
      file_due_(-std::numeric_limits<double>::infinity()),
      written_(-std::numeric_limits<double>::infinity()),
      told_(-std::numeric_limits<double>::infinity()) {}

void Progress::update(const Sweep& sweep, double now) {
    if (now < live_due_ && now < log_due_ && now < file_due_) return;
    const SweepState state = sweep.state(now);
    if (now >= live_due_) {
        console_.rewrite(progress_line(state, console_.columns() - 1));
        live_due_ = console_.live() ? now + live_interval : std::numeric_limits<double>::infinity();
    }
    if (now >= log_due_) {
        if (!console_.live() && std::isfinite(log_due_))
            console_.line(progress_line(state, std::numeric_limits<int>::max()));
        log_due_ = console_.live() ? std::numeric_limits<double>::infinity() : now + log_interval;
    }
    if (now >= file_due_) write_file(state, now);
}

void Progress::trial_finished(const Sweep& sweep, const Finished& finished, double now) {
    const SweepState& totals = sweep.totals();
    const bool well = finished.outcome == archive::Outcome::completed && finished.stored;
    if (!console_.live() || !well || now - told_ >= lines_apart) {
        const std::string others = untold_ > 0 ? " (and " + std::to_string(untold_) + " before it)" : "";
        console_.line(finished_line(totals, sweep.planned(finished.trial).name, finished) + others);
        told_ = now;
        untold_ = 0;
        if (console_.live()) live_due_ = now;  // the live line below it is of before
    } else {
        ++untold_;
    }
    if (now - written_ >= seconds_a_trial * totals.trials) write_file(sweep.state(now), now);
    file_due_ = std::max(now + settling_time, written_ + seconds_a_trial * totals.trials);
}

void Progress::end(const Sweep& sweep, double now) {
    write_file(sweep.state(now), now);
    console_.clear();
    if (untold_ > 0)
        console_.line("and " + program::plural(static_cast<std::size_t>(untold_), "trial") +
                      " more completed");
    untold_ = 0;
}

void Progress::write_file(const SweepState& state, double now) {
    write_progress_file(progress_file_, {.state = state, .written_unix = unix_seconds()});
    written_ = now;
    file_due_ = now + file_interval;
}

}  // namespace isogrid::cluster
