#include "archive/table.hpp"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <cstring>
#include <limits>

#include <nlohmann/json.hpp>

#include "archive/texts.hpp"
#include "study/digest.hpp"

namespace isogrid::archive {

namespace {

static_assert(sizeof(std::int64_t) == 8 && sizeof(double) == 8);

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

/// The type of one column, in the file or in this machine's memory.
Handle column_type(const Field& field, std::size_t size, bool in_file) {
    if (is_text(field)) return make_text_type(size);
    const hid_t type = is_number(field) ? (in_file ? H5T_IEEE_F64LE : H5T_NATIVE_DOUBLE)
                                        : (in_file ? H5T_STD_I64LE : H5T_NATIVE_INT64);
    return {H5Tcopy(type), &H5Tclose, "describe a column"};
}

/// The compound type of rows whose columns stand one behind the other, `sizes` bytes each.
Handle row_type(const Row& columns, const std::vector<std::size_t>& sizes, bool in_file) {
    std::size_t row_size = 0;
    for (const std::size_t size : sizes)
        row_size += size;
    Handle type(H5Tcreate(H5T_COMPOUND, row_size), &H5Tclose, "describe a row");
    std::size_t offset = 0;
    for (std::size_t i = 0; i < columns.size(); ++i) {
        const std::string name(columns[i].name);
        ensure(H5Tinsert(type, name.c_str(), offset, column_type(columns[i], sizes[i], in_file)),
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

H5T_class_t class_of(const Field& field) {
    if (is_text(field)) return H5T_STRING;
    return is_number(field) ? H5T_FLOAT : H5T_INTEGER;
}

/// Bytes of the stored column that `field` names; throws where there is none of its kind.
std::size_t stored_size(const Handle& type, const std::string& table, const Field& field) {
    const std::string name(field.name);
    const int member = H5Tget_member_index(type, name.c_str());
    if (member < 0 || H5Tget_member_class(type, static_cast<unsigned>(member)) != class_of(field))
        throw Hdf5Error("cannot use the table " + table + " (it has no column " + name + " of its kind)");
    if (!is_text(field)) return 8;
    const Handle column(H5Tget_member_type(type, static_cast<unsigned>(member)), &H5Tclose, "read a column");
    if (H5Tis_variable_str(column) != 0)
        throw Hdf5Error("cannot use the table " + table + " (texts of fixed width expected in " + name + ")");
    return H5Tget_size(column);
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

void write_table(hid_t parent, const std::string& name, const Row& columns, std::size_t rows, bool sealed,
                 const std::function<void(std::size_t row)>& load) {
    std::vector<std::size_t> sizes;
    for (const Field& column : columns)
        sizes.push_back(is_text(column) ? 1 : 8);
    for (std::size_t row = 0; row < rows; ++row) {
        load(row);
        for (std::size_t i = 0; i < columns.size(); ++i)
            sizes[i] = std::max(sizes[i], size_of(columns[i]));
    }

    const Handle in_memory = row_type(columns, sizes, /*in_file=*/false);
    std::vector<std::byte> bytes(rows * H5Tget_size(in_memory));
    std::byte* place = bytes.data();
    for (std::size_t row = 0; row < rows; ++row) {
        load(row);
        for (std::size_t i = 0; i < columns.size(); place += sizes[i], ++i)
            pack(columns[i], place);
    }

    const Handle dataset(H5Dcreate2(parent, name.c_str(), row_type(columns, sizes, /*in_file=*/true),
                                    make_space(rows), H5P_DEFAULT, dataset_properties(), H5P_DEFAULT),
                         &H5Dclose, "create the table " + name);
    if (rows > 0)
        ensure(H5Dwrite(dataset, in_memory, H5S_ALL, H5S_ALL, H5P_DEFAULT, bytes.data()),
               "write the table " + name);
    if (sealed) write_seal(dataset, study::sha256(bytes));
}

StoredTable::StoredTable(hid_t parent, const std::string& name, Row columns) : columns_(std::move(columns)) {
    const Handle dataset = open_dataset(parent, name);
    const Handle in_file(H5Dget_type(dataset), &H5Tclose, "read the columns of " + name);
    if (H5Tget_class(in_file) != H5T_COMPOUND)
        throw Hdf5Error("cannot use the dataset " + name + " (it should be a compound table)");
    std::erase_if(columns_, [&](const Field& field) {
        return field.optional && H5Tget_member_index(in_file, std::string(field.name).c_str()) < 0;
    });
    for (const Field& field : columns_)
        sizes_.push_back(stored_size(in_file, name, field));

    const Handle in_memory = row_type(columns_, sizes_, /*in_file=*/false);
    rows_ = extent_of(dataset);
    row_size_ = H5Tget_size(in_memory);
    bytes_.resize(rows_ * row_size_);
    if (rows_ > 0)
        ensure(H5Dread(dataset, in_memory, H5S_ALL, H5S_ALL, H5P_DEFAULT, bytes_.data()),
               "read the table " + name);
    if (H5Aexists(dataset, "sha256") > 0) check_seal(dataset, name, study::sha256(bytes_));
}

void StoredTable::load(std::size_t row) const {
    assert(row < rows_);
    const std::byte* place = bytes_.data() + row * row_size_;
    for (std::size_t i = 0; i < columns_.size(); place += sizes_[i], ++i)
        unpack(columns_[i], place, sizes_[i]);
}

}  // namespace isogrid::archive
