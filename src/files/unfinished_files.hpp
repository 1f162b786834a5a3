// Temporary files that go away when a signal ends the program.
#pragma once

#include <string>

namespace isogrid::files {

/// From now on SIGINT, SIGTERM and SIGHUP remove what UnfinishedFile names, and then end the program as they
/// would have anyway. One that is ignored stays ignored.
void remove_unfinished_files_when_ended();

/// A file that such a signal removes while this lives. There may be 16 at a time; more are left behind.
class UnfinishedFile {
  public:
    explicit UnfinishedFile(const std::string& path);
    UnfinishedFile(UnfinishedFile&& other) noexcept;
    UnfinishedFile& operator=(UnfinishedFile&&) = delete;
    ~UnfinishedFile();

  private:
    int place_ = -1;
};

}  // namespace isogrid::files
