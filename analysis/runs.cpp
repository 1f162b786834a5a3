// What reading from a CSV and from an archive have in common.
#include "analysis/runs.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <numeric>
#include <sstream>

namespace isogrid::analysis {

void join_budgets(std::vector<Run>& runs) {
    std::vector<Run*> order;
    for (Run& run : runs)
        order.push_back(&run);
    std::sort(order.begin(), order.end(), [](const Run* a, const Run* b) { return a->budget < b->budget; });
    double shared = 0;
    for (Run* run : order) {
        if (run->budget > shared * (1 + 1e-6)) shared = run->budget;
        run->budget = shared;
    }
}

void drop_highest_loss(Runs& runs, std::size_t count) {
    std::vector<std::size_t> order(runs.used.size());
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(),
                     [&](std::size_t a, std::size_t b) { return runs.used[a].loss > runs.used[b].loss; });
    order.resize(std::min(count, order.size()));
    std::sort(order.begin(), order.end());
    for (const std::size_t index : order)
        runs.rejected.push_back(
            {runs.used[index].name, runs.used[index].digest,
             "one of the " + std::to_string(count) + " highest losses (--drop-highest-loss)"});
    for (auto index = order.rbegin(); index != order.rend(); ++index)
        runs.used.erase(runs.used.begin() + static_cast<std::ptrdiff_t>(*index));
}

study::Result<std::string> read_text(const std::filesystem::path& file) {
    std::error_code error;
    if (std::filesystem::is_directory(file, error))
        return study::fail(file.string(), "is a folder", "a file of runs is needed", "name the file in it");
    std::ifstream stream(file, std::ios::binary);
    if (!stream) return study::fail(file.string(), "cannot be read", std::strerror(errno), "check the name");
    std::ostringstream text;
    text << stream.rdbuf();
    return text.str();
}

}  // namespace isogrid::analysis
