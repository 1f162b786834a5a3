// Trial files become segments while a sweep goes on: a folder of 100,000 small files is slow.
#pragma once

#include <cstddef>
#include <filesystem>

#include "archive/durable_file.hpp"
#include "archive/segment.hpp"
#include "program/console.hpp"

namespace isogrid::cluster {

class SegmentPacker {
  public:
    /// All must outlive it. A disk that refuses is told of on `console` and passed over: trial files are as
    /// good as a segment.
    SegmentPacker(const std::filesystem::path& archive, const archive::Writer& writer,
                  program::Console& console)
        : archive_(archive), writer_(writer), console_(console) {}

    /// Packs, where enough trials have ended since it last looked.
    void trial_ended();

  private:
    bool pack();

    const std::filesystem::path& archive_;
    const archive::Writer& writer_;
    program::Console& console_;
    std::size_t ended_ = 0;  ///< since it last looked
    std::size_t enough_ = archive::trials_a_segment;
};

}  // namespace isogrid::cluster
