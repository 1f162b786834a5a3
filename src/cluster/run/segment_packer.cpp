#include "cluster/run/segment_packer.hpp"

#include <exception>
#include <string>

namespace isogrid::cluster {

void SegmentPacker::trial_ended() {
    if (++ended_ < enough_) return;
    ended_ = 0;
    // Looking at files that are too large to be packed takes time too.
    enough_ = pack() ? archive::trials_a_segment : 2 * enough_;
}

/// Whether any were packed.
bool SegmentPacker::pack() {
    try {
        return archive::pack_trial_files(archive_, writer_, archive::trials_a_segment) > 0;
    } catch (const std::exception& error) {
        console_.line("trial files are not packed: " + std::string(error.what()));
        return false;
    }
}

}  // namespace isogrid::cluster
