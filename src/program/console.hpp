// Where a sweep speaks to people: a terminal, with one line that is rewritten in place, or a log.
#pragma once

#include <string>
#include <string_view>

namespace isogrid::program {

/// How wide the terminal is that the open file `descriptor` is; 0 where it is none, or does not say.
int terminal_columns(int descriptor);

class Console {
  public:
    /// The terminal of this process, the terminal of the mpirun that started it (mpirun hands each rank a
    /// terminal of zero columns, whatever its own output is), or else a log on standard output.
    static Console standard();

    /// Writes to the open file `descriptor`; `live` says that it is a terminal. Closes it when `owned`.
    Console(int descriptor, bool live, bool owned);
    Console(Console&&) noexcept;
    Console& operator=(Console&&) = delete;
    ~Console();

    bool live() const { return live_; }
    int columns() const;  ///< of the terminal at this moment; 80 where there is none

    /// A line that stays.
    void line(std::string_view text);

    /// Rewrites the last line of a terminal; `text` must fit in columns() - 1. Nothing in a log.
    void rewrite(std::string_view text);

    /// Takes the rewritten line away.
    void clear();

  private:
    void write(std::string_view text) const;

    int descriptor_;
    bool live_, owned_;
    std::string shown_;  ///< the line that now stands to be rewritten
};

}  // namespace isogrid::program
