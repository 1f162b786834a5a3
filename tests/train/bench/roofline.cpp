#include "train/bench/roofline.hpp"

#include <algorithm>
#include <cstdio>
#include <map>
#include <stdexcept>

#include "graph/chunked_head.hpp"
#include "graph/memory_plan.hpp"
#include "kernels/cuda/sizes.hpp"
#include "model/llama.hpp"

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
    char line[160];
    std::snprintf(line, sizeof line, "%-26s %6.0f %10.1f %10.1f %10.3f %6.1f%%\n", op.name.c_str(), op.count,
                  op.flops / 1e9, op.bytes / 1e6, 1e3 * op.seconds, 100 * op.seconds / seconds_of_all);
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
    const auto add = [&](std::string_view op, double times, double flops, double bytes) {
        OpCost& cost = costs[std::string(op)];
        cost.name = op;
        cost.count += times;
        cost.flops += times * flops;
        cost.bytes += times * bytes;
        cost.seconds += times * std::max(flops / card.flops_a_second, bytes / card.bytes_a_second);
    };
    for (const graph::Op& op : graph.ops())
        add(name(op), blocks, graph::flops(op, graph.tensors()), graph::bytes(op, graph.tensors()));
    const auto parameters = static_cast<double>(graph::lay_out_parameters(graph).floats);
    add("gradient norm", 1, 2 * parameters, 4 * parameters);
    add("adamw", 1, 14 * parameters, 7 * 4 * parameters);  // reads four numbers of each, writes three
    if (graph.element() == kernels::Element::bfloat16) add("pack weights", 1, 0, (4 + 2) * parameters);

    Roofline roofline{shape.label(), static_cast<double>(shape.tokens_per_step()), {}, {.name = "all"}};
    for (const auto& [op, cost] : costs) {
        roofline.ops.push_back(cost);
        roofline.all.count += cost.count;
        roofline.all.flops += cost.flops;
        roofline.all.bytes += cost.bytes;
        roofline.all.seconds += cost.seconds;
    }
    std::stable_sort(roofline.ops.begin(), roofline.ops.end(),
                     [](const OpCost& a, const OpCost& b) { return a.seconds > b.seconds; });
    return roofline;
}

std::string to_text(const Roofline& roofline) {
    std::string text =
        roofline.shape + ", " + std::to_string(static_cast<long>(roofline.tokens)) + " tokens\n";
    char heading[160];
    std::snprintf(heading, sizeof heading, "%-26s %6s %10s %10s %10s %7s\n", "op", "count", "GFLOP", "MB",
                  "ms least", "share");
    text += heading;
    for (const OpCost& op : roofline.ops)
        text += line_of(op, roofline.all.seconds);
    return text + line_of(roofline.all, roofline.all.seconds);
}

}  // namespace isogrid::bench
