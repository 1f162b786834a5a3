#include "archive/table.hpp"

#include <algorithm>
#include <bit>
#include <cassert>
#include <cmath>
#include <cstring>
#include <limits>
#include <utility>

#include <nlohmann/json.hpp>

#include "archive/texts.hpp"
#include "base/digest.hpp"

namespace isogrid::archive {

namespace {

// Rows pass between memory and file as they are.
static_assert(sizeof(std::int64_t) == 8 && sizeof(double) == 8 && std::endian::native == std::endian::little);

constexpr std::size_t block_size = std::size_t{1} << 20;  ///< bytes of rows that pass at once

std::size_t rows_a_block(std::size_t row_size) {
    return std::max<std::size_t>(1, block_size / std::max<std::size_t>(1, row_size));
}

/// The dataset's rows `first` to `first + count - 1`.
Handle select_rows(const Handle& dataset, std::size_t first, std::size_t count) {
    Handle space(H5Dget_space(dataset), &H5Sclose, "read the extent of a table");
    const hsize_t start = first, size = count;
    ensure(H5Sselect_hyperslab(space, H5S_SELECT_SET, &start, nullptr, &size, nullptr), "select rows");
    return space;
}

bool is_text(const Field& field) {
    return std::holds_alternative<std::string*>(field.value);
}

bool is_number(const Field& field) {
    return std::holds_alternative<double*>(field.value);
}

/// Bytes that this value needs in a row; a text ends with a zero.
std::size_t size_of(const Field& field) {
    return is_text(field) ? std::get<std::string*>(field.value)->size() + 1 : 8;
}

/// The type of one column.
Handle column_type(const Field& field, std::size_t size) {
    if (is_text(field)) return make_text_type(size);
    return {H5Tcopy(is_number(field) ? H5T_IEEE_F64LE : H5T_STD_I64LE), &H5Tclose, "describe a column"};
}

/// The compound type of rows whose columns stand one behind the other, `sizes` bytes each.
Handle row_type(const Row& columns, const std::vector<std::size_t>& sizes) {
    std::size_t row_size = 0;
    for (const std::size_t size : sizes)
        row_size += size;
    Handle type(H5Tcreate(H5T_COMPOUND, row_size), &H5Tclose, "describe a row");
    std::size_t offset = 0;
    for (std::size_t i = 0; i < columns.size(); ++i) {
        const std::string name(columns[i].name);
        ensure(H5Tinsert(type, name.c_str(), offset, column_type(columns[i], sizes[i])),
               "describe the column " + name);
        offset += sizes[i];
    }
    return type;
}

void pack(const Field& field, std::byte* place) {
    if (is_text(field)) {
        const std::string& text = *std::get<std::string*>(field.value);
        std::memcpy(place, text.data(), text.size());
    } else if (is_number(field)) {
        const double value = *std::get<double*>(field.value);
        const double stored = std::isnan(value) ? std::numeric_limits<double>::quiet_NaN() : value;
        std::memcpy(place, &stored, sizeof stored);
    } else {
        std::memcpy(place, std::get<std::int64_t*>(field.value), sizeof(std::int64_t));
    }
}

void unpack(const Field& field, const std::byte* place, std::size_t size) {
    if (is_text(field)) {
        const auto* text = reinterpret_cast<const char*>(place);
        std::get<std::string*>(field.value)->assign(text, strnlen(text, size));
    } else if (is_number(field)) {
        std::memcpy(std::get<double*>(field.value), place, sizeof(double));
    } else {
        std::memcpy(std::get<std::int64_t*>(field.value), place, sizeof(std::int64_t));
    }
}

/// Offset and size of the stored column that `field` names; throws where there is none of its kind.
std::pair<std::size_t, std::size_t> stored_place(const Handle& type, const std::string& table,
                                                 const Field& field) {
    const std::string name(field.name);
    const int found = H5Tget_member_index(type, name.c_str());
    if (found < 0) throw Hdf5Error("cannot use the table " + table + " (it has no column " + name + ")");
    const auto member = static_cast<unsigned>(found);
    const Handle column(H5Tget_member_type(type, member), &H5Tclose, "read a column");
    const bool its_kind = is_text(field)
                              ? H5Tget_class(column) == H5T_STRING && H5Tis_variable_str(column) == 0
                              : H5Tequal(column, is_number(field) ? H5T_IEEE_F64LE : H5T_STD_I64LE) > 0;
    const std::size_t offset = H5Tget_member_offset(type, member), size = H5Tget_size(column);
    if (!its_kind || size > H5Tget_size(type) || offset > H5Tget_size(type) - size)
        throw Hdf5Error("cannot use the table " + table + " (its column " + name + " is of another kind)");
    return {offset, size};
}

}  // namespace

bool same_value(const Field& left, const Field& right) {
    assert(left.value.index() == right.value.index());
    if (is_text(left)) return *std::get<std::string*>(left.value) == *std::get<std::string*>(right.value);
    if (is_number(left)) {
        const double a = *std::get<double*>(left.value), b = *std::get<double*>(right.value);
        return a == b || (std::isnan(a) && std::isnan(b));
    }
    return *std::get<std::int64_t*>(left.value) == *std::get<std::int64_t*>(right.value);
}

std::string text_of(const Field& field) {
    if (is_text(field)) return *std::get<std::string*>(field.value);
    if (is_number(field)) {
        const double value = *std::get<double*>(field.value);
        return std::isfinite(value) ? nlohmann::json(value).dump() : std::to_string(value);
    }
    return std::to_string(*std::get<std::int64_t*>(field.value));
}

void write_table(hid_t parent, const std::string& name, const Row& columns, std::size_t rows,
                 const std::function<void(std::size_t row)>& load) {
    std::vector<std::size_t> sizes;
    for (const Field& column : columns)
        sizes.push_back(is_text(column) ? 1 : 8);
    for (std::size_t row = 0; row < rows; ++row) {
        load(row);
        for (std::size_t i = 0; i < columns.size(); ++i)
            sizes[i] = std::max(sizes[i], size_of(columns[i]));
    }

    const Handle type = row_type(columns, sizes);
    const Handle dataset(H5Dcreate2(parent, name.c_str(), type, make_space(rows), H5P_DEFAULT,
                                    dataset_properties(), H5P_DEFAULT),
                         &H5Dclose, "create the table " + name);
    const std::size_t row_size = H5Tget_size(type), at_once = rows_a_block(row_size);
    base::Sha256 seal;
    std::vector<std::byte> block;
    for (std::size_t first = 0; first < rows; first += at_once) {
        const std::size_t count = std::min(at_once, rows - first);
        block.assign(count * row_size, std::byte{});
        std::byte* place = block.data();
        for (std::size_t row = first; row < first + count; ++row) {
            load(row);
            for (std::size_t i = 0; i < columns.size(); place += sizes[i], ++i)
                pack(columns[i], place);
        }
        ensure(H5Dwrite(dataset, type, make_space(count), select_rows(dataset, first, count), H5P_DEFAULT,
                        block.data()),
               "write the table " + name);
        seal.update(block);
    }
    write_seal(dataset, seal.finish());
}

StoredTable::StoredTable(hid_t parent, const std::string& name, Row columns, bool check)
    : name_(name),
      columns_(std::move(columns)),
      dataset_(open_dataset(parent, name)),
      type_(H5Dget_type(dataset_), &H5Tclose, "read the columns of " + name) {
    if (H5Tget_class(type_) != H5T_COMPOUND || H5Tdetect_class(type_, H5T_VLEN) != 0 ||
        H5Tdetect_class(type_, H5T_REFERENCE) != 0)
        throw Hdf5Error("cannot use the dataset " + name + " (it should be a compound table)");
    ensure_contiguous(dataset_, name);
    std::erase_if(columns_, [&](const Field& field) {
        return field.optional && H5Tget_member_index(type_, std::string(field.name).c_str()) < 0;
    });
    for (const Field& field : columns_) {
        const auto [offset, size] = stored_place(type_, name, field);
        places_.push_back({offset, size});
    }
    rows_ = extent_of(dataset_);
    row_size_ = H5Tget_size(type_);
    rows_a_block_ = rows_a_block(row_size_);

    sealed_ = H5Aexists(dataset_, "sha256") > 0;
    if (!sealed_ || !check) return;
    base::Sha256 seal;
    for (std::size_t first = 0; first < rows_; first += rows_a_block_) {
        read_block(first);
        seal.update(block_);
    }
    check_seal(dataset_, name, seal.finish());
}

void StoredTable::read_block(std::size_t first) const {
    block_rows_ = 0;
    const std::size_t count = std::min(rows_a_block_, rows_ - first);
    block_.resize(count * row_size_);
    ensure(H5Dread(dataset_, type_, make_space(count), select_rows(dataset_, first, count), H5P_DEFAULT,
                   block_.data()),
           "read the table " + name_);
    block_first_ = first;
    block_rows_ = count;
}

void StoredTable::load(std::size_t row) const {
    assert(row < rows_);
    if (row < block_first_ || row >= block_first_ + block_rows_) read_block(row - row % rows_a_block_);
    const std::byte* place = block_.data() + (row - block_first_) * row_size_;
    for (std::size_t i = 0; i < columns_.size(); ++i)
        unpack(columns_[i], place + places_[i].offset, places_[i].size);
}

}  // namespace isogrid::archive
