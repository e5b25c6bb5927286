// Memory pools, and allocation in the order of a stream.

#include <algorithm>
#include <vector>

#include "call.hpp"
#include "memory.hpp"
#include "streams.hpp"

struct CUmemPoolHandle_st {
  std::size_t threshold = 0;  // what the pool keeps when the host waits
  std::size_t kept = 0;       // freed, but not given back
};

using namespace emulator;

namespace {

std::size_t reserved(cudaMemPool_t pool) {
  return pool_bytes(pool) + pool->kept;
}

cudaError_t illegal_in_capture(const char* call, cudaStream_t stream) {
  if (Capture* const capture = capture_of(stream)) {
    violation(call, ": illegal on a stream in capture; graphs that allocate are not emulated");
    capture->invalid = true;
    return cudaErrorStreamCaptureUnsupported;
  }
  return cudaSuccess;
}

/// All pools that live, for what they hold unused.
std::vector<cudaMemPool_t>& pools() {
  static auto* const instance = new std::vector<cudaMemPool_t>();
  return *instance;
}

cudaError_t allocate(void** memory, std::size_t bytes, cudaMemPool_t pool, cudaStream_t stream) {
  *memory = nullptr;
  if (bytes == 0) return cudaSuccess;
  *memory = allocate_memory(bytes, pool);
  if (*memory == nullptr) return cudaErrorMemoryAllocation;
  pool->kept -= std::min(pool->kept, bytes);
  // It belongs to the stream from now on: others have to wait for this moment.
  Work birth;
  birth.name = "cudaMallocFromPoolAsync";
  birth.kind = Work::Kind::kMark;
  birth.accesses = {writes(*memory, bytes)};
  return submit(stream, std::move(birth));
}

}  // namespace

cudaError_t cudaMemPoolCreate(cudaMemPool_t* pool, const cudaMemPoolProps* properties) {
  return runtime_call("cudaMemPoolCreate", InCapture::kLegal, [&] {
    if (pool == nullptr || properties == nullptr ||
        properties->allocType != cudaMemAllocationTypePinned ||
        properties->location.type != cudaMemLocationTypeDevice) {
      violation("cudaMemPoolCreate: only pinned memory of a device comes from a pool");
      return cudaErrorInvalidValue;
    }
    if (properties->location.id < 0 || properties->location.id >= device_count()) {
      return cudaErrorInvalidDevice;
    }
    *pool = new CUmemPoolHandle_st();
    pools().push_back(*pool);
    handle_created(*pool, "memory pool");
    return cudaSuccess;
  });
}

cudaError_t cudaMemPoolDestroy(cudaMemPool_t pool) {
  return runtime_call("cudaMemPoolDestroy", InCapture::kLegal, [&] {
    if (!handle_destroyed("cudaMemPoolDestroy", pool, "memory pool")) return cudaErrorInvalidValue;
    std::erase(pools(), pool);
    return cudaSuccess;
  });
}

cudaError_t cudaMemPoolTrimTo(cudaMemPool_t pool, size_t keep) {
  return runtime_call("cudaMemPoolTrimTo", InCapture::kLegal, [&] {
    if (!handle_alive("cudaMemPoolTrimTo", pool, "memory pool")) return cudaErrorInvalidValue;
    const std::size_t used = pool_bytes(pool);
    pool->kept = std::min(pool->kept, keep > used ? keep - used : 0);
    return cudaSuccess;
  });
}

cudaError_t cudaMemPoolSetAttribute(cudaMemPool_t pool, cudaMemPoolAttr attribute, void* value) {
  return runtime_call("cudaMemPoolSetAttribute", InCapture::kLegal, [&] {
    if (!handle_alive("cudaMemPoolSetAttribute", pool, "memory pool") || value == nullptr) {
      return cudaErrorInvalidValue;
    }
    if (attribute != cudaMemPoolAttrReleaseThreshold) return cudaErrorNotSupported;
    pool->threshold = *static_cast<std::uint64_t*>(value);
    return cudaSuccess;
  });
}

cudaError_t cudaMemPoolGetAttribute(cudaMemPool_t pool, cudaMemPoolAttr attribute, void* value) {
  return runtime_call("cudaMemPoolGetAttribute", InCapture::kLegal, [&] {
    if (!handle_alive("cudaMemPoolGetAttribute", pool, "memory pool") || value == nullptr) {
      return cudaErrorInvalidValue;
    }
    auto& result = *static_cast<std::uint64_t*>(value);
    if (attribute == cudaMemPoolAttrReleaseThreshold) {
      result = pool->threshold;
    } else if (attribute == cudaMemPoolAttrReservedMemCurrent) {
      result = reserved(pool);
    } else if (attribute == cudaMemPoolAttrUsedMemCurrent) {
      result = pool_bytes(pool);
    } else {
      return cudaErrorNotSupported;
    }
    return cudaSuccess;
  });
}

cudaError_t cudaMallocFromPoolAsync(void** memory, size_t bytes, cudaMemPool_t pool,
                                    cudaStream_t stream) {
  const char* const call = "cudaMallocFromPoolAsync";
  return runtime_call(call, InCapture::kLegal, [&] {
    if (memory == nullptr || !handle_alive(call, pool, "memory pool") ||
        !stream_alive(call, stream)) {
      return cudaErrorInvalidValue;
    }
    if (const cudaError_t error = illegal_in_capture(call, stream)) return error;
    return allocate(memory, bytes, pool, stream);
  });
}

cudaError_t cudaFreeAsync(void* memory, cudaStream_t stream) {
  const char* const call = "cudaFreeAsync";
  return runtime_call(call, InCapture::kLegal, [&] {
    if (!stream_alive(call, stream)) return cudaErrorInvalidResourceHandle;
    if (const cudaError_t error = illegal_in_capture(call, stream)) return error;
    if (memory == nullptr) return cudaSuccess;
    if (!freeable(call, memory)) return cudaErrorInvalidValue;
    // Nobody may be using it any more.
    const Allocation& block = *find_allocation(memory);
    Work death;
    death.name = call;
    death.kind = Work::Kind::kMark;
    death.accesses = {writes(memory, block.size)};
    if (const cudaError_t error = submit(stream, std::move(death))) return error;
    for (const cudaMemPool_t pool : pools()) {
      if (pool != block.pool) continue;
      pool->kept = std::min(pool->kept + block.size, pool->threshold);
    }
    free_memory(memory);
    return cudaSuccess;
  });
}

cudaError_t cudaMemGetInfo(size_t* free, size_t* total) {
  return runtime_call("cudaMemGetInfo", InCapture::kLegal, [&] {
    if (free == nullptr || total == nullptr) return cudaErrorInvalidValue;
    std::size_t kept = 0;
    for (const cudaMemPool_t pool : pools()) kept += pool->kept;
    *free = free_bytes() - std::min(free_bytes(), kept);
    *total = limit_bytes();
    return cudaSuccess;
  });
}
