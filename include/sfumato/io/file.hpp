#pragma once

#include "sfumato/io/file_reader.hpp"
#include "sfumato/io/file_writer.hpp"
