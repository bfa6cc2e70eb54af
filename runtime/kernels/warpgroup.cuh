// What four warps do as one on Hopper: products of 64×16 by 16×N whose operands stay in shared memory,
// and copies that whole rows take part in while the threads do other things. On a host, the products
// follow the places that the PTX manual gives, so that wrong ones show there, too.
#pragma once
#include "warp.cuh"

#if defined(__CUDA_ARCH_FEAT_SM90_ALL)
#define ON_HOPPER
#endif

namespace warpgroup {

using warp::Piece;

constexpr int kThreads = 128;
constexpr int kRows = 64, kDepth = 16;  // of the left matrix

#ifdef __CUDA_ARCH__
constexpr int kHeld = 1;  // whose registers a thread holds
#else
constexpr int kHeld = kThreads;
#endif

/// 64 rows by `columns` of sums in FP32: of lane 4g + t of warp w, rows 16w + g and 8 more, and of each
/// eight columns 2t and 2t + 1.
template <int columns>
struct Sums {
    float value[kHeld][columns / 2];
};

/// Rows of 16 values in shared memory: eight rows are eight pieces side by side, the next eight come
/// behind them, and their values from the eighth on `apart` pieces further.
struct Operand {
    const Piece* place;
    int apart;
};

#ifdef ON_HOPPER

/// Counts arrivals and bytes, and tells rounds apart by their parity.
struct Barrier {
    unsigned long long state;

    __device__ unsigned place() const { return (unsigned)__cvta_generic_to_shared(this); }

    __device__ void start(int arrivals) const {
        asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(place()), "r"(arrivals) : "memory");
    }
    __device__ void arrive() const {
        asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" ::"r"(place()) : "memory");
    }
    /// Arrive, and let the round last until so many bytes have been copied.
    __device__ void expect(int bytes) const {
        asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(place()), "r"(bytes)
                     : "memory");
    }
    __device__ void wait(int parity) const {
        asm volatile(
            "{\n\t.reg .pred done;\n\t"
            "again:\n\t"
            "mbarrier.try_wait.parity.shared::cta.b64 done, [%0], %1;\n\t"
            "@!done bra again;\n\t}" ::"r"(place()), "r"(parity)
            : "memory");
    }
};

/// Make barriers that were started known to the copy engine.
__device__ __forceinline__ void barriers_started() {
    asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
    asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
}

/// Begin to copy pieces to shared memory; `barrier` hears of them.
__device__ __forceinline__ void copy_begun(Piece* shared, const Piece* from, int pieces, const Barrier& barrier) {
    asm volatile(
        "cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1], %2, [%3];" ::"r"(
            (unsigned)__cvta_generic_to_shared(shared)),
        "l"(__cvta_generic_to_global(from)), "r"(pieces * (int)sizeof(Piece)), "r"(barrier.place())
        : "memory");
}

/// Let go of registers that other groups then take.
template <int registers>
__device__ __forceinline__ void keep_registers() {
    asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" ::"n"(registers));
}

template <int registers>
__device__ __forceinline__ void take_registers() {
    asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" ::"n"(registers));
}

/// Nothing the compiler does with these registers may pass this point.
template <int columns>
__device__ __forceinline__ void hold(Sums<columns>& sums) {
UNROLL
    for (int n = 0; n < columns / 2; ++n) asm volatile("" : "+f"(sums.value[0][n])::"memory");
}

__device__ __forceinline__ void begin_products() { asm volatile("wgmma.fence.sync.aligned;" ::: "memory"); }

__device__ __forceinline__ void end_products() { asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory"); }

/// Wait for all products but those since the last `begun` times `end_products`.
template <int begun>
__device__ __forceinline__ void products_done() {
    asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(begun) : "memory");
}

/// An operand as the tensor cores take it: its place, the next eight values of its rows, the next
/// eight rows, all in units of 16 bytes; no swizzle.
__device__ __forceinline__ unsigned long long descriptor(const Operand& operand) {
    constexpr unsigned long long kNextRows = 8;
    const unsigned place = (unsigned)__cvta_generic_to_shared(operand.place);
    return (unsigned long long)(place >> 4 & 0x3FFF) | (unsigned long long)operand.apart << 16 | kNextRows << 32;
}

#define F4(n) "+f"(v[n]), "+f"(v[n + 1]), "+f"(v[n + 2]), "+f"(v[n + 3])
#define F16(n) F4(n), F4(n + 4), F4(n + 8), F4(n + 12)

__device__ __forceinline__ void multiply(Sums<64>& sums, unsigned long long left, unsigned long long right, int add) {
    float* v = sums.value[0];
    asm volatile(
        "{\n\t.reg .pred add;\n\tsetp.ne.b32 add, %34, 0;\n\t"
        "wgmma.mma_async.sync.aligned.m64n64k16.f32.f16.f16 "
        "{%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, "
        "%16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31}, "
        "%32, %33, add, 1, 1, 0, 0;\n\t}"
        : F16(0), F16(16)
        : "l"(left), "l"(right), "r"(add));
}

__device__ __forceinline__ void multiply(Sums<128>& sums, unsigned long long left, unsigned long long right, int add) {
    float* v = sums.value[0];
    asm volatile(
        "{\n\t.reg .pred add;\n\tsetp.ne.b32 add, %66, 0;\n\t"
        "wgmma.mma_async.sync.aligned.m64n128k16.f32.f16.f16 "
        "{%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, "
        "%16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31, "
        "%32, %33, %34, %35, %36, %37, %38, %39, %40, %41, %42, %43, %44, %45, %46, %47, "
        "%48, %49, %50, %51, %52, %53, %54, %55, %56, %57, %58, %59, %60, %61, %62, %63}, "
        "%64, %65, add, 1, 1, 0, 0;\n\t}"
        : F16(0), F16(16), F16(32), F16(48)
        : "l"(left), "l"(right), "r"(add));
}

/// sums = left · rightᵀ, added to what they were if `add`; done when `products_done` says so.
template <int columns>
__device__ __forceinline__ void multiply(Sums<columns>& sums, const Operand& left, const Operand& right, bool add) {
    multiply(sums, descriptor(left), descriptor(right), (int)add);
}

#undef F4
#undef F16

#elif !defined(__CUDACC__)

inline float value_at(const Operand& operand, int row, int k) {
    const Piece& piece = operand.place[k / 8 * operand.apart + row];
    float low, high;
    warp::values_of(piece.word[k % 8 / 2], &low, &high);
    return k % 2 ? high : low;
}

template <int columns>
inline void multiply(Sums<columns>& sums, const Operand& left, const Operand& right, bool add) {
    static float others[kDepth][columns], made[kRows][columns];
    for (int k = 0; k < kDepth; ++k)
        for (int column = 0; column < columns; ++column) others[k][column] = value_at(right, column, k);
    for (int row = 0; row < kRows; ++row) {
        for (float& sum : made[row]) sum = 0.0f;
        for (int k = 0; k < kDepth; ++k) {
            const float value = value_at(left, row, k);
            for (int column = 0; column < columns; ++column) made[row][column] += value * others[k][column];
        }
    }
    for (int thread = 0; thread < kThreads; ++thread)
        for (int n = 0; n < columns / 2; ++n) {
            const int row = thread / 32 * 16 + thread % 32 / 4 + n % 4 / 2 * 8;
            const float sum = made[row][n / 4 * 8 + thread % 4 * 2 + n % 2];
            sums.value[thread][n] = add ? sums.value[thread][n] + sum : sum;
        }
}

#endif

}  // namespace warpgroup
