// Frames moved along their motion, as core.motion_loops has it, a thread for each pixel.
#include "motion.cuh"

namespace motion {

constexpr float kSharpness = -0.75f;  // as in core.motion_loops
constexpr int kChannels = 3;

/// What is read of a plane between its pixels.
template <class Values>
HD float between(const Values& p, float y, float x) {
    const int row = (int)floorf(y), column = (int)floorf(x);
    const float low = y - (float)row, far = x - (float)column;
    const float a = p.held_at(row, column), b = p.held_at(row, column + 1);
    const float c = p.held_at(row + 1, column), d = p.held_at(row + 1, column + 1);
    const float upper = a + far * (b - a), lower = c + far * (d - c);
    return upper + low * (lower - upper);
}

/// Motion along one axis at a place in a frame, from a flow `scale` times smaller, 1 or 2.
HD float along(const float* plane, int height, int width, float y, float x, float scale) {
    const float share = 1.0f / scale;
    const float down = within((y + 0.5f) * share - 0.5f, 0.0f, (float)(height - 1));
    const float across = within((x + 0.5f) * share - 0.5f, 0.0f, (float)(width - 1));
    return scale * between(Plane{plane, height, width}, down, across);
}

HD void keys(float far, float* weights) {
    const float a = kSharpness, near = 1.0f - far;
    weights[0] = a * far * near * near;
    weights[1] = 1.0f + far * far * ((a + 2.0f) * far - (a + 3.0f));
    weights[2] = 1.0f + near * near * ((a + 2.0f) * near - (a + 3.0f));
    weights[3] = a * near * far * far;
}

/// (2, height, width), of a frame's or of half its size.
struct Flow {
    const float* values;
    int height, width;
};

/// Add `weight` times a pixel of a frame that was moved by a share of its flow.
HD void add_moved(const float* frame, Stride stride, int height, int width, const Flow& flow, float share,
                  float weight, int y, int x, float* sums) {
    const float scale = flow.height == height ? 1.0f : 2.0f;
    const float* across = flow.values + (Stride)flow.height * flow.width;
    float v = along(flow.values, flow.height, flow.width, (float)y, (float)x, scale);
    float u = along(across, flow.height, flow.width, (float)y, (float)x, scale);
    const float back_y = within((float)y - share * v, 0.0f, (float)(height - 1));
    const float back_x = within((float)x - share * u, 0.0f, (float)(width - 1));
    v = along(flow.values, flow.height, flow.width, back_y, back_x, scale);
    u = along(across, flow.height, flow.width, back_y, back_x, scale);
    const float from_y = within((float)y - share * v, 0.0f, (float)(height - 1));
    const float from_x = within((float)x - share * u, 0.0f, (float)(width - 1));
    const int row = (int)floorf(from_y), column = (int)floorf(from_x);
    float down[4], right[4];
    keys(from_y - (float)row, down);
    keys(from_x - (float)column, right);
UNROLL
    for (int c = 0; c < kChannels; ++c) {
        const Plane plane{frame + c * stride, height, width};
        float total = 0.0f;
        for (int i = 0; i < 4; ++i) {
            float line = 0.0f;
            for (int j = 0; j < 4; ++j) line += right[j] * plane.held_at(row - 1 + i, column - 1 + j);
            total += down[i] * line;
        }
        sums[c] += weight * total;
    }
}

/// What a frame's flow to the next one and that to the one before gain on each other, along one axis;
/// 0 at the ends of the video.
struct Gain {
    const float *forth, *back;
    int height, width;

    HD float held_at(int y, int x) const {
        const Stride place = (Stride)held(y, height) * width + held(x, width);
        return forth ? forth[place] + back[place] : 0.0f;
    }
};

/// Flows (2, count, 2, height, width) of pairs from number `first` on.
struct Flows {
    const float* values;
    int first, count, height, width;

    HD const float* of(int way, int pair, int axis) const {
        return values + (((Stride)way * count + pair - first) * 2 + axis) * height * width;
    }
    HD Gain gain(int frame, int axis, int num_given) const {
        if (frame <= 0 || frame + 1 >= num_given) return {nullptr, nullptr, height, width};
        return {of(0, frame, axis), of(1, frame - 1, axis), height, width};
    }
};

/// The straight ways (2, 2, pairs, 2, height, width) on which pixels are where their curves are: by
/// time, direction and pair. Block.z is both of the former, for which `shares` have how much of a gain
/// lies aside of the flow.
HD void bend(const Block& block, const Team& team, const Flows& flows, int first_pair, int pairs,
             const float* shares, int num_given, float* bent) {
    const int way = block.z % 2, pair = first_pair + block.y;
    const Stride size = (Stride)flows.height * flows.width;
    const float *down = flows.of(way, pair, 0), *right = flows.of(way, pair, 1);
    float* made = bent + ((Stride)block.z * pairs + block.y) * 2 * size;
    const float part = 0.5f * shares[5 + block.z];
    for (int n = team.rank; n < kThreads; n += team.size) {
        const int item = block.x * kThreads + n, y = item / flows.width, x = item % flows.width;
        if (y >= flows.height) continue;
        const float v = down[item], u = right[item];
        const float to_y = within((float)y + v, 0.0f, (float)(flows.height - 1));
        const float to_x = within((float)x + u, 0.0f, (float)(flows.width - 1));
        for (int axis = 0; axis < 2; ++axis) {
            const Gain here = flows.gain(pair + way, axis, num_given);
            const Gain there = flows.gain(pair + 1 - way, axis, num_given);
            made[axis * size + item] =
                (axis ? u : v) - part * (here.held_at(y, x) + between(there, to_y, to_x));
        }
    }
}

/// Both fast frames of a given one, whose mean over the exposure is the one given. `frames` are those
/// given from number `first` on, `bent` the ways of the pairs from `first_pair` on; `shares` are the
/// times of the frames of a pair and what is left of each to 1, what the second weighs, and more.
HD void move(const Block& block, const Team& team, const float* frames, Stride stride, int first, int height,
             int width, const float* bent, int flow_height, int flow_width, int first_pair, int pairs,
             const float* shares, int num_given, float* made, Stride made_stride, int group) {
    const Stride size = (Stride)height * width, flow_size = 2 * (Stride)flow_height * flow_width;
    const int number = group + block.y;
    for (int n = team.rank; n < kThreads; n += team.size) {
        const int item = block.x * kThreads + n, y = item / width, x = item % width;
        if (y >= height) continue;
        const float* own = frames + (number - first) * size;
        float sums[2][kChannels] = {};
        for (int k = 0; k < 2; ++k) {  // the first lies behind the frame before, the second behind this
            const int pair = number - 1 + k;
            if (pair < 0 || pair + 1 >= num_given) {
                for (int c = 0; c < kChannels; ++c) sums[k][c] = own[c * stride + item];
                continue;
            }
            const int second = 1 - k;  // of the pair's two frames
            const float time = shares[2 * second], rest = shares[2 * second + 1];
            const float* before = frames + (pair - first) * size;
            const float* ways = bent + ((Stride)2 * second * pairs + pair - first_pair) * flow_size;
            const Flow forth{ways, flow_height, flow_width};
            const Flow back{forth.values + pairs * flow_size, flow_height, flow_width};
            add_moved(before, stride, height, width, forth, time, rest, y, x, sums[k]);
            add_moved(before + size, stride, height, width, back, rest, time, y, x, sums[k]);
        }
        const float late = shares[4];
        for (int c = 0; c < kChannels; ++c) {
            const float mean = (1.0f - late) * sums[0][c] + late * sums[1][c];
            const float off = mean - own[c * stride + item];
            float* place = made + c * made_stride + 2 * (Stride)block.y * size + item;
            place[0] = sums[0][c] - off;
            place[size] = sums[1][c] - off;
        }
    }
}

}  // namespace motion

/// The ways of pair `first_pair` + block.y; block.z is its time and direction.
KERNEL(bend_motion, motion::kThreads,
       (const float* flows, int first, int count, int height, int width, int first_pair, int pairs,
        const float* shares, int num_given, float* bent),
       motion::bend(block, team, motion::Flows{flows, first, count, height, width}, first_pair, pairs, shares,
                    num_given, bent))

/// The frames of group `group` + block.y.
KERNEL(move_frames, motion::kThreads,
       (const float* frames, Stride stride, int first, int height, int width, const float* bent, int flow_height,
        int flow_width, int first_pair, int pairs, const float* shares, int num_given, float* made,
        Stride made_stride, int group),
       motion::move(block, team, frames, stride, first, height, width, bent, flow_height, flow_width, first_pair,
                    pairs, shares, num_given, made, made_stride, group))
