// Makes the emulated GPU's findings those of the test case at hand, in a program of doctest's. What
// the Cuda device holds at the end must go when it is shut down.
#include <doctest/doctest.h>

#include <exception>

#include "emulator.hpp"
#include "report.hpp"
#include "sfumato/cuda.hpp"

namespace {

struct EmulatorListener : doctest::IReporter {
  explicit EmulatorListener(const doctest::ContextOptions& /*options*/) {}
  void report_query(const doctest::QueryData& /*data*/) override {}
  void test_run_start() override {}
  void test_run_end(const doctest::TestRunStats& /*stats*/) override {
    emulator::set_context("");
    try {
      sfumato::cuda::shutdown();
    } catch (const std::exception& error) {
      emulator::violation(error.what());
    }
  }
  void test_case_start(const doctest::TestCaseData& data) override {
    emulator::set_context(data.m_name);
  }
  void test_case_reenter(const doctest::TestCaseData& /*data*/) override {
    emulator::end_of_test();
  }
  void test_case_end(const doctest::CurrentTestCaseStats& /*stats*/) override {
    emulator::end_of_test();
  }
  void test_case_exception(const doctest::TestCaseException& /*exception*/) override {}
  void subcase_start(const doctest::SubcaseSignature& /*signature*/) override {}
  void subcase_end() override {}
  void log_assert(const doctest::AssertData& /*data*/) override {}
  void log_message(const doctest::MessageData& /*data*/) override {}
  void test_case_skipped(const doctest::TestCaseData& /*data*/) override {}
};

}  // namespace

REGISTER_LISTENER("cuda_emulator", 1, EmulatorListener);
