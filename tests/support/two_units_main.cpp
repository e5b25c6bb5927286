// Half of a program whose two translation units both include every header: nothing may be defined
// twice.
#include "sfumato_everything.hpp"

int other_unit();

int main() {
  return other_unit();
}
