// Space-time back-projection, all of a climb in one pass over device memory (tsr.runtime.tap_plan):
//     made = clip(known + U(2 d - D U d)),   d = low - mean of its group
// with U the ×2 enlargement and D the halving. A block makes one tile of one group of frames:
// deviation and its sharpened form 2 d - D U d live in shared memory, rows slide through registers.
// Registers also hold the known samples, from frame to frame.
#include "common.cuh"

namespace climbing {

constexpr int kThreads = 256;
constexpr int kResident = 2;               // blocks per multiprocessor
constexpr int kRows = 32, kColumns = 64;  // low-resolution samples of a tile

constexpr int kUp = 4;     // taps of U: rows 2y and 2y + 1 read y - 2 to y + 2
constexpr int kAgain = 7;  // taps of D U: row y reads y - 3 to y + 3
constexpr int kUpReach = 2;
constexpr int kReach = 5;

constexpr int kSharpRows = kRows + 2 * kUpReach;
constexpr int kSharpColumns = kColumns + 2 * kUpReach;  // from left - 2
constexpr int kFlatRows = kRows + 2 * kReach;
constexpr int kFlatColumns = kColumns + 16;  // from left - 8: whole quads

constexpr int kSharpStrip = 6;         // rows that one thread sharpens
constexpr int kMadeStrip = kRows / 8;  // low-resolution rows that one thread enlarges
static_assert(kSharpRows % kSharpStrip == 0 && kRows % 8 == 0, "strips fill a tile");

constexpr int kFlat = kFlatRows * kFlatColumns;
constexpr int kSharp = kSharpRows * kSharpColumns;
constexpr int kAgainTable = kSharpRows * (kAgain + 1);
constexpr int kUpTable = 2 * kRows * kUp;
constexpr int kShared = 2 * kFlat + kSharp + kAgainTable + kUpTable;

// What a thread holds is its share of a tile; a host's one thread holds all.
#ifdef __CUDACC__
constexpr int kTeam = kThreads;
#else
constexpr int kTeam = 1;
#endif
constexpr int kFlatQuads = kFlat / 4, kFlatShare = (kFlatQuads + kTeam - 1) / kTeam;
constexpr int kStrips = kColumns / 2 * (kRows / kMadeStrip), kStripShare = kStrips / kTeam;

struct Tables {
    const float* up_rows;        // (2h, 4)
    const float* up_columns;     // (2w, 4)
    const float* again_rows;     // (h, 7)
    const float* again_columns;  // (w, 7)
};

struct Tile {
    int top, left, height, width;  // low resolution
};

/// A sample with the weights of sample `x`: those away from the borders share theirs, and a warp then
/// reads them at once.
HD int alike(int x, int length) { return x >= 3 && x < length - 3 ? 3 : held(x, length); }

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

/// Samples x to x + 3 of a row of the tile or beside it. What lies outside the frame weighs nothing,
/// so any samples of the row will do. `kWhole`: rows are whole quads.
template <bool kWhole>
HD Quad near(const float* __restrict__ row, int x, int width) {
    if (kWhole) return quad_at(row + (x < 0 ? 0 : smaller(x, width - 4)));
    return {row[held(x, width)], row[held(x + 1, width)], row[held(x + 2, width)], row[held(x + 3, width)]};
}

/// The thread's quads of a frame's tile, with margin.
template <bool kWhole>
HD void take(const Team& team, const Tile& tile, const float* __restrict__ frame, Quad* taken) {
UNROLL
    for (int n = 0; n < kFlatShare; ++n) {
        const int item = smaller(team.rank + n * kTeam, kFlatQuads - 1);
        const int y = item / (kFlatColumns / 4), x = tile.left - 8 + item % (kFlatColumns / 4) * 4;
        const float* row = frame + (Stride)held(tile.top - kReach + y, tile.height) * tile.width;
        taken[n] = near<kWhole>(row, x, tile.width);
    }
}

#ifdef __CUDACC__
#define UNROLL_FRAMES _Pragma("unroll 4")
#define UNROLL_WHOLE _Pragma("unroll (kWhole ? 16 : 1)")
#else
#define UNROLL_FRAMES
#define UNROLL_WHOLE
#endif

/// Mean of the group's frames over the exposure.
template <bool kWhole>
HD void average(const Team& team, const Tile& tile, const float* __restrict__ low,
                const float* __restrict__ opened, int frames, float* __restrict__ mean) {
    const Stride step = (Stride)tile.height * tile.width;
    const float share = 1.0f / total(opened, frames);
    Quad sum[kFlatShare], taken[kFlatShare];
UNROLL
    for (int n = 0; n < kFlatShare; ++n) sum[n] = {0.0f, 0.0f, 0.0f, 0.0f};
    int shown = 0;
    while (shown < frames && opened[shown] > 0.0f) ++shown;
UNROLL_FRAMES
    for (int k = 0; k < shown; ++k) {
        take<kWhole>(team, tile, low + k * step, taken);
UNROLL
        for (int n = 0; n < kFlatShare; ++n) sum[n] = sum[n] + opened[k] * taken[n];
    }
UNROLL
    for (int n = 0; n < kFlatShare; ++n) {
        const int item = team.rank + n * kTeam;
        if (item < kFlatQuads) *reinterpret_cast<Quad*>(mean + 4 * item) = share * sum[n];
    }
}

HD void deviate(const Team& team, const Quad* taken, const float* __restrict__ mean,
                float* __restrict__ deviation) {
UNROLL
    for (int n = 0; n < kFlatShare; ++n) {
        const int item = team.rank + n * kTeam;
        if (item < kFlatQuads)
            *reinterpret_cast<Quad*>(deviation + 4 * item) = taken[n] - quad_at(mean + 4 * item);
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
/// `kDefer`: stored at the end, since a store would hold up the loads behind it.
template <bool kDefer>
HD void sharpen(const Team& team, const Tile& tile, const Tables& tables,
                const float* __restrict__ deviation, const float* __restrict__ again,
                float* __restrict__ sharp) {
    constexpr int pairs = kSharpColumns / 2, strips = kSharpRows / kSharpStrip;
    for (int item = team.rank; item < pairs * strips; item += team.size) {
        const int x = item % pairs * 2, first = item / pairs * kSharpStrip;
        float left_weight[kAgain], right_weight[kAgain];
        const int column = tile.left - kUpReach + x;
        const float* left_table = tables.again_columns + alike(column, tile.width) * kAgain;
        const float* right_table = tables.again_columns + alike(column + 1, tile.width) * kAgain;
UNROLL
        for (int k = 0; k < kAgain; ++k) {
            left_weight[k] = left_table[k];
            right_weight[k] = right_table[k];
        }
        float left[kAgain], right[kAgain];
        Pair made[kSharpStrip];
        const float* from = deviation + first * kFlatColumns + x + 2;  // column - 4
UNROLL
        for (int y = 0; y < kSharpStrip + kAgain - 1; ++y) {
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
            const int row = first + y - (kAgain - 1);  // of `sharp`
            const float* weights = again + row * (kAgain + 1);
            const Quad w = quad_at(weights), v = quad_at(weights + 4);
            const float rows[kAgain] = {w.a, w.b, w.c, w.d, v.a, v.b, v.c};
            const Pair centre = pair_at(from + (y - 3) * kFlatColumns + 4);
            made[row - first] = {2.0f * centre.a - seven(left, rows), 2.0f * centre.b - seven(right, rows)};
            if (!kDefer) *reinterpret_cast<Pair*>(sharp + row * kSharpColumns + x) = made[row - first];
        }
UNROLL
        for (int y = 0; kDefer && y < kSharpStrip; ++y)
            *reinterpret_cast<Pair*>(sharp + (first + y) * kSharpColumns + x) = made[y];
    }
}

/// A branch around the store would also keep the compiler from loading for the next row before it.
HD void write_quad_if(bool wanted, float* __restrict__ place, Quad value) {
#ifdef __CUDA_ARCH__
    asm volatile(
        "{\n\t.reg .pred wanted;\n\tsetp.ne.s32 wanted, %0, 0;\n\t"
        "@wanted st.global.cs.v4.f32 [%1], {%2, %3, %4, %5};\n\t}"
        ::"r"((int)wanted), "l"(place), "f"(value.a), "f"(value.b), "f"(value.c), "f"(value.d));
#else
    if (wanted) write_quad(place, value);
#endif
}

/// Two columns of a strip of low-resolution rows, which one thread enlarges.
struct Strip {
    int x, first;

    HD explicit Strip(int item) : x(item % (kColumns / 2) * 2), first(item / (kColumns / 2) * kMadeStrip) {}
};

/// The samples that a thread's strips are made over. They serve all frames of the group, and where
/// rows are whole quads, registers hold them; elsewhere there are none to spare.
template <bool kWhole>
struct Known {
    static constexpr int kHeld = kWhole ? kStripShare : 1;
    const float* frame;
    Quad held_rows[kHeld][2 * kMadeStrip];

    HD Known(const Team& team, const Tile& tile, const float* __restrict__ known) : frame(known) {
UNROLL
        for (int n = 0; n < kHeld; ++n) {
            const Strip strip(team.rank + n * kTeam);
UNROLL
            for (int k = 0; k < 2 * kMadeStrip; ++k) held_rows[n][k] = read(tile, strip, k);
        }
    }

    HD Quad read(const Tile& tile, const Strip& strip, int k) const {
        const int y = held(2 * (tile.top + strip.first) + k, 2 * tile.height), width = 2 * tile.width;
        return near<kWhole>(frame + (Stride)y * width, 2 * (tile.left + strip.x), width);
    }

    /// Row k of the strip that is the thread's n-th.
    HD Quad row(const Tile& tile, const Strip& strip, int n, int k) const {
        return kWhole ? held_rows[n][k] : read(tile, strip, k);
    }
};

/// made = clip(known + U sharp): two low-resolution columns per thread, rows through a window.
template <bool kWhole>
HD void enlarge(const Team& team, const Tile& tile, const Tables& tables, const float* __restrict__ sharp,
                const float* __restrict__ up, const Known<kWhole>& known, float* __restrict__ made) {
    const int width = 2 * tile.width;
UNROLL
    for (int n = 0; n < kStripShare; ++n) {
        const Strip strip(team.rank + n * kTeam);
        const int place = tile.left + strip.x;
        if (place >= tile.width) continue;
        const float* left = tables.up_columns + 2 * alike(place, tile.width) * kUp;
        const float* right = tables.up_columns + 2 * alike(place + 1, tile.width) * kUp;
        const Quad weights[4] = {quad_at(left), quad_at(left + kUp), quad_at(right), quad_at(right + kUp)};
        float* line = made + (Stride)(2 * (tile.top + strip.first)) * width;
        Quad window[5];
        const float* from = sharp + strip.first * kSharpColumns + strip.x;  // two rows and columns before
UNROLL_WHOLE
        for (int y = 0; y < kMadeStrip + 4; ++y) {
            const Pair p = pair_at(from + y * kSharpColumns);
            const Pair q = pair_at(from + y * kSharpColumns + 2);
            const Pair r = pair_at(from + y * kSharpColumns + 4);
UNROLL
            for (int k = 0; k < 4; ++k) window[k] = window[k + 1];
            window[4] = {four(p.a, p.b, q.a, q.b, weights[0]), four(p.b, q.a, q.b, r.a, weights[1]),
                         four(p.b, q.a, q.b, r.a, weights[2]), four(q.a, q.b, r.a, r.b, weights[3])};
            if (y < 4) continue;
            const int row = strip.first + y - 4;
UNROLL
            for (int odd = 0; odd < 2; ++odd) {
                const Quad w = quad_at(up + (2 * row + odd) * kUp);
                const Quad value = clipped(known.row(tile, strip, n, 2 * (y - 4) + odd) + w.a * window[odd] +
                                           w.b * window[odd + 1] + w.c * window[odd + 2] +
                                           w.d * window[odd + 3]);
                const bool inside = tile.top + row < tile.height;
                if (kWhole)
                    write_quad_if(inside, line + 2 * place, value);
                else if (inside)
                    write_row(line, 2 * place, width, value);
                line += width;
            }
        }
    }
}

template <bool kWhole>
HD void make_tile(const Team& team, const Tile& tile, float* shared, const float* low, const float* known,
                  float* made, const float* opened, int frames, const Tables& tables) {
    float *mean = shared, *deviation = mean + kFlat, *sharp = deviation + kFlat;
    float *again = sharp + kSharp, *up = again + kAgainTable;
    const Stride small = (Stride)tile.height * tile.width;
    Quad taken[kFlatShare];
    load_tables(team, tile, tables, again, up);
    average<kWhole>(team, tile, low, opened, frames, mean);
    const Known<kWhole> held(team, tile, known);
    take<kWhole>(team, tile, low, taken);
    for (int n = 0; n < frames; ++n) {
        deviate(team, taken, mean, deviation);  // each thread reads its own means
        team.wait();
        sharpen<kWhole>(team, tile, tables, deviation, again, sharp);
        team.wait();
        const float* next = low + smaller(n + 1, frames - 1) * small;
        enlarge<kWhole>(team, tile, tables, sharp, up, held, made + n * 4 * small);
        take<kWhole>(team, tile, next, taken);
    }
}

template <bool kWhole>
HD void make_group(const Block& block, const Team& team, float* shared, const float* low,
                   Stride low_stride, const float* known, Stride known_stride, float* made,
                   Stride made_stride, const float* opened, int groups, int frames, int height,
                   int width, const Tables& tables) {
    const int channel = block.z / groups, group = block.z % groups;
    const Tile tile{block.y * kRows, block.x * kColumns, height, width};
    const Stride small = (Stride)height * width;
    low += channel * low_stride + group * frames * small;
    known += channel * known_stride + group * 4 * small;
    made += channel * made_stride + group * frames * 4 * small;
    make_tile<kWhole>(team, tile, shared, low, known, made, opened, frames, tables);
}

}  // namespace climbing

/// `groups` groups of `frames` low-resolution frames (height, width) each against one known frame,
/// for which the shutter was `opened` (frames). The width is a multiple of four.
TILE_KERNEL(climb, climbing::kThreads, climbing::kResident, climbing::kShared,
       (const float* low, Stride low_stride, const float* known, Stride known_stride, float* made,
        Stride made_stride, const float* opened, int groups, int frames, int height, int width,
        const float* up_rows, const float* up_columns, const float* again_rows, const float* again_columns),
       climbing::make_group<true>(block, team, shared, low, low_stride, known, known_stride, made,
                                  made_stride, opened, groups, frames, height, width,
                                  climbing::Tables{up_rows, up_columns, again_rows, again_columns}))

/// The same for any width: both in one kernel would take each other's registers.
TILE_KERNEL(climb_odd, climbing::kThreads, climbing::kResident, climbing::kShared,
       (const float* low, Stride low_stride, const float* known, Stride known_stride, float* made,
        Stride made_stride, const float* opened, int groups, int frames, int height, int width,
        const float* up_rows, const float* up_columns, const float* again_rows, const float* again_columns),
       climbing::make_group<false>(block, team, shared, low, low_stride, known, known_stride, made,
                                   made_stride, opened, groups, frames, height, width,
                                   climbing::Tables{up_rows, up_columns, again_rows, again_columns}))
