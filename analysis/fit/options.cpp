#include "analysis/fit/options.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>
#include <string>
#include <utility>

namespace isogrid::analysis {

std::string_view name(Resampling resampling) {
    switch (resampling) {
        case Resampling::cases:
            return "cases";
        case Resampling::residuals:
            return "residuals";
        case Resampling::seeds:
            return "seeds";
    }
    return "unknown";
}

base::Result<Resampling> parse_resampling(std::string_view text) {
    for (const Resampling resampling : {Resampling::cases, Resampling::residuals, Resampling::seeds})
        if (name(resampling) == text) return resampling;
    return base::fail("--resample", "\"" + std::string(text) + "\" is nothing to draw again",
                      "there are cases, residuals and seeds", "use one of them");
}

base::Result<JointLaw> parse_given_law(std::string_view text, std::string_view option) {
    constexpr double absent = std::numeric_limits<double>::quiet_NaN();
    JointLaw law{absent, absent, absent, absent, absent};
    const std::array<std::pair<std::string_view, double*>, 5> places = {
        {{"E", &law.E}, {"A", &law.A}, {"B", &law.B}, {"alpha", &law.alpha}, {"beta", &law.beta}}};
    const auto refuse = [&](const std::string& why) {
        return base::fail(std::string(option), "\"" + std::string(text) + "\" is no law", why,
                          "write E=1.87,A=521,B=1488,alpha=.353,beta=.353");
    };
    for (std::size_t begin = 0; begin <= text.size();) {
        const std::size_t end = std::min(text.find(',', begin), text.size());
        const std::string_view item = text.substr(begin, end - begin);
        begin = end + 1;
        const std::size_t equals = item.find('=');
        if (equals == std::string_view::npos) return refuse("each item is NAME=NUMBER");
        const std::string_view digits = item.substr(equals + 1);
        double value = absent;
        const auto [stop, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
        bool known = false;
        for (const auto& [name, place] : places)
            if (item.substr(0, equals) == name) known = true, *place = value;
        if (!known) return refuse("there are E, A, B, alpha and beta");
        if (error != std::errc{} || stop != digits.data() + digits.size() || !std::isfinite(value) ||
            value < 0 || (value == 0 && item.front() != 'E'))
            return refuse("the numbers are above zero");
    }
    for (const auto& [name, place] : places)
        if (std::isnan(*place)) return refuse(std::string(name) + " is missing");
    return law;
}

std::string_view name(MinimumBy minimum) {
    switch (minimum) {
        case MinimumBy::best:
            return "auto";
        case MinimumBy::akima:
            return "akima";
        case MinimumBy::parabola:
            return "parabola";
    }
    return "unknown";
}

base::Result<MinimumBy> parse_minimum(std::string_view text) {
    for (const MinimumBy minimum : {MinimumBy::best, MinimumBy::akima, MinimumBy::parabola})
        if (name(minimum) == text) return minimum;
    return base::fail("--minimum", "\"" + std::string(text) + "\" is no way to a minimum",
                      "there are auto, akima and parabola", "use one of them");
}

std::string_view name(Intervals intervals) {
    switch (intervals) {
        case Intervals::bootstrap:
            return "bootstrap";
        case Intervals::profile:
            return "profile";
    }
    return "unknown";
}

base::Result<Intervals> parse_intervals(std::string_view text) {
    for (const Intervals intervals : {Intervals::bootstrap, Intervals::profile})
        if (name(intervals) == text) return intervals;
    return base::fail("--intervals", "\"" + std::string(text) + "\" gives no intervals",
                      "there are bootstrap and profile", "use one of them");
}

}  // namespace isogrid::analysis
