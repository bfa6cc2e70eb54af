// Space-time back-projection, all of a climb in one pass over device memory (tsr.runtime.tap_plan):
//     made = clip(known + U(2 d - D U d)),   d = low - mean of its group
// with U the ×2 enlargement and D the halving. A block makes one tile of one group of frames:
// deviation and its sharpened form 2 d - D U d live in shared memory, rows slide through registers.
#include "common.cuh"

namespace climbing {

constexpr int kThreads = 256;
#ifndef TSR_CLIMB_ROWS
#define TSR_CLIMB_ROWS 32
#endif
#ifndef TSR_CLIMB_RESIDENT
#define TSR_CLIMB_RESIDENT 3
#endif
constexpr int kResident = TSR_CLIMB_RESIDENT;         // blocks per multiprocessor
constexpr int kRows = TSR_CLIMB_ROWS, kColumns = 64;  // low-resolution samples of a tile

constexpr int kUp = 4;     // taps of U: rows 2y and 2y + 1 read y - 2 to y + 2
constexpr int kAgain = 7;  // taps of D U: row y reads y - 3 to y + 3
constexpr int kUpReach = 2;
constexpr int kReach = 5;

constexpr int kSharpRows = kRows + 2 * kUpReach;
constexpr int kSharpColumns = kColumns + 2 * kUpReach;  // from left - 2
constexpr int kFlatRows = kRows + 2 * kReach;
constexpr int kFlatColumns = kColumns + 16;  // from left - 8: whole quads

constexpr int kSharpStrip = 6;  // rows that one thread sharpens
constexpr int kMadeStrip = 4;   // low-resolution rows that one thread enlarges

constexpr int kFlat = kFlatRows * kFlatColumns;
constexpr int kSharp = kSharpRows * kSharpColumns;
constexpr int kAgainTable = kSharpRows * (kAgain + 1);
constexpr int kUpTable = 2 * kRows * kUp;
constexpr int kShared = 2 * kFlat + kSharp + kAgainTable + kUpTable;

// From Blackwell on, unrolling the rows that are made would spill registers.
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 1000
#define UNROLL_MADE _Pragma("unroll 1")
#else
#define UNROLL_MADE UNROLL
#endif

struct Tables {
    const float* up_rows;        // (2h, 4)
    const float* up_columns;     // (2w, 4)
    const float* again_rows;     // (h, 7)
    const float* again_columns;  // (w, 7)
};

struct Tile {
    int top, left, height, width;  // low resolution

    HD const float* row(const float* frame, int y) const {
        return frame + (Stride)held(top - kReach + y, height) * width;
    }
};

/// Copy the tables of the tile's rows to shared memory.
HD void load_tables(const Team& team, const Tile& tile, const Tables& tables, float* again, float* up) {
    for (int item = team.rank; item < kAgainTable; item += team.size) {
        const int y = held(tile.top - kUpReach + item / (kAgain + 1), tile.height);
        const int k = item % (kAgain + 1);
        again[item] = k < kAgain ? tables.again_rows[y * kAgain + k] : 0.0f;
    }
    for (int item = team.rank; item < kUpTable; item += team.size) {
        const int y = held(2 * tile.top + item / kUp, 2 * tile.height);
        up[item] = tables.up_rows[y * kUp + item % kUp];
    }
}

/// Mean of the group's frames over the exposure, with margin.
HD void average(const Team& team, const Tile& tile, const float* __restrict__ low,
                const float* __restrict__ opened, int frames, float* __restrict__ mean) {
    constexpr int quads = kFlatColumns / 4;
    const Stride step = (Stride)tile.height * tile.width;
    const float share = 1.0f / total(opened, frames);
    for (int item = team.rank; item < kFlatRows * quads; item += team.size) {
        const int y = item / quads, x = item % quads * 4;
        const float* row = tile.row(low, y);
        Quad sum = read_row(row, tile.left - 8 + x, tile.width);
        for (int n = 1; n < frames && opened[n] > 0.0f; ++n)
            sum = sum + opened[n] * read_row(row + n * step, tile.left - 8 + x, tile.width);
        *reinterpret_cast<Quad*>(mean + y * kFlatColumns + x) = share * sum;
    }
}

HD void deviate(const Team& team, const Tile& tile, const float* __restrict__ frame,
                const float* __restrict__ mean, float* __restrict__ deviation) {
    constexpr int quads = kFlatColumns / 4;
    for (int item = team.rank; item < kFlatRows * quads; item += team.size) {
        const int y = item / quads, x = item % quads * 4;
        const Quad value = read_row(tile.row(frame, y), tile.left - 8 + x, tile.width);
        const int place = y * kFlatColumns + x;
        *reinterpret_cast<Quad*>(deviation + place) = value - quad_at(mean + place);
    }
}

HD float seven(const float* samples, const float* weights) {
    float sum = weights[0] * samples[0];
UNROLL
    for (int k = 1; k < kAgain; ++k) sum += weights[k] * samples[k];
    return sum;
}

HD float four(float p, float q, float r, float s, Quad w) {
    return w.a * p + w.b * q + w.c * r + w.d * s;
}

/// sharp = 2 d - D U d: along the row by registers, down the rows by a window of seven results.
HD void sharpen(const Team& team, const Tile& tile, const Tables& tables,
                const float* __restrict__ deviation, const float* __restrict__ again,
                float* __restrict__ sharp) {
    constexpr int pairs = kSharpColumns / 2, strips = (kSharpRows + kSharpStrip - 1) / kSharpStrip;
    for (int item = team.rank; item < pairs * strips; item += team.size) {
        const int x = item % pairs * 2, first = item / pairs * kSharpStrip;
        float left_weight[kAgain], right_weight[kAgain];
        const int column = tile.left - kUpReach + x;
        const float* left_table = tables.again_columns + held(column, tile.width) * kAgain;
        const float* right_table = tables.again_columns + held(column + 1, tile.width) * kAgain;
UNROLL
        for (int k = 0; k < kAgain; ++k) {
            left_weight[k] = left_table[k];
            right_weight[k] = right_table[k];
        }
        float left[kAgain], right[kAgain];
        const float* from = deviation + first * kFlatColumns + x + 2;  // column - 4
UNROLL
        for (int y = 0; y < kSharpStrip + kAgain - 1; ++y) {
            if (first + y >= kFlatRows) break;
            float taken[10];
UNROLL
            for (int k = 0; k < 10; k += 2) {
                const Pair pair = pair_at(from + y * kFlatColumns + k);
                taken[k] = pair.a;
                taken[k + 1] = pair.b;
            }
UNROLL
            for (int k = 0; k + 1 < kAgain; ++k) {
                left[k] = left[k + 1];
                right[k] = right[k + 1];
            }
            left[kAgain - 1] = seven(taken + 1, left_weight);
            right[kAgain - 1] = seven(taken + 2, right_weight);
            if (y + 1 < kAgain) continue;
            const int row = first + y - (kAgain - 1);  // of `sharp`; its centre is three rows above
            const Pair centre = pair_at(from + (y - 3) * kFlatColumns + 4);
            const float* weights = again + row * (kAgain + 1);
            const Quad w = quad_at(weights), v = quad_at(weights + 4);
            const float rows[kAgain] = {w.a, w.b, w.c, w.d, v.a, v.b, v.c};
            *reinterpret_cast<Pair*>(sharp + row * kSharpColumns + x) = {
                centre.a + centre.a - seven(left, rows), centre.b + centre.b - seven(right, rows)};
        }
    }
}

/// made = clip(known + U sharp): two low-resolution columns per thread, rows through a window.
HD void enlarge(const Team& team, const Tile& tile, const Tables& tables,
                const float* __restrict__ sharp, const float* __restrict__ up,
                const float* __restrict__ known, float* __restrict__ made) {
    constexpr int pairs = kColumns / 2, strips = kRows / kMadeStrip;
    const int width = 2 * tile.width;
    for (int item = team.rank; item < pairs * strips; item += team.size) {
        const int x = item % pairs * 2, first = item / pairs * kMadeStrip;
        const int column = 2 * (tile.left + x);
        if (column >= width) continue;
        Quad weights[4];
UNROLL
        for (int k = 0; k < 4; ++k)
            weights[k] = quad_at(tables.up_columns + held(column + k, width) * kUp);
        Quad window[5];
        const float* from = sharp + first * kSharpColumns + x;  // two rows and columns before
UNROLL_MADE
        for (int y = 0; y < kMadeStrip + 4; ++y) {
            const Pair p = pair_at(from + y * kSharpColumns);
            const Pair q = pair_at(from + y * kSharpColumns + 2);
            const Pair r = pair_at(from + y * kSharpColumns + 4);
UNROLL
            for (int k = 0; k < 4; ++k) window[k] = window[k + 1];
            window[4] = {four(p.a, p.b, q.a, q.b, weights[0]), four(p.b, q.a, q.b, r.a, weights[1]),
                         four(p.b, q.a, q.b, r.a, weights[2]), four(q.a, q.b, r.a, r.b, weights[3])};
            if (y < 4) continue;
            const int row = first + y - 4;
            if (tile.top + row >= tile.height) break;
UNROLL
            for (int odd = 0; odd < 2; ++odd) {
                const Quad w = quad_at(up + (2 * row + odd) * kUp);
                const Quad step = w.a * window[odd] + w.b * window[odd + 1] + w.c * window[odd + 2] +
                                  w.d * window[odd + 3];
                const Stride place = (Stride)(2 * (tile.top + row) + odd) * width;
                write_row(made + place, column, width,
                          clipped(read_row(known + place, column, width) + step));
            }
        }
    }
}

HD void make_tile(const Block& block, const Team& team, float* shared, const float* low,
                  Stride low_stride, const float* known, Stride known_stride, float* made,
                  Stride made_stride, const float* opened, int groups, int frames, int height,
                  int width, const Tables& tables) {
    float *mean = shared, *deviation = mean + kFlat, *sharp = deviation + kFlat;
    float *again = sharp + kSharp, *up = again + kAgainTable;
    const int channel = block.z / groups, group = block.z % groups;
    const Tile tile{block.y * kRows, block.x * kColumns, height, width};
    const Stride small = (Stride)height * width;
    low += channel * low_stride + group * frames * small;
    known += channel * known_stride + group * 4 * small;
    made += channel * made_stride + group * frames * 4 * small;
    load_tables(team, tile, tables, again, up);
    average(team, tile, low, opened, frames, mean);
    for (int n = 0; n < frames; ++n) {
        deviate(team, tile, low + n * small, mean, deviation);  // each thread reads its own means
        team.wait();
        sharpen(team, tile, tables, deviation, again, sharp);
        team.wait();
        enlarge(team, tile, tables, sharp, up, known, made + n * 4 * small);
    }
}

}  // namespace climbing

/// `groups` groups of `frames` low-resolution frames (height, width) each against one known frame,
/// for which the shutter was `opened` (frames).
TILE_KERNEL(climb, climbing::kThreads, climbing::kResident, climbing::kShared,
       (const float* low, Stride low_stride, const float* known, Stride known_stride, float* made,
        Stride made_stride, const float* opened, int groups, int frames, int height, int width,
        const float* up_rows, const float* up_columns, const float* again_rows, const float* again_columns),
       climbing::make_tile(block, team, shared, low, low_stride, known, known_stride, made,
                           made_stride, opened, groups, frames, height, width,
                           climbing::Tables{up_rows, up_columns, again_rows, again_columns}))
