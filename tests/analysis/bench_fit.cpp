// Seconds for the joint law on 240 runs: from each of Hoffmann et al.'s 4500 starts, and of 4000 resamples.
// The same work by SciPy is bench_scipy.py; `./dev bench` runs both.
//   bench_fit --write FILE    the runs, published where they are there, else drawn from a known law
//   bench_fit FILE            one measurement
#include <chrono>
#include <cmath>
#include <fstream>
#include <iomanip>
#include <iostream>
#include <string>

#include "analysis/laws/joint_model.hpp"
#include "analysis/laws/surface_form.hpp"
#include "analysis/published_data.hpp"
#include "analysis/runs/runs.hpp"
#include "analysis/synthetic_runs.hpp"

namespace {

using namespace isogrid::analysis;

Runs runs_to_fit() {
    const auto published = published_data() / "besiroglu" / "svg_extracted_data.csv";
    if (std::filesystem::exists(published))
        return read_csv({published,
                         parse_columns("parameters=Model Size,flops=Training FLOP,loss=loss").value(),
                         {},
                         5})
            .value();
    Random noise(1, 1);
    return isoflop_runs(
        {6e18, 1e19, 3e19, 6e19, 1e20, 3e20, 6e20, 1e21, 2e21, 3e21}, 24, 3,
        [&](double N, double D) { return known_loss(N, D) * std::exp(0.005 * noise.normal()); });
}

int write(const std::string& file) {
    std::ofstream stream(file);
    stream << "N,D,loss\n" << std::setprecision(17);
    for (const Run& run : runs_to_fit().used)
        stream << run.parameters << ',' << run.tokens << ',' << run.loss << '\n';
    return stream ? 0 : 1;
}

int measure(const std::string& file) {
    const Runs runs =
        read_csv({file, parse_columns("parameters=N,tokens=D,loss=loss").value(), {}, 0}).value();
    const JointModel data(runs.used);
    const auto begin = std::chrono::steady_clock::now();
    ParametricLaw law = joint_form.law(runs.used);
    law.starts.clear();
    for (const double alpha : {0.0, 0.5, 1.0, 1.5, 2.0})
        for (const double beta : {0.0, 0.5, 1.0, 1.5, 2.0})
            for (const double e : {-1.0, -0.5, 0.0, 0.5, 1.0})
                for (const double a : {0.0, 5.0, 10.0, 15.0, 20.0, 25.0})
                    for (const double b : {0.0, 5.0, 10.0, 15.0, 20.0, 25.0})
                        law.starts.push_back(
                            {e, a - alpha * data.mean_n, b - beta * data.mean_d, alpha, beta});
    FitOptions options;
    options.bootstrap = 4000;
    const ParametricFit fit = fit_parametric(law, options);
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
    std::cout << "isogrid-fit: " << std::setprecision(4) << seconds.count() << " s for " << law.starts.size()
              << " starts and " << fit.replicates.size() << " resamples, objective " << std::setprecision(10)
              << fit.minima.front().value << "\n";
    for (const std::string& note : fit.notes)
        std::cout << "  " << note << "\n";
    return fit.refused ? 1 : 0;
}

}  // namespace

int main(int count, char** words) {
    if (count == 3 && std::string(words[1]) == "--write") return write(words[2]);
    if (count == 2) return measure(words[1]);
    std::cerr << "usage: bench_fit [--write] FILE\n";
    return 2;
}
