#include "train/bench/roofline.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <map>
#include <stdexcept>

#include "graph/chunked_head.hpp"
#include "graph/memory_plan.hpp"
#include "kernels/cuda/sizes.hpp"
#include "model/llama.hpp"
#include "train/bench/launches.hpp"

namespace isogrid::bench {
namespace {

study::Precision precision_named(std::string_view word) {
    const auto found = std::find_if(study::precisions.begin(), study::precisions.end(),
                                    [&](study::Precision known) { return name(known) == word; });
    if (found == study::precisions.end())
        throw std::runtime_error("cannot train in " + std::string(word) +
                                 " (nothing has such numbers) choose float32 or bfloat16");
    return *found;
}

std::string line_of(const OpCost& op, double seconds_of_all) {
    const std::string blocks = op.fewest_blocks > 0 ? std::to_string(std::lround(op.fewest_blocks)) : "";
    char line[160];
    std::snprintf(line, sizeof line, "%-26s %6.0f %9.0f %7s %10.1f %10.1f %9.3f %6.1f%% %9.3f\n",
                  op.name.c_str(), op.count, op.launches, blocks.c_str(), op.flops / 1e9, op.bytes / 1e6,
                  1e3 * op.seconds, 100 * op.seconds / seconds_of_all, 1e3 * op.seconds_alone);
    return line;
}

}  // namespace

Roofline roofline_of(const BenchShape& shape, std::string_view precision, const Card& card) {
    const study::Shape& of = shape.shape;
    // As train::block_sequences has it where the batch is one leaf.
    std::int64_t at_once =
        std::clamp<std::int64_t>(kernels::cuda::rows_at_once(of.width) / of.context, 1, shape.batch);
    while (shape.batch % at_once != 0)
        --at_once;
    const auto blocks = static_cast<double>(shape.batch / at_once);
    graph::Graph graph =
        model::build_training(of, study::Parametrization{}, precision_named(precision), at_once, 1.0f).graph;
    graph::chunk_head(graph, kernels::cuda::logit_rows_at_once(of.vocabulary));

    std::map<std::string, OpCost> costs;
    const auto add = [&](std::string_view op, double times, double flops, double bytes,
                         const std::vector<Launch>& launches) {
        OpCost& cost = costs[std::string(op)];
        cost.name = op;
        cost.count += times;
        cost.flops += times * flops;
        cost.bytes += times * bytes;
        const double seconds = std::max(flops / card.flops_a_second, bytes / card.bytes_a_second);
        const auto launch_count = static_cast<double>(launches.size());
        cost.seconds += times * seconds;
        cost.seconds_alone += times * (seconds / filled(launches) + launch_count * card.seconds_a_launch);
        cost.launches += times * launch_count;
        for (const Launch& launch : launches)
            if (launch.share > 0 && (cost.fewest_blocks == 0 || launch.blocks < cost.fewest_blocks))
                cost.fewest_blocks = launch.blocks;
    };
    for (const graph::Op& op : graph.ops())
        add(name(op), blocks, graph::flops(op, graph.tensors()), graph::bytes(op, graph.tensors()),
            launches_of(op, graph));
    const graph::ParameterLayout layout = graph::lay_out_parameters(graph);
    const auto parameters = static_cast<double>(layout.floats);
    // The norm reads a number of each; AdamW reads four and writes three, and a rounded copy.
    const double copy = graph.element() == kernels::Element::bfloat16 ? 2 : 0;
    add("norm and adamw", 1, 16 * parameters, (4 + 7 * 4 + copy) * parameters,
        launches_around(blocks, static_cast<double>(at_once * of.context), parameters,
                        static_cast<double>(layout.sizes.size())));

    Roofline roofline{shape.label(), static_cast<double>(shape.tokens_per_step()), {}, {.name = "all"}};
    for (const auto& [op, cost] : costs) {
        roofline.ops.push_back(cost);
        roofline.all.count += cost.count;
        roofline.all.flops += cost.flops;
        roofline.all.bytes += cost.bytes;
        roofline.all.seconds += cost.seconds;
        roofline.all.launches += cost.launches;
        roofline.all.seconds_alone += cost.seconds_alone;
    }
    std::stable_sort(roofline.ops.begin(), roofline.ops.end(),
                     [](const OpCost& a, const OpCost& b) { return a.seconds > b.seconds; });
    return roofline;
}

std::string to_text(const Roofline& roofline) {
    std::string text =
        roofline.shape + ", " + std::to_string(static_cast<long>(roofline.tokens)) + " tokens\n";
    char line[240];
    std::snprintf(line, sizeof line, "%-26s %6s %9s %7s %10s %10s %9s %7s %9s\n", "op", "count", "launches",
                  "blocks", "GFLOP", "MB", "ms least", "share", "ms alone");
    text += line;
    for (const OpCost& op : roofline.ops)
        text += line_of(op, roofline.all.seconds);
    text += line_of(roofline.all, roofline.all.seconds);
    const double ms = 1e3 * roofline.all.seconds, alone = 1e3 * roofline.all.seconds_alone;
    std::snprintf(
        line, sizeof line,
        "several at once take %.3f ms a step each at least: %.2f times one after the other, at most\n", ms,
        alone / ms);
    return text + line;
}

}  // namespace isogrid::bench
