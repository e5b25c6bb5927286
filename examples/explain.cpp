// Reverse mode as a page to click through: evaluates a formula and writes one HTML file, which
// shows the graph, steps forward and back through it, and has the source of each gradient.
//   explain a=0.5 b=3 'z=(a*b+tanh(a))^2' > explain.html
//   explain 'w=[1,2,3]' 'x=[4,5,6]' 'sum(w*x)'
// Each argument is a formula, with a name or without. Numbers and [lists] with a name are leaves,
// and the last formula is the result; of a list the sum of its elements is differentiated.

#include <algorithm>
#include <cctype>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "sfumato/sfumato.hpp"

using namespace sfumato;
namespace fs = std::filesystem;

namespace {

using Value = Variable<double>;

/// Reads formulas, and keeps every Variable that they make: a graph has no values of its own.
class Calculator {
 public:
  struct Entry {
    Value value;
    std::string op;
    std::vector<std::size_t> inputs;
    std::string name = {};
  };

  void read(const std::string& argument) {
    const std::size_t equals = argument.find('=');
    const std::string name = equals == std::string::npos ? "" : argument.substr(0, equals);
    text_ = argument.substr(name.empty() ? 0 : equals + 1);
    at_ = 0;
    const std::size_t result = sum();
    if (next() != '\0') complain("what is not expected");
    if (name.empty()) return;
    entries[result].name = name;
    names_[name] = result;
    if (!entries[result].inputs.empty()) return;
    entries[result].value = Value(entries[result].value.value(), true);
  }

  std::vector<Entry> entries;

 private:
  std::size_t sum() {
    std::size_t left = product();
    while (next() == '+' || next() == '-') {
      const bool adds = text_[at_++] == '+';
      const std::size_t right = product();
      left = adds ? make("add", {left, right}, value(left) + value(right))
                  : make("sub", {left, right}, value(left) - value(right));
    }
    return left;
  }
  std::size_t product() {
    std::size_t left = factor();
    while (next() == '*' || next() == '/') {
      const bool multiplies = text_[at_++] == '*';
      const std::size_t right = factor();
      left = multiplies ? make("mul", {left, right}, value(left) * value(right))
                        : make("div", {left, right}, value(left) / value(right));
    }
    return left;
  }
  std::size_t factor() {
    if (next() == '-') {
      ++at_;
      const std::size_t of = factor();
      return make("affine", {of}, -value(of));
    }
    const std::size_t base = term();
    if (next() != '^') return base;
    ++at_;
    const double exponent = number();
    return exponent == 2 ? make("square", {base}, ops::square(value(base)))
                         : make("pow", {base}, ops::pow(value(base), exponent));
  }
  std::size_t term() {
    if (next() == '(') {
      ++at_;
      const std::size_t inside = sum();
      expect(')');
      return inside;
    }
    if (next() == '[') {
      std::vector<double> numbers;
      do {
        ++at_;
        numbers.push_back(number());
      } while (next() == ',');
      expect(']');
      const auto length = static_cast<std::int64_t>(numbers.size());
      return make("leaf", {}, Value(Tensor<double>::from(numbers, {length})));
    }
    if (std::isalpha(static_cast<unsigned char>(next())) == 0) {
      return make("leaf", {}, Value(Tensor<double>::scalar(number())));
    }
    std::string word;
    while (std::isalnum(static_cast<unsigned char>(next())) != 0) word += text_[at_++];
    if (next() != '(') {
      if (!names_.contains(word)) complain("the unknown name " + word);
      return names_[word];
    }
    const std::map<std::string, std::function<Value(const Value&)>> functions{
        {"tanh", [](const Value& x) { return ops::tanh(x); }},
        {"exp", [](const Value& x) { return ops::exp(x); }},
        {"log", [](const Value& x) { return ops::log(x); }},
        {"sin", [](const Value& x) { return ops::sin(x); }},
        {"cos", [](const Value& x) { return ops::cos(x); }},
        {"sqrt", [](const Value& x) { return ops::sqrt(x); }},
        {"relu", [](const Value& x) { return ops::relu(x); }},
        {"sigmoid", [](const Value& x) { return ops::sigmoid(x); }},
        {"softmax", [](const Value& x) { return ops::softmax(x); }},
        {"sum", [](const Value& x) { return ops::sum(x); }}};
    if (!functions.contains(word)) complain("the unknown function " + word);
    ++at_;
    const std::size_t of = sum();
    expect(')');
    return make(word, {of}, functions.at(word)(value(of)));
  }
  double number() {
    next();
    char* end = nullptr;
    const double result = std::strtod(text_.c_str() + at_, &end);
    if (end == text_.c_str() + at_) complain("no number");
    at_ = static_cast<std::size_t>(end - text_.c_str());
    return result;
  }

  Value value(std::size_t i) const { return entries[i].value; }
  std::size_t make(std::string op, std::vector<std::size_t> inputs, Value result) {
    entries.push_back({std::move(result), std::move(op), std::move(inputs)});
    return entries.size() - 1;
  }
  char next() {
    while (at_ < text_.size() && text_[at_] == ' ') ++at_;
    return at_ < text_.size() ? text_[at_] : '\0';
  }
  void expect(char character) {
    if (next() != character) complain(std::string("no ") + character);
    ++at_;
  }
  [[noreturn]] void complain(const std::string& what) const {
    throw ValueError(message("'", text_, "' has ", what, " at ", at_));
  }

  std::string text_;
  std::size_t at_ = 0;
  std::map<std::string, std::size_t> names_;
};

std::string read_file(const fs::path& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// A number, or [some].
std::string shown(const Value& value) {
  const std::string numbers = detail::brief(value.value());
  return value.rank() == 0 ? numbers : "[" + numbers + "]";
}

/// Where the library records an operation of this name, from record( to the end of that function.
nlohmann::json source_of(const std::string& op, const fs::path& include) {
  for (const auto& entry : fs::directory_iterator(include / "sfumato/ops")) {
    const std::string code = read_file(entry.path());
    for (std::size_t at = code.find("record("); at != std::string::npos;
         at = code.find("record(", at + 1)) {
      const std::size_t name = std::min(code.find('"', at), code.size());
      if (code.compare(name, op.size() + 2, '"' + op + '"') != 0) continue;
      const std::size_t begin = code.rfind('\n', code.rfind("template <", at) - 2) + 1;
      const auto line = std::count(code.begin(), code.begin() + static_cast<long>(begin), '\n') + 1;
      const std::string file = fs::relative(entry.path(), include.parent_path()).string();
      return {{"file", message(file, ", line ", line)},
              {"source", code.substr(begin, code.find("\n}", at) + 2 - begin)}};
    }
  }
  return {{"file", ""}, {"source", ""}};
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc < 2) {
    std::fputs("usage: explain FORMULA... > page.html\n", stderr);
    return 2;
  }
  Calculator calculator;
  std::string formula;
  for (int i = 1; i < argc; ++i) {
    calculator.read(argv[i]);
    formula += (i > 1 ? ", " : "") + std::string(argv[i]);
  }

  const auto& entries = calculator.entries;
  const auto gradients = detail::gradients_of_all(entries.back().value);
  const fs::path root = SFUMATO_SOURCE_DIR;
  nlohmann::json nodes;
  for (std::size_t i = 0; i < entries.size(); ++i) {
    const auto& [value, op, inputs, name] = entries[i];
    nlohmann::json node{{"id", i},
                        {"op", op},
                        {"name", name},
                        {"inputs", inputs},
                        {"shape", value.shape().to_string()},
                        {"value", shown(value)},
                        {"recorded", value.requires_grad()},
                        {"owes", nlohmann::json::array()}};
    if (name.empty() && inputs.empty()) node["name"] = shown(value);
    if (!inputs.empty()) node.update(source_of(op, root / "include"));
    const auto found =
        value.requires_grad() ? gradients.find(value.node()->number()) : gradients.end();
    if (found != gradients.end()) {
      const auto show = [](const AnyVariable& any) { return shown(*any.get<double, Cpu>()); };
      node["gradient"] = show(found->second);
      // What it hands on to each of its inputs.
      std::vector<bool> needs;
      for (const auto input : inputs) needs.push_back(entries[input].value.requires_grad());
      const NoGrad off;
      const auto owed = inputs.empty()
                            ? std::vector<AnyVariable>()
                            : detail::input_gradients(value.node(), found->second, needs);
      for (std::size_t k = 0; k < owed.size(); ++k) {
        node["owes"].push_back(needs[k] ? show(owed[k]) : "");
      }
    }
    nodes.push_back(node);
  }

  std::string page = read_file(root / "examples/explain/page.html");
  const std::string mark = "/*GRAPH*/";
  if (page.find(mark) == std::string::npos) throw IoError("no examples/explain/page.html");
  std::string data = nlohmann::json{{"formula", formula}, {"nodes", nodes}}.dump();
  for (std::size_t at = 0; (at = data.find('<', at)) != std::string::npos;) {
    data.replace(at, 1, "\\u003c");  // or a text could end the script
  }
  std::fputs(page.replace(page.find(mark), mark.size(), data).c_str(), stdout);
  return 0;
} catch (const std::exception& error) {
  std::fprintf(stderr, "explain: %s\n", error.what());
  return 1;
}
