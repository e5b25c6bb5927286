#pragma once

// Without MPI's old C++ classes, which are part of no standard any more.
#ifndef OMPI_SKIP_MPICXX
#define OMPI_SKIP_MPICXX 1
#endif
#ifndef MPICH_SKIP_MPICXX
#define MPICH_SKIP_MPICXX 1
#endif
#include <mpi.h>

#include <cstddef>
#include <exception>
#include <string_view>

#include "sfumato/core/error.hpp"

/// Several processes, on one machine or many, that compute one thing together, over MPI.
namespace sfumato::distributed {

/// The processes that mpirun or srun has started of this program, the ranks: MPI begins with it and
/// ends with it. There is one at a time, of the thread that MPI began in, and after the last there
/// can be none. Where all is well it waits, at its end, for the other ranks; where an exception
/// ends its scope it does not, so that the process may say what is wrong and end with a status
/// other than 0, on which mpirun ends the others (for srun: --kill-on-bad-exit). Throws GraphError
/// for a second one, and ResourceError where MPI does not start.
///
///     int main() {
///       sfumato::distributed::Communicator world;
///       std::cout << world.rank() << " of " << world.size() << '\n';
///     }
class Communicator {
 public:
  Communicator() {
    if (living() != nullptr) throw GraphError("Communicator: there is one already in this process");
    int started = 0, ended = 0;
    MPI_Finalized(&ended);
    if (ended != 0) {
      throw GraphError(
          "Communicator: MPI has ended in this process and begins only once; make one "
          "Communicator, at the top of main()");
    }
    MPI_Initialized(&started);
    starts_ = started == 0;
    int level = MPI_THREAD_SINGLE;
    if (starts_) {
      check(MPI_Init_thread(nullptr, nullptr, MPI_THREAD_FUNNELED, &level), "Communicator");
    } else {
      check(MPI_Query_thread(&level), "Communicator");
    }
    if (level < MPI_THREAD_FUNNELED) {
      throw ResourceError(
          "Communicator: this MPI allows no threads beside the one that calls it; start MPI by "
          "MPI_Init_thread with MPI_THREAD_FUNNELED, or use one that was built with threads");
    }
    // Messages of its own, which the program's can't be taken for; and errors are returned.
    check(MPI_Comm_dup(MPI_COMM_WORLD, &ranks_), "Communicator");
    check(MPI_Comm_set_errhandler(ranks_, MPI_ERRORS_RETURN), "Communicator");
    check(MPI_Comm_rank(ranks_, &rank_), "Communicator");
    check(MPI_Comm_size(ranks_, &size_), "Communicator");
    living() = this;
  }
  Communicator(const Communicator&) = delete;
  Communicator& operator=(const Communicator&) = delete;
  ~Communicator() {
    living() = nullptr;
    if (std::uncaught_exceptions() > exceptions_) return;  // the others may wait for this one
    MPI_Comm_free(&ranks_);
    if (starts_) MPI_Finalize();
  }

  /// The number of this process among them, from 0 on.
  int rank() const { return rank_; }
  /// How many there are.
  int size() const { return size_; }

  /// What MPI calls them, for messages of one's own; they are not mixed up with those of sfumato as
  /// long as all ranks call it in the same order.
  MPI_Comm handle() const { return ranks_; }

  /// Throws ResourceError, with the name of the op, the rank and what MPI says, unless `code`,
  /// which a function of MPI has returned, is MPI_SUCCESS.
  void check(int code, std::string_view op) const {
    if (code == MPI_SUCCESS) return;
    char text[MPI_MAX_ERROR_STRING];
    int length = 0;
    MPI_Error_string(code, text, &length);
    throw ResourceError(message(op, ": rank ", rank_, " of ", size_, ": ",
                                std::string_view(text, static_cast<std::size_t>(length))));
  }

  /// The one that there is. Throws GraphError, with the name of the op that asks, where there is
  /// none, and in a thread that may not call MPI.
  static const Communicator& current(std::string_view op) {
    if (living() == nullptr) {
      throw GraphError(
          message(op, ": make a distributed::Communicator first, at the top of main()"));
    }
    int is_main = 0;
    MPI_Is_thread_main(&is_main);
    if (is_main == 0) {
      throw GraphError(message(op, ": only the thread that has made the Communicator may call it"));
    }
    return *living();
  }

 private:
  static Communicator*& living() {
    static Communicator* one = nullptr;
    return one;
  }

  MPI_Comm ranks_ = MPI_COMM_NULL;
  int rank_ = 0;
  int size_ = 1;
  bool starts_ = false;  // else whoever has started MPI ends it
  int exceptions_ = std::uncaught_exceptions();
};

}  // namespace sfumato::distributed
