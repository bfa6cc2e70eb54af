// (C, T, 2h, 2w) → (C, T, h, w), bicubic with antialiasing: eight taps per axis (core.resize).
// A thread makes two columns of a strip of rows. It reads each row once, narrows it, and slides a
// window of eight narrowed rows down; what neighbours read as well comes from the L1 cache.
#include "common.cuh"

namespace halving {

constexpr int kThreads = 256;
constexpr int kTaps = 8;
constexpr int kResident = 3;  // blocks per multiprocessor
constexpr int kStrip = 16;    // rows that one thread makes
constexpr int kTaken = 12;    // columns 2x - 4 to 2x + 7 of a row: whole quads

HD void spread(Quad quad, float* samples) {
    samples[0] = quad.a;
    samples[1] = quad.b;
    samples[2] = quad.c;
    samples[3] = quad.d;
}

/// The weights of sample `x`; samples away from the borders share theirs, so that most warps read
/// one row of the table.
HD void take_weights(const float* __restrict__ table, int x, int length, float* weights) {
    const float* row = table + (x >= 2 && x < length - 2 ? 2 : held(x, length)) * kTaps;
    spread(quad_at(row), weights);
    spread(quad_at(row + 4), weights + 4);
}

HD float weighted(const float* samples, const float* weights) {
    float sum = weights[0] * samples[0];
UNROLL
    for (int k = 1; k < kTaps; ++k) sum += weights[k] * samples[k];
    return sum;
}

/// Samples `first` on of a row of even width, as quads where it is whole quads, else as pairs. What
/// lies outside weighs nothing, so any samples of the row will do.
template <bool kWhole>
HD void take(const float* __restrict__ row, int first, int width, float* taken) {
    constexpr int step = kWhole ? 4 : 2;
UNROLL
    for (int k = 0; k < kTaken; k += step) {
        const float* from = row + (first + k < 0 ? 0 : smaller(first + k, width - step));
        if (kWhole) {
            spread(quad_at(from), taken + k);
        } else {
            const Pair pair = pair_at(from);
            taken[k] = pair.a;
            taken[k + 1] = pair.b;
        }
    }
}

/// Rows `top` on of two columns. `kWhole`: rows of the source are whole quads.
template <bool kWhole>
HD void make_strip(const float* __restrict__ source, float* __restrict__ made, int height, int width,
                   int top, int x, const float* __restrict__ row_weight,
                   const float* __restrict__ column_weight) {
    float left_weight[kTaps], right_weight[kTaps], weights[kTaps];
    take_weights(column_weight, x, width, left_weight);
    take_weights(column_weight, x + 1, width, right_weight);
    float left[kTaps], right[kTaps];
ROLLED
    for (int n = -3; n < kStrip; ++n) {  // two more rows for each one made, after the first six
        float taken[2][kTaken];
UNROLL
        for (int k = 0; k < 2; ++k) {
            const int y = held(2 * (top + n) + 3 + k, 2 * height);
            take<kWhole>(source + (Stride)y * (2 * width), 2 * x - 4, 2 * width, taken[k]);
        }
UNROLL
        for (int k = 0; k + 2 < kTaps; ++k) {
            left[k] = left[k + 2];
            right[k] = right[k + 2];
        }
UNROLL
        for (int k = 0; k < 2; ++k) {
            left[kTaps - 2 + k] = weighted(taken[k] + 1, left_weight);
            right[kTaps - 2 + k] = weighted(taken[k] + 3, right_weight);
        }
        if (n < 0) continue;
        const int y = top + n;
        if (y >= height) break;
        take_weights(row_weight, y, height, weights);
        const Pair pair{weighted(left, weights), weighted(right, weights)};
        float* place = made + (Stride)y * width + x;
        if (kWhole) {
            *reinterpret_cast<Pair*>(place) = pair;
        } else {
            place[0] = pair.a;
            if (x + 1 < width) place[1] = pair.b;
        }
    }
}

HD void make_block(const Block& block, const Team& team, const float* source, Stride source_stride,
                   float* made, Stride made_stride, int height, int width,
                   const float* row_weight, const float* column_weight) {
    const int pairs = (width + 1) / 2;
    const Stride size = (Stride)height * width;
    source += block.z * source_stride + block.y * 4 * size;
    made += block.z * made_stride + block.y * size;
    for (int n = team.rank; n < kThreads; n += team.size) {
        const int item = block.x * kThreads + n, top = item / pairs * kStrip, x = item % pairs * 2;
        if (top >= height) continue;
        if (width % 2 == 0)
            make_strip<true>(source, made, height, width, top, x, row_weight, column_weight);
        else
            make_strip<false>(source, made, height, width, top, x, row_weight, column_weight);
    }
}

}  // namespace halving

/// `height` and `width` are those of the result, frame block.y of channel block.z; tables are (height, 8) and (width, 8).
STREAM_KERNEL(halve, halving::kThreads, halving::kResident,
       (const float* source, Stride source_stride, float* made, Stride made_stride, int height,
        int width, const float* row_weight, const float* column_weight),
       halving::make_block(block, team, source, source_stride, made, made_stride, height, width,
                           row_weight, column_weight))
