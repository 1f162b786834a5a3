// Training that takes no time: losses are a hash of the trial, summed over its leaves as the real trainer
// sums gradients, so that a group that exchanges wrongly gives another result.
#pragma once

#include <chrono>
#include <cmath>
#include <functional>
#include <map>
#include <new>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "base/digest.hpp"
#include "cluster/worker/execute.hpp"
#include "data/philox.hpp"
#include "data/write_token_file.hpp"
#include "kernels/cuda/cards.hpp"

namespace isogrid::cluster::test {

enum class Trouble { none, no_memory, exception, card_lost, divergence };

struct FakeTraining {
    std::map<std::uint64_t, Trouble> troubles = {};  ///< by the trial's seed, at step 5
    int troubled_rank = 0;                           ///< of the group; divergence troubles all
    double seconds_per_step = 0;
    std::size_t width = 1000;                    ///< values a leaf's gradient has
    std::function<void(int step)> on_step = {};  ///< before each step

    archive::TrialResult operator()(const study::Trial& trial, const data::TokenFile&,
                                    train::Communicator& group, const train::TrainOptions& options) const {
        archive::TrialResult result;
        const auto found = troubles.find(trial.seed);
        const Trouble trouble = found != troubles.end() ? found->second : Trouble::none;
        std::vector<float> gradient;
        for (std::int64_t step = 1; step <= trial.steps; ++step) {
            if (on_step) on_step(static_cast<int>(step));
            if (step == 5 && trouble == Trouble::divergence) {
                result.outcome = archive::Outcome::diverged;
                result.cause = "the loss is not a number at step 5";
                return result;
            }
            if (step == 5 && group.rank() == troubled_rank) {
                if (trouble == Trouble::no_memory) throw std::bad_alloc();
                if (trouble == Trouble::card_lost)
                    throw kernels::CardLost("computing failed (CUDA error 700)");
                if (trouble == Trouble::exception) throw std::runtime_error("a disk is on fire");
            }
            gradient = summed_gradient(trial, step, group);
            std::this_thread::sleep_for(std::chrono::duration<double>(seconds_per_step));
            result.steps_done = step;
            archive::CurvePoint point;
            point.step = step;
            point.tokens = step * trial.tokens_per_step();
            point.training_loss = gradient.front();
            result.curve.push_back(point);
            if (options.on_progress && !options.on_progress({step, trial.steps, 1000, gradient.front()})) {
                result.outcome = archive::Outcome::interrupted;
                result.cause = "asked to stop";
                return result;
            }
        }
        result.outcome = archive::Outcome::completed;
        result.training_loss = result.validation_loss = result.bits_per_byte = gradient.front();
        result.weights_digest = base::sha256(std::as_bytes(std::span<const float>(gradient)));
        if (options.keep_weights) result.weights = gradient;
        return result;
    }

  private:
    /// Leaves in one binary tree: in memory below, between ranks above.
    std::vector<float> summed_gradient(const study::Trial& trial, std::int64_t step,
                                       train::Communicator& group) const {
        const std::int64_t mine = trial.leaves / group.size();
        std::vector<float> sum = subtree(trial, step, group.rank() * mine, mine), other(width);
        for (int distance = 1; distance < group.size(); distance *= 2) {
            const int partner = group.rank() ^ distance;
            group.exchange(partner, std::span<const float>(sum), std::span<float>(other));
            for (std::size_t i = 0; i < width; ++i)
                sum[i] = partner > group.rank() ? sum[i] + other[i] : other[i] + sum[i];
        }
        return sum;
    }

    std::vector<float> subtree(const study::Trial& trial, std::int64_t step, std::int64_t first,
                               std::int64_t leaves) const {
        std::vector<float> sum(width);
        if (leaves == 1) {
            for (std::size_t i = 0; i < width; ++i) {
                const auto words =
                    data::philox({static_cast<std::uint32_t>(i), static_cast<std::uint32_t>(step),
                                  static_cast<std::uint32_t>(first), 0},
                                 data::key_of(trial.seed));
                sum[i] = std::exp2(-static_cast<float>(words[0] % 32));  // of unlike sizes: order matters
            }
            return sum;
        }
        const auto left = subtree(trial, step, first, leaves / 2);
        const auto right = subtree(trial, step, first + leaves / 2, leaves / 2);
        for (std::size_t i = 0; i < width; ++i)
            sum[i] = left[i] + right[i];
        return sum;
    }
};

/// A token file of a few bytes; its path.
inline std::filesystem::path write_small_corpus(const std::filesystem::path& folder) {
    const std::vector<data::Token> tokens(64, 7);
    const auto path = folder / "small.tok";
    const auto written = data::write_token_file(path, tokens, tokens, "bytes", 256, 64, 64);
    if (!written) throw std::runtime_error(base::to_string(written.error()));
    return path;
}

}  // namespace isogrid::cluster::test
