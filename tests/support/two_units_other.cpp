// The other half of the program of two_units_main.cpp.
#include "sfumato_everything.hpp"

int other_unit();

int other_unit() {
  return 0;
}
