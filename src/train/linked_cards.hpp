// The cards of a group's ranks, linked so that gradients go from card to card.
#pragma once

#include <memory>

#include "kernels/backend.hpp"
#include "kernels/links.hpp"
#include "study/trial.hpp"
#include "train/communicator.hpp"

namespace isogrid::train {

/// Links the ranks' cards for a trial; every rank of the group must call it. None where there is nothing to
/// link: a group of one, processors, a rank without the library for it, or two ranks on one card. All ranks
/// then have none, and exchange by messages.
std::unique_ptr<kernels::Links> link_cards(const study::Trial& trial, kernels::Backend& backend,
                                           Communicator& group);

}  // namespace isogrid::train
