#include "cluster/messages/protocol.hpp"

#include <array>
#include <concepts>
#include <cstddef>
#include <cstring>
#include <stdexcept>
#include <string_view>
#include <type_traits>
#include <utility>

namespace isogrid::cluster {

namespace {

[[noreturn]] void malformed(std::string_view why) {
    throw std::runtime_error("a message between ranks cannot be read (" + std::string(why) +
                             ") start every rank from the same build of isogrid");
}

class Writer {
  public:
    template <class T>
    requires std::is_trivially_copyable_v<T>
    void put(const T& value) {
        const auto raw = std::as_bytes(std::span(&value, 1));
        bytes_.insert(bytes_.end(), raw.begin(), raw.end());
    }
    void put(const std::string& text) {
        put(static_cast<std::uint64_t>(text.size()));
        const auto raw = std::as_bytes(std::span(text));
        bytes_.insert(bytes_.end(), raw.begin(), raw.end());
    }
    void put(const std::vector<int>& list) {
        put(static_cast<std::uint64_t>(list.size()));
        for (const int value : list)
            put(value);
    }
    std::vector<std::byte> take() { return std::move(bytes_); }

  private:
    std::vector<std::byte> bytes_;
};

class Reader {
  public:
    explicit Reader(std::span<const std::byte> bytes) : rest_(bytes) {}

    template <class T>
    requires std::is_trivially_copyable_v<T>
    void get(T& value) {
        const auto raw = next(sizeof(T));
        std::memcpy(&value, raw.data(), sizeof(T));
    }
    void get(std::string& text) {
        const auto raw = next(length());
        text.assign(reinterpret_cast<const char*>(raw.data()), raw.size());
    }
    void get(std::vector<int>& list) {
        const std::uint64_t count = length();
        if (count > rest_.size() / sizeof(int)) malformed("it ends early");
        list.resize(count);
        for (int& value : list)
            get(value);
    }
    void end() const {
        if (!rest_.empty()) malformed("bytes are left over");
    }

  private:
    std::uint64_t length() {
        std::uint64_t count = 0;
        get(count);
        return count;
    }
    std::span<const std::byte> next(std::uint64_t count) {
        if (count > rest_.size()) malformed("it ends early");
        const auto taken = rest_.first(count);
        rest_ = rest_.subspan(count);
        return taken;
    }

    std::span<const std::byte> rest_;
};

template <class M, class Kind>
concept message_of = std::same_as<std::remove_cvref_t<M>, Kind>;

// Calls `visit` on every field of a message, in wire order: writing and reading share these lists.
void fields(auto&, message_of<Stop> auto&) {}
void fields(auto&, message_of<Alive> auto&) {}
void fields(auto& visit, message_of<Here> auto& message) {
    visit(message.host);
}
void fields(auto& visit, message_of<Ready> auto& message) {
    visit(message.attempt);
}
void fields(auto& visit, message_of<Abandon> auto& message) {
    visit(message.attempt);
}
void fields(auto& visit, message_of<Pause> auto& message) {
    visit(message.attempt);
}
void fields(auto& visit, message_of<Measured> auto& message) {
    visit(message.trial);
    visit(message.seconds_per_step);
}
void fields(auto& visit, message_of<Assign> auto& message) {
    visit(message.attempt);
    visit(message.trial);
    visit(message.ranks);
    visit(message.lease);
    visit(message.alone);
    visit(message.steps_before);
}
void fields(auto& visit, message_of<TrialProgress> auto& message) {
    visit(message.attempt);
    visit(message.trial);
    visit(message.steps_done);
    visit(message.steps);
    visit(message.tokens_per_second);
}
void fields(auto& visit, message_of<Finished> auto& message) {
    visit(message.attempt);
    visit(message.trial);
    visit(message.outcome);
    visit(message.cause);
    visit(message.stored);
    visit(message.store_fault);
    visit(message.steps_done);
    visit(message.steps);
    visit(message.seconds);
    visit(message.training_loss);
    visit(message.validation_loss);
}

template <std::size_t... kinds>
constexpr auto makers_of(std::index_sequence<kinds...>) {
    return std::array{+[] { return Message(std::in_place_index<kinds>); }...};
}

/// An empty message of the kind that has this place in Message.
Message empty_message(std::size_t kind) {
    constexpr auto makers = makers_of(std::make_index_sequence<std::variant_size_v<Message>>());
    if (kind >= makers.size()) malformed("its kind is unknown");
    return makers[kind]();
}

}  // namespace

std::vector<std::byte> encode(const Message& message) {
    Writer writer;
    writer.put(static_cast<std::uint8_t>(message.index()));
    auto put = [&](const auto& field) { writer.put(field); };
    std::visit([&](const auto& content) { fields(put, content); }, message);
    return writer.take();
}

Message decode(std::span<const std::byte> bytes) {
    Reader reader(bytes);
    std::uint8_t kind = 0;
    reader.get(kind);
    Message message = empty_message(kind);
    auto get = [&](auto& field) { reader.get(field); };
    std::visit([&](auto& content) { fields(get, content); }, message);
    reader.end();
    return message;
}

}  // namespace isogrid::cluster
