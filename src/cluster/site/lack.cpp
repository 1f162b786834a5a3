#include "cluster/site/lack.hpp"

#include <algorithm>

namespace isogrid::cluster {

Lack judge_lack(const std::vector<bool>& on_host, bool anywhere) {
    const bool here = std::find(on_host.begin(), on_host.end(), true) != on_host.end();
    return {.of_some = anywhere, .of_a_host = anywhere && !here};
}

Lack lack_of(bool has, const MpiSession& session) {
    std::vector<bool> on_host;
    for (const std::vector<int>& said : session.on_node({has ? 1 : 0}).said)
        on_host.push_back(said.front() == 1);
    return judge_lack(on_host, session.any(has));
}

}  // namespace isogrid::cluster
