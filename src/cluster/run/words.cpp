#include "cluster/run/words.hpp"

#include <algorithm>
#include <iostream>

#include "archive/archive.hpp"
#include "archive/run_folder.hpp"
#include "program/paragraph.hpp"
#include "program/quantities.hpp"
#include "study/warnings.hpp"

namespace isogrid::cluster {

using program::bytes, program::plural;

void RunWords::begins(const LeftToDo& left, int ranks) {
    const study::Study& study = request_.study;
    const std::size_t done = trials() - left.trials.size(), begun = left.history.steps_before.size();
    warn_of_grid(done > 0 || begun > 0);
    for (const std::string& warning : warnings_of(misplaced_, study.job.threads_per_rank))
        warn(warning);
    std::string line = study.job.name + ": " + plural(left.trials.size(), "trial") + " to train";
    if (begun > 0) {
        line += " (" + std::to_string(begun) + " of them begun";
        if (left.from_states > 0) line += ", " + std::to_string(left.from_states) + " by trunks";
        line += ")";
    }
    if (done > 0) line += ", " + std::to_string(done) + " done before";
    line += ", " + (ranks > 1 ? plural(static_cast<std::size_t>(ranks - 1), "worker") : "alone");
    console_.line(line + packing());
}

void RunWords::warn(const std::string& of) {
    std::string text = "warning: " + of;
    if (console_.live()) {
        text = program::wrapped("", text, 2, console_.columns());
        text.pop_back();  // the end of the line, which the console adds
    }
    console_.line(text);
}

/// What is said of a grid at its first start is not said at every one; what was found of this start's place
/// stands among it, and is.
void RunWords::warn_of_grid(bool goes_on) {
    const study::Study& study = request_.study;
    const std::vector<std::string> of_grid = study::grid_warnings(study.job, study.corpus, study.grid.trials);
    std::size_t known = 0;
    for (const std::string& warning : study.grid.warnings) {
        if (goes_on && std::find(of_grid.begin(), of_grid.end(), warning) != of_grid.end())
            ++known;
        else
            warn(warning);
    }
    if (known > 0)
        console_.line(plural(known, "warning") + ": isogrid plan shows " + (known == 1 ? "it" : "them"));
}

std::string RunWords::packing() const {
    const Cards& cards = request_.card_plan.cards;
    if (cards.seats.each == 1) return "";
    return std::string(", ") + (cards.measure ? "up to " : "") + std::to_string(cards.seats.each) +
           " trials on a card at once";
}

void RunWords::takes_over_from(const Holder& predecessor) {
    console_.line("taking over from a run that is gone: " + describe(predecessor));
}

void RunWords::verifies_tokens(double size) {
    console_.line("reading all of " + request_.study.job.token_file.string() + " (" + bytes(size) +
                  ") to see that its tokens are those of its digest");
}

void RunWords::not_used(const base::Faults& rejected) {
    for (const base::Fault& fault : rejected)
        console_.line("not used: " + base::to_string(fault));
}

void RunWords::study_not_noted(const std::string& why) {
    console_.line("what a fit before the end should know is not noted: " + why);
}

void RunWords::finished_before(const archive::Found& found, const LeftToDo& left) {
    std::vector<archive::TrialRecord> records;
    for (const auto& trial : found.trials)
        records.push_back(trial->record);
    console_.line(request_.archive.string() + " is finished: " + plural(records.size(), "trial") +
                  ", digest " + archive::archive_digest(records) + "; nothing to do");
    failed(left.failed.size());
}

void RunWords::taken_over() {
    const auto holder = read_lock(archive::RunFolder(request_.archive).lock);
    std::cerr << request_.archive.string() << ": given up (another run has taken over"
              << (holder ? ": " + describe(*holder) : std::string()) << ") leave it to that run\n";
}

void RunWords::not_in_place() {
    std::cerr << request_.archive.string()
              << ": was not put in place (its lock could not be read just then; its trials are in "
              << archive::RunFolder(request_.archive).root.string() << ") run the same command again\n";
}

void RunWords::not_stored(const std::vector<std::string>& faults) {
    for (const std::string& fault : faults)
        std::cerr << "trial " << fault << "\n";
    std::cerr << plural(faults.size(), "trial")
              << " could not be stored (see above) make room, then run the same command again\n";
}

void RunWords::place_at_fault(const Sweep& sweep) {
    for (const int trial : sweep.given_up())
        for (const FailedTrial& failed : sweep.totals().failed)
            if (failed.name == sweep.planned(trial).name)
                std::cerr << "trial " << failed.name << " failed: " << failed.cause << "\n";
    std::cerr
        << plural(sweep.given_up().size(), "trial")
        << " failed before any made a step (as where the place is at fault: see above) mend that and run "
           "the same command again; nothing is held against them\n";
}

void RunWords::gone(std::size_t number) {
    std::cerr << request_.archive.string() << ": " << number << " of " << plural(trials(), "trial")
              << (number == 1 ? " is" : " are")
              << " gone (done when this run began, and moved or removed since) bring back what held them, or "
                 "run the same command again to train them anew\n";
}

void RunWords::damaged(const base::Faults& faults) {
    std::cerr << base::to_string(faults) << request_.archive.string()
              << ": does not hold what was written (see above) its trials are still in "
              << archive::RunFolder(request_.archive).trials.string()
              << ": move it away and run the same command again\n";
}

void RunWords::interrupted(const SweepState& state, const std::string& why) {
    console_.line("interrupted" + (why.empty() ? "" : " (" + why + ")") + ": " + std::to_string(state.done) +
                  " of " + plural(trials(), "trial") + " done and kept in " +
                  archive::RunFolder(request_.archive).root.string() +
                  "; run the same command again to go on");
}

void RunWords::done(const SweepState& state, const std::string& digest) {
    std::string line = "wrote " + request_.archive.string() + ": " + plural(trials(), "trial");
    if (state.diverged > 0) line += ", " + std::to_string(state.diverged) + " diverged";
    console_.line(line + ", digest " + digest);
    failed(state.failed.size());
}

void RunWords::failed(std::size_t number) {
    if (number > 0)
        warn(plural(number, "trial") + " failed (isogrid status says why) add --retry failed to try again");
}

}  // namespace isogrid::cluster
