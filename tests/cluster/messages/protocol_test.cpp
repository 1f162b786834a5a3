#include "cluster/messages/protocol.hpp"

#include <stdexcept>

#include <gtest/gtest.h>

using namespace isogrid::cluster;

namespace {

std::vector<Message> one_of_each() {
    return {Ready{.attempt = 4},
            Measured{.trial = 2, .seconds_per_step = 0.0125},
            Assign{.attempt = 5,
                   .trial = 7,
                   .ranks = {1, 2, 5, 9},
                   .lease = "node1-42",
                   .alone = false,
                   .steps_before = 12},
            TrialProgress{.attempt = 6,
                          .trial = 3,
                          .steps_done = 10,
                          .steps = 1'000'000'000'000,
                          .tokens_per_second = 1.5e6},
            Finished{.attempt = 6,
                     .trial = 3,
                     .outcome = isogrid::archive::Outcome::out_of_memory,
                     .cause = "no memory for w64",
                     .stored = true,
                     .store_fault = "",
                     .steps_done = 5,
                     .steps = 9,
                     .seconds = 0.25,
                     .training_loss = 3.5,
                     .validation_loss = 3.75},
            Stop{},
            Alive{},
            Abandon{.attempt = 3},
            Pause{.attempt = 5},
            Here{"node1"}};
}

}  // namespace

TEST(Protocol, bringsEveryMessageBackAsItWas) {
    for (const Message& message : one_of_each())
        EXPECT_EQ(decode(encode(message)), message) << "kind " << message.index();
}

TEST(Protocol, rejectsWhatWasCutOff) {
    for (const Message& message : one_of_each()) {
        const auto bytes = encode(message);
        for (std::size_t length = 0; length < bytes.size(); ++length)
            EXPECT_THROW(decode(std::span(bytes).first(length)), std::runtime_error)
                << "kind " << message.index() << ", " << length << " bytes";
    }
}

TEST(Protocol, rejectsWhatIsTooLongOrUnknown) {
    auto bytes = encode(Stop{});
    bytes.push_back(std::byte{0});
    EXPECT_THROW(decode(bytes), std::runtime_error);
    EXPECT_THROW(decode(std::vector{std::byte{200}}), std::runtime_error);
}
