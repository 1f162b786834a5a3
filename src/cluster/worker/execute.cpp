#include "cluster/worker/execute.hpp"

#include <exception>
#include <new>
#include <utility>

#include "archive/provenance.hpp"
#include "archive/trial_file.hpp"
#include "cluster/folder/attempts.hpp"
#include "cluster/folder/checkpoints.hpp"
#include "cluster/folder/trunk_states.hpp"
#include "cluster/site/clocks.hpp"
#include "cluster/site/mpi_session.hpp"
#include "kernels/cuda/cards.hpp"
#include "kernels/links.hpp"

namespace isogrid::cluster {

namespace {

using archive::Outcome;

/// The record of a trial that begins: all but its result, and what training takes.
archive::TrialRecord begun_record(const Workplace& workplace, int trial, int ranks) {
    archive::TrialRecord record;
    record.planned = workplace.study.grid.trials.at(static_cast<std::size_t>(trial));
    record.index = trial;
    record.provenance = archive::provenance_here();
    record.provenance.instruction_set = workplace.instruction_set;
    record.provenance.ranks = ranks;
    record.provenance.started_unix = unix_seconds();
    return record;
}

/// What the group's first rank writes checkpoints with: none once the tokens have changed. Both arguments
/// must outlive it.
archive::Writer while_tokens_are_good(const Workplace& workplace, const archive::Writer& writer) {
    return {.tag = writer.tag, .still_holder = [&] {
                return workplace.tokens.verify_if_touched() &&
                       (!writer.still_holder || writer.still_holder());
            }};
}

/// Trains, and says how this member's part ended.
std::pair<archive::TrialResult, Verdict> train_part(const Workplace& workplace,
                                                    const study::PlannedTrial& planned, Group& group,
                                                    const train::TrainOptions& options, bool alone,
                                                    Underway& underway) {
    const auto ended = [](Outcome outcome, std::string cause, bool followed = false) {
        archive::TrialResult result;
        result.outcome = outcome;
        result.cause = cause;
        return std::pair(std::move(result), Verdict{outcome, std::move(cause), followed});
    };
    try {
        archive::TrialResult result = workplace.train(planned.trial, workplace.tokens, group, options);
        if (const auto sound = workplace.tokens.verify_if_touched(); !sound)
            throw TokensChanged(base::to_string(sound.error().front()));
        Verdict verdict{result.outcome, result.cause};
        return {std::move(result), std::move(verdict)};
    } catch (const MpiError&) {
        throw;  // not the trial's fault, and the group cannot agree on anything any more
    } catch (const TokensChanged&) {
        underway.ends_process();
        throw;  // nor would any other trial be trained on what it says
    } catch (const kernels::CardLost& error) {
        // Every further trial of this process would fail as well: it has to end, as by a crash.
        underway.ends_process();
        note_card_lost(workplace.folder.attempts, planned, group.size(), error.what(), alone);
        throw;
    } catch (const MemberEnded& error) {
        return ended(Outcome::failed, error.what(), true);
    } catch (const kernels::LinkBroken& error) {
        return ended(Outcome::failed, error.what(), true);
    } catch (const std::bad_alloc&) {
        return ended(Outcome::out_of_memory, "the rank's memory was not enough (an allocation failed)");
    } catch (const std::exception& error) {
        return ended(Outcome::failed, error.what());
    }
}

/// This member's result; where the group agreed on another end, that end, and how far this member came.
archive::TrialResult as_agreed(archive::TrialResult mine, const Verdict& verdict) {
    if (verdict.outcome == mine.outcome && verdict.cause == mine.cause) return mine;
    archive::TrialResult agreed;
    agreed.steps_done = mine.steps_done;
    agreed.outcome = verdict.outcome;
    agreed.cause = verdict.cause;
    return agreed;
}

/// Trains, and agrees with the group on how it ended. Whatever ends this process meanwhile, a later start
/// finds a note of it; so it does where the trial itself ended badly.
archive::TrialResult train_noting_trouble(const Workplace& workplace, const study::PlannedTrial& planned,
                                          Group& group, const train::TrainOptions& options, bool alone) {
    archive::TrialResult result;
    {
        const CrashNote note(workplace.folder.attempts, planned, group.size());
        Underway underway(workplace.folder.attempts, planned, group.rank());
        auto [mine, verdict] = train_part(workplace, planned, group, options, alone, underway);
        result = as_agreed(std::move(mine), group.agree(verdict));
    }
    if (group.rank() == 0 && archive::is_failure(result.outcome))
        note_attempt(workplace.folder.attempts, planned, result.outcome, group.size(), result.cause, alone,
                     options.threads);
    return result;
}

/// Over the steps that this group did; 0 where they took no time.
double tokens_per_second(const archive::TrialRecord& record, std::int64_t taken_up_at) {
    if (record.provenance.seconds <= 0) return 0;
    const study::Trial& trial = record.planned.trial;
    const std::int64_t tokens =
        trial.tokens_after(record.result.steps_done) - trial.tokens_after(taken_up_at);
    return static_cast<double>(tokens) / record.provenance.seconds;
}

/// The note that the trial ended; nothing of it is said to be stored.
Finished finished_note(const archive::TrialRecord& record) {
    return {.trial = static_cast<int>(record.index),
            .outcome = record.result.outcome,
            .cause = record.result.cause,
            .steps_done = record.result.steps_done,
            .steps = record.planned.trial.steps,
            .seconds = record.provenance.seconds,
            .training_loss = record.result.training_loss,
            .validation_loss = record.result.validation_loss};
}

/// Writes the trial file and reads it back, before what would make it anew is removed; what went wrong with
/// it goes into `finished`.
void store(const Workplace& workplace, const archive::TrialRecord& record, const archive::Writer& writer,
           Finished& finished) {
    try {
        const auto file = archive::write_trial_file(workplace.folder.trials, record, writer);
        if (!file) {
            finished.store_fault = "not written (another run has taken over the archive)";
            return;
        }
        if (const auto stored = archive::read_trial_file(*file, archive::WeightsUse::check); !stored) {
            finished.store_fault = base::to_string(stored.error());
            return;
        }
        finished.stored = true;
        if (archive::is_finished(record.result.outcome))
            remove_checkpoints(workplace.folder.checkpoints, record.planned);
    } catch (const std::exception& error) {
        finished.store_fault = error.what();
    }
}

}  // namespace

Finished execute_trial(const Workplace& workplace, int trial, Group& group, const archive::Writer& writer,
                       std::function<bool(const train::Progress&)> on_progress, bool alone,
                       std::int64_t steps_before) {
    archive::TrialRecord record = begun_record(workplace, trial, group.size());
    TrialCheckpoints checkpoints(
        workplace.folder.checkpoints, record.planned, workplace.instruction_set,
        while_tokens_are_good(workplace, writer), workplace.study.job.checkpoint_minutes,
        places_left_from(workplace.study, static_cast<std::size_t>(trial)), steps_before);
    const auto go_on = [&](const train::Progress& progress) {
        return (!on_progress || on_progress(progress)) && workplace.tokens.verify_if_touched().has_value();
    };
    const Attempts attempts = read_attempts(workplace.folder.attempts, record.planned);
    const train::TrainOptions options{.threads = threads_for(attempts, workplace.study.job.threads_per_rank),
                                      .keep_weights = workplace.study.job.keep_weights,
                                      .on_progress = go_on,
                                      .checkpoints = &checkpoints};
    const double start = steady_seconds();
    record.result = train_noting_trouble(workplace, record.planned, group, options, alone);
    record.provenance.seconds = steady_seconds() - start;
    record.provenance.tokens_per_second = tokens_per_second(record, checkpoints.taken_up_at());

    Finished finished = finished_note(record);
    if (record.result.outcome == Outcome::interrupted)
        finished.stored = checkpoints.saved_at() == finished.steps_done;
    else if (group.rank() == 0)
        store(workplace, record, writer, finished);
    return finished;
}

}  // namespace isogrid::cluster
