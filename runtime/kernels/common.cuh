// What every kernel shares. Each file compiles as CUDA and, unchanged, as host C++ (g++ -x c++):
// a kernel's body is a function of its block and its team of threads, and on a host the team is one.
//
// Volumes are (C, T, H, W) float32, each channel contiguous; `stride` is the distance of channels.
// Weights are never computed here: tables come from tsr.core.resize.
#pragma once

#ifdef __CUDACC__
#define HD __host__ __device__ __forceinline__
#define UNROLL _Pragma("unroll")
#define ROLLED _Pragma("unroll 1")
#else
#include <algorithm>
#include <cmath>
#define HD inline
#define UNROLL
#define ROLLED
#define __restrict__ __restrict
#endif

typedef long long Stride;

struct Block {
    int x, y, z;
};

/// The threads that work on one block together.
struct Team {
    int rank, size;

    HD void wait() const {
#ifdef __CUDA_ARCH__
        __syncthreads();
#endif
    }
};

struct alignas(8) Pair {
    float a, b;
};

struct alignas(16) Quad {
    float a, b, c, d;
};

HD int smaller(int a, int b) { return a < b ? a : b; }

/// `position` held inside [0, length).
HD int held(int position, int length) {
    return position < 0 ? 0 : position < length ? position : length - 1;
}

/// Held in [0, 1]; what is not a number stays so, and is found when it is stored.
HD float clipped(float value) {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
    asm("max.NaN.f32 %0, %0, 0f00000000;\n\tmin.NaN.f32 %0, %0, 0f3F800000;" : "+f"(value));
    return value;
#else
    return value < 0.0f ? 0.0f : value > 1.0f ? 1.0f : value;
#endif
}

HD Quad operator+(Quad p, Quad q) { return {p.a + q.a, p.b + q.b, p.c + q.c, p.d + q.d}; }
HD Quad operator-(Quad p, Quad q) { return {p.a - q.a, p.b - q.b, p.c - q.c, p.d - q.d}; }
HD Quad operator*(float s, Quad q) { return {s * q.a, s * q.b, s * q.c, s * q.d}; }
HD Quad clipped(Quad q) { return {clipped(q.a), clipped(q.b), clipped(q.c), clipped(q.d)}; }

HD Pair pair_at(const float* place) { return *reinterpret_cast<const Pair*>(place); }
HD Quad quad_at(const float* place) { return *reinterpret_cast<const Quad*>(place); }

/// Whether the four samples from `x` on can be moved as one: rows are then 16-byte aligned.
HD bool whole_quad(int x, int width) { return width % 4 == 0 && x >= 0 && x + 4 <= width; }

/// Samples x to x + 3 of a row; positions outside repeat its first or last sample.
HD Quad read_row(const float* __restrict__ row, int x, int width) {
    if (whole_quad(x, width)) return quad_at(row + x);
    return {row[held(x, width)], row[held(x + 1, width)], row[held(x + 2, width)],
            row[held(x + 3, width)]};
}

/// Set four samples of a row that will not be read again soon.
HD void write_quad(float* __restrict__ place, Quad value) {
#ifdef __CUDA_ARCH__
    __stcs(reinterpret_cast<float4*>(place), make_float4(value.a, value.b, value.c, value.d));
#else
    *reinterpret_cast<Quad*>(place) = value;
#endif
}

/// Samples x to x + 3; those outside the row are dropped.
HD void write_row(float* __restrict__ row, int x, int width, Quad value) {
    if (whole_quad(x, width)) {
        write_quad(row + x, value);
        return;
    }
    if (x < width) row[x] = value.a;
    if (x + 1 < width) row[x + 1] = value.b;
    if (x + 2 < width) row[x + 2] = value.c;
    if (x + 3 < width) row[x + 3] = value.d;
}

/// Sum of the shares of a group's frames that the shutter was open for; the first is 1, and none
/// comes after a zero.
HD float total(const float* __restrict__ opened, int frames) {
    float sum = 0.0f;
    for (int n = 0; n < frames; ++n) sum += opened[n];
    return sum;
}

// KERNEL(name, threads, (parameters), body) is a __global__ function on a GPU; on a host, a function
// that runs the blocks of `grid` one after the other. STREAM_KERNEL also has a number of blocks that a
// multiprocessor must hold at once, and TILE_KERNEL shared memory besides. TENSOR_KERNEL has more shared memory than a
// kernel gets unasked, in pieces of 16 bytes (tsr.runtime.kernels.SHARED), and a multiprocessor to itself.
#ifdef __CUDACC__
/// Blocks of 256 threads that a multiprocessor holds at once: on Turing no more than four.
constexpr int resident_blocks(int wanted) {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ < 800
    return wanted < 4 ? wanted : 4;
#else
    return wanted;
#endif
}
#define KERNEL(name, threads, parameters, ...)                                  \
    extern "C" __global__ void __launch_bounds__(threads) name parameters {     \
        const Block block{(int)blockIdx.x, (int)blockIdx.y, (int)blockIdx.z};   \
        const Team team{(int)threadIdx.x, threads};                             \
        __VA_ARGS__;                                                            \
    }
#define STREAM_KERNEL(name, threads, resident, parameters, ...)                                        \
    extern "C" __global__ void __launch_bounds__(threads, resident_blocks(resident)) name parameters { \
        const Block block{(int)blockIdx.x, (int)blockIdx.y, (int)blockIdx.z};                          \
        const Team team{(int)threadIdx.x, threads};                                                    \
        __VA_ARGS__;                                                                                   \
    }
#define TILE_KERNEL(name, threads, resident, floats, parameters, ...)                 \
    extern "C" __global__ void __launch_bounds__(threads, resident) name parameters { \
        __shared__ alignas(16) float shared[floats];                                  \
        const Block block{(int)blockIdx.x, (int)blockIdx.y, (int)blockIdx.z};         \
        const Team team{(int)threadIdx.x, threads};                                   \
        __VA_ARGS__;                                                                  \
    }
#define TENSOR_KERNEL(name, threads, pieces, parameters, ...)                  \
    extern "C" __global__ void __launch_bounds__(threads, 1) name parameters { \
        extern __shared__ warp::Piece shared[];                                \
        const Block block{(int)blockIdx.x, (int)blockIdx.y, (int)blockIdx.z};  \
        const Team team{(int)threadIdx.x, threads};                            \
        __VA_ARGS__;                                                           \
    }
#else
extern "C" {
__attribute__((weak)) int grid[3] = {1, 1, 1};
}
#define KERNEL(name, threads, parameters, ...)              \
    extern "C" void name parameters {                       \
        const Team team{0, 1};                              \
        for (int z = 0; z < grid[2]; ++z)                   \
            for (int y = 0; y < grid[1]; ++y)               \
                for (int x = 0; x < grid[0]; ++x) {         \
                    const Block block{x, y, z};             \
                    __VA_ARGS__;                            \
                }                                           \
    }
#define STREAM_KERNEL(name, threads, resident, parameters, ...) \
    KERNEL(name, threads, parameters, __VA_ARGS__)
#define TILE_KERNEL(name, threads, resident, floats, parameters, ...) \
    alignas(16) static float name##_shared[floats];                   \
    KERNEL(name, threads, parameters, {                               \
        float* shared = name##_shared;                                \
        __VA_ARGS__;                                                  \
    })
#define TENSOR_KERNEL(name, threads, pieces, parameters, ...)            \
    static warp::Piece name##_shared[pieces];                            \
    extern "C" int name##_shared_bytes() { return sizeof name##_shared; } \
    extern "C" int name##_threads() { return threads; }                  \
    KERNEL(name, threads, parameters, {                                  \
        warp::Piece* shared = name##_shared;                             \
        __VA_ARGS__;                                                     \
    })
#endif
