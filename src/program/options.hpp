// The words of a command line, read by the same rules everywhere.
#pragma once

#include <string>
#include <vector>

#include <boost/program_options.hpp>

#include "base/fault.hpp"

namespace isogrid::program {

namespace options = boost::program_options;

/// Reads `words` by the options `known`; words without one are `positions`, by name and order, the last of
/// them any number of times if `many`. Options are spelled out: an abbreviation that works today may be
/// ambiguous tomorrow, and scripts depend on this. A fault, of `program` (`isogrid run`), where words are no
/// options or miss their values, or required options are missing, unless --help is among them; `usage` says
/// how it is called. Positions may be missing.
base::Result<options::variables_map> read_options(const std::vector<std::string>& words,
                                                  const options::options_description& known,
                                                  const std::vector<std::string>& positions, bool many,
                                                  const std::string& program, const std::string& usage);

}  // namespace isogrid::program
