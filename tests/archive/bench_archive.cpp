// How the archive's room grows with the number of trials: synthetic records of a study with 21 points a
// curve. Prints a table; docs/performance.md says what came out.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <string>
#include <utility>

#include "archive/archive.hpp"
#include "archive/merge.hpp"
#include "archive/run_folder.hpp"
#include "archive/sample_records.hpp"
#include "archive/segment.hpp"
#include "archive/trial_file.hpp"
#include "archive/verify.hpp"

namespace isogrid::archive {
namespace {

/// Record `index` of a study: curves and specifications as long as those of real trials.
TrialRecord synthetic(std::int64_t index) {
    constexpr std::int64_t points = 21;
    TrialRecord record = sample::record(index % 100, 0);
    record.index = index;
    record.planned.name = "b" + std::to_string(index / 100) + "-w" + std::to_string(index % 100);
    study::Trial& trial = record.planned.trial;
    trial.seed = static_cast<std::uint64_t>(index);
    trial.steps = 20 * points;
    record.result.steps_done = trial.steps;
    trial.evaluation.steps.clear();
    record.result.curve.clear();
    for (std::int64_t point = 0; point < points; ++point) {
        const std::int64_t step = 20 * (point + 1);
        trial.evaluation.steps.push_back(step);
        const double loss = 5.0 / static_cast<double>(point + 1) + 1e-7 * static_cast<double>(index);
        record.result.curve.push_back(
            {step, step * 256, 3e6 * static_cast<double>(step), loss, loss, 0.01, 1.5});
    }
    return record;
}

/// Processor seconds of this process since the last lap: other loads on the machine do not count.
class Clock {
  public:
    double lap() {
        const double before = std::exchange(since_, now());
        return since_ - before;
    }

  private:
    static double now() {
        timespec time{};
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
        return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
    }

    double since_ = now();
};

/// The most memory that was in use since the last lap.
double peak_megabytes() {
    std::ifstream status("/proc/self/status");
    double kilobytes = 0;
    for (std::string line; std::getline(status, line);)
        if (line.starts_with("VmHWM:")) kilobytes = std::atof(line.c_str() + 6);
    std::ofstream("/proc/self/clear_refs") << 5;  // the mark starts anew
    return kilobytes / 1024;
}

void measure(std::int64_t trials) {
    const sample::Folder folder;
    const auto path = folder.path() / "a.h5";
    const RunFolder run_folder(path);
    std::filesystem::create_directories(run_folder.trials);
    study::Study study;
    study.job.name = "synthetic";
    const Writer writer{"bench", {}};
    for (std::int64_t index = 0; index < trials; ++index)
        study.grid.trials.push_back(synthetic(index).planned);
    peak_megabytes();

    Clock clock;
    double files = 0, packing = 0;
    std::size_t most_files = 0;
    for (std::int64_t first = 0; first < trials; first += trials_a_segment) {
        for (std::int64_t i = first; i < std::min<std::int64_t>(trials, first + trials_a_segment); ++i)
            write_trial_file(run_folder.trials, synthetic(i), writer);
        files += clock.lap();
        most_files = std::max(most_files, sample::names_in(run_folder.trials).size());
        pack_trial_files(path, writer, 1);
        packing += clock.lap();
    }
    most_files = std::max(most_files, sample::names_in(run_folder.segments).size());
    const double packing_peak = peak_megabytes();
    clock.lap();
    const auto merged = merge(path, study, writer);
    const double merging = clock.lap(), merging_peak = peak_megabytes();
    clock.lap();
    const auto listing = list_archive(path);
    const double listed = clock.lap(), listed_peak = peak_megabytes();
    clock.lap();
    const auto read = read_archive(path);
    const double reading = clock.lap(), reading_peak = peak_megabytes();
    if (!merged || !listing || !read || read->trials.size() != static_cast<std::size_t>(trials)) std::exit(1);
    clock.lap();
    const bool good = verify_archive(path).good();
    const double verified = clock.lap();
    std::printf(
        "%7ld trials, %6.1f MB: trial files %.2f s, packing %.2f s (%.0f MB), at most %zu files a folder; "
        "merge %.2f s (%.0f MB), list %.3f s (%.0f MB), read %.3f s (%.0f MB), verify %.2f s%s\n",
        static_cast<long>(trials), static_cast<double>(std::filesystem::file_size(path)) / 1e6, files,
        packing, packing_peak, most_files, merging, merging_peak, listed, listed_peak, reading, reading_peak,
        verified, good ? "" : " (BAD)");
}

}  // namespace
}  // namespace isogrid::archive

int main(int count, char** values) {
    for (int i = 1; i < count; ++i)
        isogrid::archive::measure(std::atol(values[i]));
}
