// What one of several seats of a card trains with.
#pragma once

#include "cluster/worker/execute.hpp"

namespace isogrid::cluster {

/// To be made, used and given back on the seat's own thread.
struct Machine {
    TrainTrial train;
    MeasureStep seconds_per_step = {};
};

/// A card by its number, with a queue and memory of this machine's own, which are made when it first trains:
/// a seat that is never used costs nothing.
Machine machine_on_card(int card);

}  // namespace isogrid::cluster
