// What a warp does as one: matrix products of 16×16 by 16×8 on tensor cores, and how their operands
// get into its registers. On a host the same fragments are held for all lanes, and the products
// follow the layout that the PTX manual gives, so that wrong places show there, too.
#pragma once
#include "common.cuh"

namespace warp {

#ifdef __CUDA_ARCH__
constexpr int kLanes = 1;  // whose registers a thread holds
#else
constexpr int kLanes = 32;
#endif

/// Eight values of 16 bits: what moves at once.
struct alignas(16) Piece {
    unsigned word[4];
};

/// 16 rows by 16 columns; row g and g + 8, columns 2t and 2t + 8 for lane 4g + t.
struct Left {
    unsigned word[kLanes][4];
};

/// 16 rows by 16 columns, as two halves of 8 columns side by side, in the order of `Piece`.
struct Right {
    Piece piece[kLanes];
};

/// 16 rows by 8 columns of sums in FP32.
struct Sums {
    float value[kLanes][4];
};

HD int lane_of(const Team& team, int held) { return kLanes == 1 ? team.rank % 32 : held; }

/// Two values as 16-bit numbers, rounded to the nearest, `low` in the lower half.
HD unsigned halves(float low, float high) {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
    unsigned word;
    asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(word) : "f"(high), "f"(low));
    return word;
#elif defined(__CUDACC__)
    return 0;
#else
    const _Float16 pair[2] = {(_Float16)low, (_Float16)high};
    unsigned word;
    __builtin_memcpy(&word, pair, sizeof word);
    return word;
#endif
}

#ifndef __CUDACC__
/// The two values of a word, from a table: the host's own conversion is slow.
inline void values_of(unsigned word, float* low, float* high) {
    struct Table {
        float value[1 << 16];
        Table() {
            for (unsigned bits = 0; bits < 1 << 16; ++bits) {
                const unsigned short half = (unsigned short)bits;
                _Float16 number;
                __builtin_memcpy(&number, &half, sizeof number);
                value[bits] = (float)number;
            }
        }
    };
    static const Table table;
    *low = table.value[word & 0xFFFF], *high = table.value[word >> 16];
}
#endif

/// Begin to copy 16 bytes to shared memory; `landed` waits for all copies of this thread.
HD void copy_begun(Piece* shared, const Piece* from) {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
    const unsigned place = (unsigned)__cvta_generic_to_shared(shared);
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(place), "l"(from) : "memory");
#else
    *shared = *from;
#endif
}

HD void landed() {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
    asm volatile("cp.async.wait_all;" ::: "memory");
#endif
}

/// Load 16 rows of 16 values, in shared memory as `rows` of 8 and, `apart` pieces on, of 8 more.
HD void load(Left& made, const Team& team, const Piece* rows, int apart) {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
    const int lane = team.rank % 32;
    const unsigned place = (unsigned)__cvta_generic_to_shared(rows + lane / 16 * apart + lane % 16);
    unsigned* word = made.word[0];
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(word[0]), "=r"(word[1]), "=r"(word[2]), "=r"(word[3])
                 : "r"(place));
#else
    for (int held = 0; held < kLanes; ++held) {
        const int lane = lane_of(team, held), row = lane / 4, pair = lane % 4;
        for (int part = 0; part < 4; ++part)  // the rows below, then the columns beside
            made.word[held][part] = rows[part / 2 * apart + part % 2 * 8 + row].word[pair];
    }
#endif
}

/// Load what `packed` laid out lane by lane.
HD void load(Right& made, const Team& team, const Piece* pieces) {
    for (int held = 0; held < kLanes; ++held) made.piece[held] = pieces[lane_of(team, held)];
}

/// sums += left · (the half of `right` from column 8·half on).
HD void multiply(Sums& sums, const Left& left, const Right& right, int half) {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
    float* sum = sums.value[0];
    const unsigned* a = left.word[0];
    const unsigned* b = right.piece[0].word + 2 * half;
    asm(
        "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 "
        "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
        : "+f"(sum[0]), "+f"(sum[1]), "+f"(sum[2]), "+f"(sum[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
#elif !defined(__CUDACC__)
    float rows[16][16], columns[8][16];
    for (int lane = 0; lane < kLanes; ++lane) {
        const int group = lane / 4, pair = 2 * (lane % 4);
        for (int part = 0; part < 4; ++part) {
            float* two = rows[group + part % 2 * 8] + pair + part / 2 * 8;
            values_of(left.word[lane][part], two, two + 1);
        }
        for (int part = 0; part < 2; ++part) {
            float* two = columns[group] + pair + part * 8;
            values_of(right.piece[lane].word[2 * half + part], two, two + 1);
        }
    }
    for (int lane = 0; lane < kLanes; ++lane)
        for (int n = 0; n < 4; ++n) {
            const float* row = rows[lane / 4 + n / 2 * 8];
            const float* column = columns[2 * (lane % 4) + n % 2];
            float sum = 0.0f;
            for (int k = 0; k < 16; ++k) sum += row[k] * column[k];
            sums.value[lane][n] += sum;
        }
#else
    (void)sums, (void)left, (void)right, (void)half;  // not for Turing
#endif
}

}  // namespace warp
