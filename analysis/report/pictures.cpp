#include "analysis/report/pictures.hpp"

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <thread>
#include <utility>

#include "analysis/report/frontier_figures.hpp"
#include "analysis/report/gnuplot.hpp"

namespace isogrid::analysis {

std::vector<Picture> draw_all(const Answer& answer, base::Faults& faults) {
    std::vector<Picture> pictures;
    for (Figure& figure : frontier_figures(answer))
        pictures.push_back({"", std::move(figure), ""});
    for (const LawFit& fit : answer.fits)
        for (const Figure& figure : fit.figures)
            pictures.push_back({fit.name, figure, ""});
    std::atomic<std::size_t> next{0};
    std::atomic<bool> told{false};
    const auto work = [&] {
        for (std::size_t p = next++; p < pictures.size(); p = next++) {
            auto svg = draw(pictures[p].figure);
            if (svg)
                pictures[p].svg = std::move(*svg);
            else if (!told.exchange(true))
                faults = svg.error();
        }
    };
    std::vector<std::jthread> pool;
    for (unsigned t = 0; t < std::max(1U, std::thread::hardware_concurrency()); ++t)
        pool.emplace_back(work);
    pool.clear();
    return pictures;
}

}  // namespace isogrid::analysis
