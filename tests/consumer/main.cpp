// What a consumer's first program may look like. It also uses the libraries that sfumato::io
// brings.
#include <zip.h>
#include <nlohmann/json.hpp>
#include <sfumato/io/image.hpp>
#include <sfumato/sfumato.hpp>

int main() {
  sfumato::Variable<double> x(sfumato::Tensor<double>::from({1, 2, 3}, {3}), true);
  sfumato::backward(sfumato::ops::sum(x * x));
  const bool right = x.grad().value().data()[2] == 6.0;

  bool refused = false;
  try {
    sfumato::io::read_image("no such picture.png");
  } catch (const sfumato::IoError&) {
    refused = true;
  }
  const nlohmann::json version = zip_libzip_version();
  return right && refused && version.is_string() ? 0 : 1;
}
