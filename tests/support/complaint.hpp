#pragma once

#include <string>

#include "sfumato/core/error.hpp"

/// What a call complains of: the message of the sfumato::Error that it throws, or "nothing".
template <class Call>
std::string complaint(const Call& call) {
  try {
    call();
  } catch (const sfumato::Error& error) {
    return error.what();
  }
  return "nothing";
}
