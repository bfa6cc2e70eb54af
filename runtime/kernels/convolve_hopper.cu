// The convolutions of convolve.cu on Hopper, whose tensor cores reach their rate only with operands in
// shared memory and four warps at once. The same octets: eight pixels side by side are the eight rows
// of 16 bytes that such an operand consists of, and the offset of a tap moves the place that they are
// read from.
// A block makes 64 columns of some rows of one frame and 64 or 128 channels, for 16 input channels of
// one tap in time after the other. One warp has the copy engine bring values and weights, stages ahead,
// the next tile's too; two groups of four warps multiply, each its rows.
#include "warpgroup.cuh"

namespace hopper {

using warp::Piece;
using convolving::Layer;

constexpr int kGroups = 2;
constexpr int kThreads = (kGroups + 1) * warpgroup::kThreads;
constexpr int kFewRegisters = 40, kManyRegisters = 232;  // of a thread that copies, that multiplies
constexpr int kTaps = convolving::kTaps;
constexpr int kColumns = warpgroup::kRows, kHaloColumns = kColumns + 2;

struct Tile {
    int top, left, block, frame;
};

/// How a block's groups share a tile of `channels` output channels.
template <int channels>
struct Shape {
    static constexpr int kOwnRows = channels == 64 ? 4 : 3;  // of a group
    static constexpr int kRows = kGroups * kOwnRows;
    static constexpr int kPlane = (kRows + 2) * kHaloColumns;
    static constexpr int kValues = 2 * kPlane;  // pieces of a stage: 16 channels
    static constexpr int kWeights = kTaps * 2 * channels;
    static constexpr int kStage = kValues + kWeights;
    static constexpr int kStages = 4;
    static constexpr int kShared = kStages * (kStage + 1);  // and two barriers each

    HD static int across(const Layer& layer) { return (layer.width + kColumns - 1) / kColumns; }
    HD static int down(const Layer& layer) { return (layer.height + kRows - 1) / kRows; }
    HD static int blocks(const Layer& layer) { return layer.octets * 8 / channels; }
    HD static int tiles(const Layer& layer) {
        return across(layer) * down(layer) * blocks(layer) * layer.frames;
    }

    HD static Tile tile(const Layer& layer, int index) {
        Tile made;
        made.left = index % across(layer) * kColumns, index /= across(layer);
        made.top = index % down(layer) * kRows, index /= down(layer);
        made.block = index % blocks(layer), made.frame = index / blocks(layer);
        return made;
    }
};

/// Pieces of a row that a tile reads; what would lie to the right of them, no pixel needs.
HD int pieces_of_row(const Layer& layer, const Tile& tile) {
    return smaller(kHaloColumns, layer.width + 2 - tile.left);
}

/// Where row `n` of a stage's values lies; below the border, the last one again.
template <int channels>
HD const Piece* row_of(const Layer& layer, const Tile& tile, int stage, int n) {
    constexpr int rows = Shape<channels>::kRows + 2;
    const int tap = stage / layer.steps, step = stage % layer.steps, octet = n / rows;
    const Stride plane = (Stride)(tile.frame + tap) * 2 * layer.steps + 2 * step + octet;
    const int y = smaller(tile.top + n % rows, layer.height + 1);
    return layer.given + (plane * (layer.height + 2) + y) * (layer.width + 2) + tile.left;
}

template <int channels>
HD const Piece* weights_of(const Layer& layer, const Tile& tile, int stage) {
    const Stride stages = layer.taps * layer.steps;
    return layer.weights + (tile.block * stages + stage) * Shape<channels>::kWeights;
}

template <int channels>
using GroupSums = warpgroup::Sums<channels>[Shape<channels>::kOwnRows];

/// One group's part of a stage.
template <int channels>
HD void add_stage(int group, const Piece* stage, bool first, GroupSums<channels>& sums) {
    using S = Shape<channels>;
UNROLL
    for (int tap = 0; tap < kTaps; ++tap) {
        const Piece* weights = stage + S::kValues + tap * 2 * channels;
UNROLL
        for (int row = 0; row < S::kOwnRows; ++row) {
            const int place = (group * S::kOwnRows + row + tap / 3) * kHaloColumns + tap % 3;
            warpgroup::multiply<channels>(sums[row], {stage + place, S::kPlane}, {weights, channels},
                                          !first || tap > 0);
        }
    }
}

/// Values = ReLU(sums + bias), as 16-bit numbers.
template <int channels>
HD void store(int thread, const Layer& layer, const Tile& tile, int group, const GroupSums<channels>& sums,
              Piece* made) {
    using S = Shape<channels>;
    constexpr int octets = channels / 8;
    const Stride area = (Stride)layer.height * layer.width;
    for (int held = 0; held < warpgroup::kHeld; ++held) {
        const int own = warpgroup::kHeld == 1 ? thread : held, pair = own % 4;
        const int x = tile.left + own / 32 * 16 + own % 32 / 4;
        const float* bias = layer.bias + tile.block * channels + 2 * pair;
        Piece* frame = made + ((Stride)tile.frame * layer.octets + tile.block * octets) * area + x;
UNROLL
        for (int octet = 0; octet < octets; ++octet) {
            const Pair add = pair_at(bias + 8 * octet);
UNROLL
            for (int row = 0; row < S::kOwnRows; ++row) {
                const int y = tile.top + group * S::kOwnRows + row;
                if (y >= layer.height) continue;
                Piece* place = frame + octet * area + (Stride)y * layer.width;
UNROLL
                for (int beside = 0; beside < 2; ++beside) {
                    if (x + 8 * beside >= layer.width) continue;
                    const float* value = sums[row].value[held] + 4 * octet + 2 * beside;
                    const float low = value[0] + add.a, high = value[1] + add.b;
                    place[8 * beside].word[pair] =
                        warp::halves(low > 0.0f ? low : 0.0f, high > 0.0f ? high : 0.0f);
                }
            }
        }
    }
}

#ifdef ON_HOPPER

/// The next slot of the ring, and the parity of its round.
struct Turn {
    int slot, parity;

    __device__ void pass(int slots) {
        if (++slot == slots) slot = 0, parity ^= 1;
    }
};

/// Bring one stage after the other, each once its slot has been worked off.
template <int channels>
__device__ void bring(const Block& block, int lane, Piece* shared, const warpgroup::Barrier* full,
                      const warpgroup::Barrier* empty, const Layer& layer, int grid) {
    using S = Shape<channels>;
    constexpr int rows = 2 * (S::kRows + 2);
    const int tiles = S::tiles(layer), stages = layer.taps * layer.steps;
    Turn turn{0, 1};  // the round before the first is over
    for (int index = block.x; index < tiles; index += grid) {
        const Tile tile = S::tile(layer, index);
        const int pieces = pieces_of_row(layer, tile);
        for (int stage = 0; stage < stages; ++stage) {
            const warpgroup::Barrier& here = full[turn.slot];
            Piece* values = shared + turn.slot * S::kStage;
            empty[turn.slot].wait(turn.parity);
            if (lane == 0) {
                here.expect((rows * pieces + S::kWeights) * (int)sizeof(Piece));
                warpgroup::copy_begun(values + S::kValues, weights_of<channels>(layer, tile, stage),
                                      S::kWeights, here);
            }
            __syncwarp();
            for (int n = lane; n < rows; n += 32)
                warpgroup::copy_begun(values + n * kHaloColumns, row_of<channels>(layer, tile, stage, n),
                                      pieces, here);
            turn.pass(S::kStages);
        }
    }
}

/// Multiply and store a group's rows of one tile after the other.
template <int channels>
__device__ void work_off(const Block& block, int thread, int group, const Piece* shared,
                         const warpgroup::Barrier* full, const warpgroup::Barrier* empty,
                         const Layer& layer, int grid, Piece* made) {
    using S = Shape<channels>;
    const int tiles = S::tiles(layer), stages = layer.taps * layer.steps;
    const bool speaks = thread % 32 == 0;  // for its warp
    Turn turn{0, 0};
    for (int index = block.x; index < tiles; index += grid) {
        GroupSums<channels> sums;
        int before = turn.slot;
        for (int stage = 0; stage < stages; ++stage) {
            full[turn.slot].wait(turn.parity);
UNROLL
            for (int row = 0; row < S::kOwnRows; ++row) warpgroup::hold(sums[row]);
            warpgroup::begin_products();
            add_stage<channels>(group, shared + turn.slot * S::kStage, stage == 0, sums);
            warpgroup::end_products();
            warpgroup::products_done<1>();
            if (stage > 0 && speaks) empty[before].arrive();
            before = turn.slot;
            turn.pass(S::kStages);
        }
        warpgroup::products_done<0>();
        if (speaks) empty[before].arrive();
UNROLL
        for (int row = 0; row < S::kOwnRows; ++row) warpgroup::hold(sums[row]);
        store<channels>(thread, layer, S::tile(layer, index), group, sums, made);
    }
}

template <int channels>
__device__ void convolve(const Block& block, const Team& team, Piece* shared, const Layer& layer, int grid,
                         Piece* made) {
    using S = Shape<channels>;
    auto* full = reinterpret_cast<warpgroup::Barrier*>(shared + S::kStages * S::kStage);
    auto* empty = full + S::kStages;
    if (team.rank == 0) {
        for (int slot = 0; slot < S::kStages; ++slot) {
            full[slot].start(1);
            empty[slot].start(kGroups * warpgroup::kThreads / 32);
        }
        warpgroup::barriers_started();
    }
    team.wait();
    const int group = team.rank / warpgroup::kThreads, thread = team.rank % warpgroup::kThreads;
    if (group == kGroups) {
        warpgroup::keep_registers<kFewRegisters>();
        if (thread < 32) bring<channels>(block, thread, shared, full, empty, layer, grid);
    } else {
        warpgroup::take_registers<kManyRegisters>();
        work_off<channels>(block, thread, group, shared, full, empty, layer, grid, made);
    }
}

#elif !defined(__CUDACC__)

template <int channels>
void convolve(const Block& block, const Team&, Piece* shared, const Layer& layer, int grid, Piece* made) {
    using S = Shape<channels>;
    for (int index = block.x; index < S::tiles(layer); index += grid) {
        const Tile tile = S::tile(layer, index);
        static GroupSums<channels> sums[kGroups];
        for (int stage = 0; stage < layer.taps * layer.steps; ++stage) {
            for (int n = 0; n < 2 * (S::kRows + 2); ++n)
                std::copy_n(row_of<channels>(layer, tile, stage, n), pieces_of_row(layer, tile),
                            shared + n * kHaloColumns);
            std::copy_n(weights_of<channels>(layer, tile, stage), S::kWeights, shared + S::kValues);
            for (int group = 0; group < kGroups; ++group)
                add_stage<channels>(group, shared, stage == 0, sums[group]);
        }
        for (int group = 0; group < kGroups; ++group)
            store<channels>(0, layer, tile, group, sums[group], made);
    }
}

#else

template <int channels>
__device__ void convolve(const Block&, const Team&, Piece*, const Layer&, int, Piece*) {}

#endif

}  // namespace hopper

// As convolve_64 and convolve_128, on Hopper alone.

TENSOR_KERNEL(convolve_hopper_64, hopper::kThreads, hopper::Shape<64>::kShared,
              (const void* given, const void* weights, const float* bias, void* made, int taps,
               int steps, int frames, int octets, int height, int width, int blocks),
              hopper::convolve<64>(block, team, shared,
                                   {(const warp::Piece*)given, (const warp::Piece*)weights, bias,
                                    taps, steps, frames, octets, height, width},
                                   blocks, (warp::Piece*)made))

TENSOR_KERNEL(convolve_hopper_128, hopper::kThreads, hopper::Shape<128>::kShared,
              (const void* given, const void* weights, const float* bias, void* made, int taps,
               int steps, int frames, int octets, int height, int width, int blocks),
              hopper::convolve<128>(block, team, shared,
                                    {(const warp::Piece*)given, (const warp::Piece*)weights, bias,
                                     taps, steps, frames, octets, height, width},
                                    blocks, (warp::Piece*)made))
