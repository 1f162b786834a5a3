// One trial on one group of ranks, from its specification to its trial file. Alone or under MPI: the same.
#pragma once

#include <functional>
#include <stdexcept>
#include <string>

#include "archive/durable_file.hpp"
#include "archive/record.hpp"
#include "archive/run_folder.hpp"
#include "cluster/messages/group.hpp"
#include "cluster/messages/protocol.hpp"
#include "data/token_file.hpp"
#include "study/study.hpp"
#include "train/trainer.hpp"

namespace isogrid::cluster {

/// train::train with its backend bound; a test puts something quicker here.
using TrainTrial = std::function<archive::TrialResult(const study::Trial&, const data::TokenFile&,
                                                      train::Communicator&, const train::TrainOptions&)>;

/// train::measure_seconds_per_step with its backend bound.
using MeasureStep = std::function<double(const study::Trial&)>;

/// The tokens have changed under the program that trains on them: nothing that it does counts any more.
class TokensChanged : public std::runtime_error {
  public:
    using std::runtime_error::runtime_error;
};

/// What a rank needs to run trials of a study.
struct Workplace {
    const study::Study& study;
    const data::TokenFile& tokens;
    archive::RunFolder folder;
    TrainTrial train;
    std::string instruction_set;        ///< of the backend, for the provenance
    MeasureStep seconds_per_step = {};  ///< where it is empty nothing is measured
    int measuring_workers = 0;          ///< so many of the first ones measure; 0: all
};

/// Trains trial `trial` of the study with the other members of `group`, agrees with them on how it ended,
/// and, on the group's first rank, writes its trial file. No exception of a trial gets out: std::bad_alloc is
/// the outcome out_of_memory, any other is `failed` with its text as the cause, on every member. Throws
/// TokensChanged where it was not trained on the tokens that were verified, which writes nothing. An
/// interrupted trial leaves no trial file but a checkpoint, from which it goes on; with the trial file
/// written and read back it is removed. `on_progress` as in train::TrainOptions. `alone`: no other trial was
/// on the cards; otherwise running out of memory only shows that the trial needs a card to itself.
/// `steps_before`: how far a checkpoint is known to have come, whatever this host's listing of the folder
/// shows.
Finished execute_trial(const Workplace& workplace, int trial, Group& group, const archive::Writer& writer,
                       std::function<bool(const train::Progress&)> on_progress, bool alone = true,
                       std::int64_t steps_before = 0);

}  // namespace isogrid::cluster
