// What other programs that train call the keys and tables of a job file: who comes from them types those.
#pragma once

#include <optional>
#include <string>

namespace isogrid::study {

/// The key of a job that others call so, as `recipe.batch`; none where nothing here is called so elsewhere.
const std::string* key_elsewhere_called(const std::string& name);

/// The table of a job that has what others put into a table of this name.
const std::string* table_elsewhere_called(const std::string& name);

struct Absence {
    std::string why, what_to_do;
};

/// Of a key that others have and a job has not.
std::optional<Absence> nothing_of_the_kind(const std::string& name);

}  // namespace isogrid::study
