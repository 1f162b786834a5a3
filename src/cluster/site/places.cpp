#include "cluster/site/places.hpp"

#include <cstddef>

#include "cluster/site/cores.hpp"

namespace isogrid::cluster {

namespace {

std::string workers(int number) {
    return std::to_string(number) + (number == 1 ? " worker" : " workers");
}

}  // namespace

Misplaced take_place(const MpiSession& session, std::int64_t threads_per_rank, bool pin) {
    constexpr std::size_t most_cores = 4096;
    std::vector<int> mine(most_cores + 1, 0);  // whether this rank works, and whether it may use each core
    mine.back() = session.works();
    for (const int core : allowed_cores())
        if (core < static_cast<int>(most_cores)) mine[static_cast<std::size_t>(core)] = 1;

    const MpiSession::Node node = session.on_node(mine);
    std::vector<Cores> allowed;
    for (const std::vector<int>& said : node.said) {
        Cores& cores = allowed.emplace_back();
        if (said.back() == 0) continue;  // a coordinator: as if its cores were not known
        for (std::size_t core = 0; core < most_cores; ++core)
            if (said[core] != 0) cores.push_back(static_cast<int>(core));
    }
    const Place place = place_workers(allowed, static_cast<int>(threads_per_rank), physical_core)[node.me];
    if (pin && place.kind == Place::Kind::pinned) pin_to(place.cores);
    return {.crowded = session.sum(place.kind == Place::Kind::crowded),
            .narrow = session.sum(place.kind == Place::Kind::narrow)};
}

std::vector<std::string> warnings_of(const Misplaced& misplaced, std::int64_t threads_per_rank) {
    const std::string threads =
        std::to_string(threads_per_rank) + (threads_per_rank == 1 ? " thread" : " threads");
    std::vector<std::string> warnings;
    if (misplaced.crowded > 0)
        warnings.push_back(workers(misplaced.crowded) + " of " + threads +
                           " share too few cores (trials wait for each other) start fewer ranks on a node");
    if (misplaced.narrow > 0)
        warnings.push_back(workers(misplaced.narrow) + " of " + threads +
                           " may use fewer cores (the launcher bound them) start with mpirun --bind-to none, "
                           "or srun --cpus-per-task " +
                           std::to_string(threads_per_rank));
    return warnings;
}

}  // namespace isogrid::cluster
