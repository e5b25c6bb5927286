// Optical flow, the only thing that needs OpenCV; left out of a build without.

#include "flow.hpp"

#include <cstdint>
#include <opencv2/imgproc.hpp>
#include <opencv2/video/tracking.hpp>
#include <vector>

#include "sfumato/cpu/cpu.hpp"

namespace neural_style {

namespace {

cv::Mat gray(const sfumato::Tensor<std::uint8_t>& pixels) {
  std::vector<std::uint8_t> values = pixels.to_vector();
  const cv::Mat colors(static_cast<int>(pixels.shape()[0]), static_cast<int>(pixels.shape()[1]),
                       CV_8UC3, values.data());
  cv::Mat gray;
  cv::cvtColor(colors, gray, cv::COLOR_RGB2GRAY);
  return gray;
}

sfumato::Tensor<float> flow_between(const cv::Mat& from, const cv::Mat& to) {
  cv::Mat flow;
  cv::DISOpticalFlow::create(cv::DISOpticalFlow::PRESET_MEDIUM)->calc(from, to, flow);
  std::vector<float> planes;
  for (const int axis : {0, 1}) {
    for (int y = 0; y < flow.rows; ++y) {
      for (int x = 0; x < flow.cols; ++x) planes.push_back(flow.at<cv::Vec2f>(y, x)[axis]);
    }
  }
  return sfumato::Tensor<float>::from(planes, {2, flow.rows, flow.cols});
}

}  // namespace

Flows optical_flow(const sfumato::Tensor<std::uint8_t>& last,
                   const sfumato::Tensor<std::uint8_t>& now) {
  const cv::Mat before = gray(last);
  const cv::Mat after = gray(now);
  return {flow_between(after, before), flow_between(before, after)};
}

}  // namespace neural_style
