#pragma once

#include <httplib.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "job.hpp"
#include "neural_style/arguments.hpp"
#include "neural_style/watch.hpp"
#include "painter.hpp"
#include "pictures.hpp"
#include "queue.hpp"
#include "server.hpp"
#include "sfumato/core/error.hpp"
#include "sfumato/core/printable.hpp"
#include "sfumato/io/file.hpp"

namespace studio {

namespace detail {

inline void send_json(httplib::Response& response, const nlohmann::json& json) {
  response.set_content(to_text(json), "application/json");
}

/// Sends a file piece by piece, however large it is.
inline void send_file(httplib::Response& response, const std::filesystem::path& path,
                      const char* type) {
  try {
    const auto file = std::make_shared<sfumato::io::FileReader>(path);
    response.set_content_provider(
        static_cast<std::size_t>(file->size()), type,
        [file](std::size_t offset, std::size_t length, httplib::DataSink& sink) {
          constexpr std::size_t kPiece = std::size_t{1} << 16;
          std::vector<char> piece(std::min(length, kPiece));
          try {
            file->read_at(offset, piece.data(), piece.size());
          } catch (const sfumato::IoError&) {
            return false;  // it has become shorter meanwhile
          }
          return sink.write(piece.data(), piece.size());
        });
  } catch (const sfumato::IoError&) {
    refuse(response, 404, "it is not there any more");
  }
}

/// What a page asks for. Throws ValueError for what is none.
inline Job job_of(const std::string& body, const Pictures& pictures) {
  constexpr std::size_t kLongest = 200;
  const nlohmann::json json = nlohmann::json::parse(body, nullptr, false);
  const auto text = [&](const char* name) {
    const auto* const value = json.is_object() && json.contains(name)
                                  ? json[name].get_ptr<const std::string*>()
                                  : nullptr;
    if (value == nullptr || value->size() > kLongest) {
      throw sfumato::ValueError(sfumato::message("the job has no right ", name));
    }
    return *value;
  };
  Job job;
  job.name = sfumato::printable(text("name"));
  job.content = text("content");
  job.style = text("style");
  job.settings = json.value("settings", nlohmann::json::object());
  job.time = neural_style::detail::readable_now();
  if (!pictures.has(job.content) || !pictures.has(job.style)) {
    throw sfumato::ValueError("one of the two pictures is not here any more; drop it again");
  }
  if (!job.settings.is_object()) throw sfumato::ValueError("the job has no right settings");
  for (const auto& [name, value] : job.settings.items()) {
    const auto* const word = value.get_ptr<const std::string*>();
    if (!value.is_primitive() || (word != nullptr && word->size() > kLongest)) {
      throw sfumato::ValueError("the job has no right " + sfumato::excerpt(name));
    }
  }
  return job;
}

}  // namespace detail

/// Sends what is new of the jobs for as long as somebody listens (server-sent events: WHATWG, HTML,
/// section 9.2). Who listens slowly misses what was in between.
inline void send_events(httplib::Response& response, const Queue& queue,
                        std::atomic<int>& listeners) {
  constexpr int kMostListeners = 12;
  if (++listeners > kMostListeners) {
    --listeners;
    refuse(response, 503, "too many pages are open on this studio");
    return;
  }
  using Clock = std::chrono::steady_clock;
  const auto provide = [&queue, known = News{}, last = Clock::now()](
                           std::size_t, httplib::DataSink& sink) mutable {
    constexpr auto kPatience = std::chrono::seconds(1);
    constexpr auto kSilence = std::chrono::seconds(10);
    constexpr auto kOften = std::chrono::milliseconds(100);
    const News now = queue.wait_for_news(known, kPatience);
    std::string text;
    if (queue.ends() != 0) {
      sink.done();
      return true;
    }
    if (now.progress != known.progress) {
      text += "event: progress\ndata: " + to_text(queue.progress()) + "\n\n";
    }
    if (now.jobs != known.jobs) text += "event: jobs\ndata: " + to_text(queue.list()) + "\n\n";
    if (text.empty() && Clock::now() - last > kSilence) text = ":\n\n";
    known = now;
    if (text.empty()) return true;
    last = Clock::now();
    const bool sent = sink.write(text.data(), text.size());
    std::this_thread::sleep_for(kOften);
    return sent;
  };
  response.set_chunked_content_provider("text/event-stream", provide,
                                        [&listeners](bool) { --listeners; });
}

/// Says what is answered to what. `all` is of every job.
inline void add_routes(Server& server, const std::string& page, const neural_style::Arguments& all,
                       Pictures& pictures, Queue& queue, std::atomic<int>& listeners) {
  using httplib::Request;
  using httplib::Response;
  server.Get("/", [&page](const Request& request, Response& response) {
    if (request.has_param("token")) {  // let_in() has looked at it
      response.set_header("Set-Cookie", "studio=" + request.get_param_value("token") +
                                            "; HttpOnly; SameSite=Strict; Path=/");
      response.set_redirect("/");
      return;
    }
    response.set_content(page, "text/html; charset=utf-8");
  });
  server.Get("/events",
             [&](const Request&, Response& response) { send_events(response, queue, listeners); });
  server.Get("/preview", [&](const Request&, Response& response) {
    const Bytes preview = queue.preview();
    if (preview == nullptr) return refuse(response, 404, "nothing is painted");
    response.set_content(reinterpret_cast<const char*>(preview->data()), preview->size(),
                         "image/jpeg");
  });
  server.Post(Server::kUploads, [&](const Request&, Response& response,
                                    const httplib::ContentReader& read) {
    try {
      Incoming incoming(pictures.folder());
      bool kept = true;
      const bool came =
          read([&](const char* data, std::size_t size) { return kept = incoming.add(data, size); });
      if (!kept) return refuse(response, 507, "the disk is full");
      if (!came) return refuse(response, 400, "the picture did not come to its end");
      const Upload upload = pictures.add(incoming, queue.pictures());
      detail::send_json(response,
                        {{"id", upload.id}, {"height", upload.height}, {"width", upload.width}});
    } catch (const sfumato::Error& error) {
      refuse(response, 422, error.what());
    }
  });
  server.Get("/pictures/([0-9a-f]+)", [&](const Request& request, Response& response) {
    const std::string id = request.matches[1];
    if (!pictures.has(id)) return refuse(response, 404, "there is no such picture");
    detail::send_file(response, pictures.shown(id), "image/jpeg");
  });
  server.Post("/jobs", [&](const Request& request, Response& response) {
    try {
      const Job job = detail::job_of(request.body, pictures);
      arguments_of(job, all, pictures, queue.results());  // refuses what the table refuses
      const std::optional<std::string> id = queue.add(job);
      if (!id) return refuse(response, 429, "eight pictures wait already");
      detail::send_json(response, {{"id", *id}});
    } catch (const sfumato::ValueError& error) {
      refuse(response, 422, error.what());
    } catch (const sfumato::IoError& error) {
      refuse(response, 507, error.what());
    }
  });
  const auto act = [&queue](auto action) {
    return [&queue, action](const Request& request, Response& response) {
      try {
        action(queue, request.matches[1], response);
        if (response.body.empty()) detail::send_json(response, nlohmann::json::object());
      } catch (const sfumato::ValueError& error) {
        refuse(response, 409, error.what());
      }
    };
  };
  server.Post("/jobs/([0-9]+)/stop",
              act([](Queue& all_jobs, const std::string& id, Response&) { all_jobs.stop(id); }));
  server.Post("/jobs/([0-9]+)/continue",
              act([](Queue& all_jobs, const std::string& id, Response& response) {
                if (!all_jobs.go_on(id)) refuse(response, 429, "eight pictures wait already");
              }));
  server.Delete("/jobs/([0-9]+)", act([](Queue& all_jobs, const std::string& id, Response&) {
                  all_jobs.remove(id);
                }));
  server.Get("/jobs/([0-9]+)/(result|small)", [&](const Request& request, Response& response) {
    const std::optional<Job> job = queue.job(request.matches[1]);
    if (!job || job->height == 0) return refuse(response, 404, "there is no such result");
    const bool whole = request.matches[2] == "result";
    detail::send_file(response, queue.results().file(job->id, whole ? "result.png" : "small.jpg"),
                      whole ? "image/png" : "image/jpeg");
  });
}

}  // namespace studio
