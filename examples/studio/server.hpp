#pragma once

#include <httplib.h>

#include <algorithm>
#include <cstddef>
#include <exception>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "connections.hpp"
#include "guard.hpp"
#include "wire.hpp"

namespace studio {

/// Answers with an error that the page shows.
inline void refuse(httplib::Response& response, int status, const std::string& why) {
  response.status = status;
  response.set_content(
      nlohmann::json{{"error", why}}.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace),
      "application/json");
}

/// The library's server without its loop: connections come from elsewhere, an answer ends each, and
/// nothing that the library would do with bodies of other kinds than ours reaches it.
class Server : public httplib::Server {
 public:
  static constexpr std::size_t kMostJson = std::size_t{16} << 10;
  static constexpr std::size_t kMostUpload = std::size_t{32} << 20;
  static constexpr const char* kUploads = "/pictures";  ///< the one path that takes them
  static constexpr const char* kUpload = "application/octet-stream";
  static constexpr const char* kJson = "application/json";

  Server(Door door, const std::string& policy) : door_(std::move(door)) {
    svr_sock_ = 0;  // else it believes that it is to end
    set_default_headers({{"Content-Security-Policy", policy},
                         {"X-Content-Type-Options", "nosniff"},
                         {"X-Frame-Options", "DENY"},
                         {"Referrer-Policy", "no-referrer"},
                         {"Cross-Origin-Resource-Policy", "same-origin"},
                         {"Cross-Origin-Opener-Policy", "same-origin"},
                         {"Cache-Control", "no-store"}});
    set_payload_max_length(kMostUpload);
    set_pre_routing_handler([this](const auto& request, auto& response) {
      return let_in(request, response) ? HandlerResponse::Unhandled : HandlerResponse::Handled;
    });
    set_exception_handler([](const auto&, auto& response, std::exception_ptr error) {
      try {
        std::rethrow_exception(error);
      } catch (const std::exception& known) {
        refuse(response, 500, known.what());
      } catch (...) {
        refuse(response, 500, "something went wrong");
      }
    });
    set_error_handler(Handler([](const auto&, auto& response) {
      if (response.body.empty()) refuse(response, response.status, "there is nothing here");
    }));
  }

  /// Answers the request of a connection. Throws nothing.
  void answer(Connection& connection) {
    try {
      Wire wire(connection);
      bool closed = false;
      const auto head_is_there = [&](httplib::Request& request) {
        const bool has_body = request.has_header("Content-Length");
        wire.expect_body(has_body ? std::min(length_of(request), kMostUpload) : 0);
        // Ranges would be answered with as many copies as a request asks for.
        request.ranges.clear();
        request.headers.erase("Range");
        request.headers.erase("Expect");
      };
      const auto process = [&](auto& self) {
        // Versions from 0.18 on want to know who that is.
        if constexpr (requires {
                        self.process_request(wire, "", 0, "", 0, true, closed, head_is_there);
                      }) {
          self.process_request(wire, "", 0, "", 0, true, closed, head_is_there);
        } else {
          self.process_request(wire, true, closed, head_is_there);
        }
      };
      process(*this);
      wire.close_in_order();
    } catch (...) {
      // Whoever asked has got no answer.
    }
  }

 private:
  /// The length of a body as its header says; more than any where that is no number.
  static std::size_t length_of(const httplib::Request& request) {
    const std::string text = request.get_header_value("Content-Length");
    constexpr std::size_t kMostDigits = 12;
    if (text.empty() || text.size() > kMostDigits ||
        text.find_first_not_of("0123456789") != std::string::npos) {
      return std::string::npos;
    }
    return static_cast<std::size_t>(std::stoull(text));
  }

  static Visitor visitor_of(const httplib::Request& request) {
    const auto all = [&](const char* name) {
      std::vector<std::string> values;
      const auto [begin, end] = request.headers.equal_range(name);
      for (auto header = begin; header != end; ++header) values.push_back(header->second);
      return values;
    };
    Visitor visitor{request.method,
                    request.path,
                    all("Host"),
                    all("Origin"),
                    request.get_header_value("Sec-Fetch-Site"),
                    request.get_param_value("token")};
    // "a=b; studio=token; c=d"
    const std::string cookies = "; " + request.get_header_value("Cookie");
    const std::string name = "; studio=";
    if (const std::size_t at = cookies.find(name);
        visitor.token.empty() && at != std::string::npos) {
      const std::size_t begin = at + name.size();
      visitor.token = cookies.substr(begin, cookies.find(';', begin) - begin);
    }
    return visitor;
  }

  bool let_in(const httplib::Request& request, httplib::Response& response) const {
    constexpr std::size_t kLongestPath = 64;
    if (const std::string why = refusal(door_, visitor_of(request)); !why.empty()) {
      refuse(response, 403, why);
      return false;
    }
    const std::string& method = request.method;
    if (request.path.size() > kLongestPath) {
      refuse(response, 404, "there is nothing here");
    } else if (method != "GET" && method != "HEAD" && method != "POST" && method != "DELETE") {
      refuse(response, 405, "this method is not known here");
    } else if (request.has_header("Transfer-Encoding") || request.has_header("Content-Encoding") ||
               request.get_header_value_count("Content-Length") > 1) {
      refuse(response, 411, "a body comes as it is, with its length before it");
    } else if (method != "POST" && request.has_header("Content-Length") &&
               length_of(request) != 0) {
      refuse(response, 400, "this request takes no body");
    } else if (method == "POST") {
      const std::string type = request.get_header_value("Content-Type");
      const std::size_t length = length_of(request);
      if (type != (request.path == kUploads ? kUpload : kJson)) {
        refuse(response, 415, "a body is a picture's bytes, or else JSON");
      } else if (!request.has_header("Content-Length")) {
        refuse(response, 411, "a body comes with its length before it");
      } else if (length > (type == kUpload ? kMostUpload : kMostJson)) {
        refuse(response, 413, "a picture may have 32 MiB");
      } else {
        return true;
      }
    } else {
      return true;
    }
    return false;
  }

  Door door_;
};

}  // namespace studio
