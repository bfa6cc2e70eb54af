// Where patches of a frame are in another, as core.motion_loops has it: the same operations in the same
// order, a thread for each patch or pixel. Motion is found for pairs of neighbouring frames, forth (0)
// and back (1); tables of motion are (2, pairs, 3, rows, columns): down, right, and the mean difference.
#include "motion.cuh"

namespace motion {

constexpr int kPatch = 8;    // core.motion_loops: PATCH, STRIDE, DESCENTS, STILL, ALIKE, FLAT, LEVEL
constexpr int kStride = 4;
constexpr int kDescents = 5;
constexpr float kStill = 1e-3f, kAlike = 0.25f, kFlat = 1e-9f, kLevel = 1.0f / 255.0f;

/// Where a patch lands: its first row and column in the other frame, and how far behind them.
struct Landing {
    int row, column;
    float high, low, near, far;

    HD Landing(const Plane& after, int top, int left, Vector v) {
        const float y = within((float)top + v.down, -(float)kPatch, (float)after.height);
        const float x = within((float)left + v.right, -(float)kPatch, (float)after.width);
        row = (int)floorf(y);
        column = (int)floorf(x);
        low = y - (float)row;
        far = x - (float)column;
        high = 1.0f - low;
        near = 1.0f - far;
    }

    HD float miss(const Plane& before, const Plane& after, int top, int left, int i, int j) const {
        const float upper = near * after.held_at(row + i, column + j) + far * after.held_at(row + i, column + j + 1);
        const float lower =
            near * after.held_at(row + i + 1, column + j) + far * after.held_at(row + i + 1, column + j + 1);
        return high * upper + low * lower - before.at(top + i, left + j);
    }
};

struct Fit {
    float error, mean;
};

HD Fit misfit(const Plane& before, const Plane& after, int top, int left, Vector v) {
    const Landing landing(after, top, left, v);
    float total = 0.0f, squares = 0.0f;
ROLLED
    for (int i = 0; i < kPatch; ++i)
        for (int j = 0; j < kPatch; ++j) {
            const float miss = landing.miss(before, after, top, left, i, j);
            total += miss;
            squares += miss * miss;
        }
    const float mean = total / (float)(kPatch * kPatch);
    return {squares - total * mean, mean};
}

HD Vector slope(const Plane& grey, int y, int x) {
    return {0.5f * (grey.held_at(y + 1, x) - grey.held_at(y - 1, x)),
            0.5f * (grey.held_at(y, x + 1) - grey.held_at(y, x - 1))};
}

/// Gauss-Newton from a motion, with the slopes of the patch itself.
HD Vector descend(const Plane& before, const Plane& after, int top, int left, Vector best, float error) {
    float yy = 0.0f, xx = 0.0f, yx = 0.0f, y_sum = 0.0f, x_sum = 0.0f;
ROLLED
    for (int i = 0; i < kPatch; ++i)
        for (int j = 0; j < kPatch; ++j) {
            const Vector s = slope(before, top + i, left + j);
            yy += s.down * s.down;
            xx += s.right * s.right;
            yx += s.down * s.right;
            y_sum += s.down;
            x_sum += s.right;
        }
    const float count = (float)(kPatch * kPatch);
    yy -= y_sum * y_sum / count;
    xx -= x_sum * x_sum / count;
    yx -= y_sum * x_sum / count;
    const float volume = yy * xx - yx * yx;
    if (volume <= kFlat) return best;
    Vector v = best;
ROLLED
    for (int step = 0; step <= kDescents; ++step) {
        const Landing landing(after, top, left, v);
        float total = 0.0f, squares = 0.0f, y_miss = 0.0f, x_miss = 0.0f;
ROLLED
        for (int i = 0; i < kPatch; ++i)
            for (int j = 0; j < kPatch; ++j) {
                const float miss = landing.miss(before, after, top, left, i, j);
                const Vector s = slope(before, top + i, left + j);
                total += miss;
                squares += miss * miss;
                y_miss += s.down * miss;
                x_miss += s.right * miss;
            }
        const float mean = total / count, now = squares - total * mean;
        if (now < error) {
            best = v;
            error = now;
        } else if (step) {
            break;
        }
        y_miss -= mean * y_sum;
        x_miss -= mean * x_sum;
        const float y_step = (xx * y_miss - yx * x_miss) / volume, x_step = (yy * x_miss - yx * y_miss) / volume;
        v = {v.down - y_step, v.right - x_step};
        if (fabsf(v.down - best.down) + fabsf(v.right - best.right) > (float)kPatch ||
            y_step * y_step + x_step * x_step < kStill)
            break;
    }
    return best;
}

/// What is known of the patches of one pair and direction: of the round before, or, in the first
/// round, the flow at half the size.
struct Known {
    const float* table;  // (3, rows, columns), or null in the first round
    const float* coarse;  // (2, height, width), or null where there is nothing coarser
    int rows, columns, height, width;

    HD Vector at(int j, int i) const {
        if (table) {
            const float* place = table + j * columns + i;
            return {place[0], place[rows * columns]};
        }
        if (!coarse) return {0.0f, 0.0f};
        const int y = held((j * kStride + kPatch / 2) / 2, height), x = held((i * kStride + kPatch / 2) / 2, width);
        const float* place = coarse + (Stride)y * width + x;
        return {2.0f * place[0], 2.0f * place[(Stride)height * width]};
    }
};

/// The frames of a pair: before and after, whichever way the motion goes.
HD Plane frame_of(const float* greys, int height, int width, int pair, int way) {
    return {greys + (Stride)(pair + way) * height * width, height, width};
}

HD void follow(const Block& block, const Team& team, const float* greys, int height, int width, const float* coarse,
               int coarse_height, int coarse_width, const float* tables, float* found, int rows, int columns,
               int pairs) {
    const int pair = block.y, way = block.z;
    const Plane before = frame_of(greys, height, width, pair, way);
    const Plane after = frame_of(greys, height, width, pair, 1 - way);
    const Stride table = ((Stride)way * pairs + pair) * 3 * rows * columns;
    const Stride flow = ((Stride)way * pairs + pair) * 2 * coarse_height * coarse_width;
    const Known known{tables ? tables + table : nullptr,
                      coarse ? coarse + flow : nullptr,
                      rows, columns, coarse_height, coarse_width};
    for (int n = team.rank; n < kThreads; n += team.size) {
        const int item = block.x * kThreads + n, j = item / columns, i = item % columns;
        if (j >= rows) continue;
        const int top = smaller(j * kStride, height - kPatch), left = smaller(i * kStride, width - kPatch);
        Vector best = known.at(j, i);
        float error = misfit(before, after, top, left, best).error;
        bool fresh = !tables;
        for (int jj = j - 1; jj <= j + 1; ++jj)
            for (int ii = i - 1; ii <= i + 1; ++ii) {
                if (jj < 0 || ii < 0 || jj >= rows || ii >= columns) continue;
                const Vector other = known.at(jj, ii);
                if (fabsf(other.down - best.down) + fabsf(other.right - best.right) <= kAlike) continue;
                const float now = misfit(before, after, top, left, other).error;
                if (now < error) {
                    best = other;
                    error = now;
                    fresh = true;
                }
            }
        if (fresh) best = descend(before, after, top, left, best, error);
        float* place = found + table + j * columns + i;
        place[0] = best.down;
        place[rows * columns] = best.right;
        place[2 * rows * columns] = misfit(before, after, top, left, best).mean;
    }
}

/// Each pixel's motion: the mean of its patches', by how well each fits it.
HD void spread(const Block& block, const Team& team, const float* greys, int height, int width, const float* tables,
               int rows, int columns, int pairs, float* flows) {
    const int pair = block.y, way = block.z;
    const Plane before = frame_of(greys, height, width, pair, way);
    const Plane after = frame_of(greys, height, width, pair, 1 - way);
    const Stride size = (Stride)height * width;
    const float* table = tables + ((Stride)way * pairs + pair) * 3 * rows * columns;
    float* flow = flows + ((Stride)way * pairs + pair) * 2 * size;
    for (int n = team.rank; n < kThreads; n += team.size) {
        const int item = block.x * kThreads + n, y = item / width, x = item % width;
        if (y >= height) continue;
        float weights = 0.0f, down = 0.0f, right = 0.0f;
        const int first_row = y < kPatch ? 0 : (y - kPatch + kStride) / kStride;
        const int first_column = x < kPatch ? 0 : (x - kPatch + kStride) / kStride;
        for (int j = first_row; j < rows; ++j) {
            const int top = smaller(j * kStride, height - kPatch);
            if (top > y) break;
            if (top + kPatch <= y) continue;
            for (int i = first_column; i < columns; ++i) {
                const int left = smaller(i * kStride, width - kPatch);
                if (left > x) break;
                if (left + kPatch <= x) continue;
                const float* place = table + j * columns + i;
                const Vector v{place[0], place[rows * columns]};
                const float miss = Landing(after, top, left, v).miss(before, after, top, left, y - top, x - left);
                const float weight = 1.0f / fmaxf(fabsf(miss - place[2 * rows * columns]), kLevel);
                weights += weight;
                down += weight * v.down;
                right += weight * v.right;
            }
        }
        flow[item] = down / weights;
        flow[size + item] = right / weights;
    }
}

}  // namespace motion

/// (3, F, H, W) → (F, H, W), frame block.y.
KERNEL(grey, motion::kThreads, (const float* frames, Stride stride, float* made, int size), {
    for (int n = team.rank; n < motion::kThreads; n += team.size) {
        const int item = block.x * motion::kThreads + n;
        if (item >= size) continue;
        const float* place = frames + (Stride)block.y * size + item;
        made[(Stride)block.y * size + item] = (place[0] + place[stride] + place[2 * stride]) / 3.0f;
    }
})

/// (F, height, width) → (F, height / 2, width / 2): means of 2×2 pixels, frame block.y.
KERNEL(grey_half, motion::kThreads, (const float* greys, int height, int width, float* made), {
    const int rows = height / 2, columns = width / 2;
    for (int n = team.rank; n < motion::kThreads; n += team.size) {
        const int item = block.x * motion::kThreads + n, y = item / columns, x = item % columns;
        if (y >= rows) continue;
        const float* place = greys + (Stride)block.y * height * width + (Stride)(2 * y) * width + 2 * x;
        const float upper = place[0] + place[1], lower = place[width] + place[width + 1];
        made[(Stride)block.y * rows * columns + item] = 0.25f * (upper + lower);
    }
})

/// One round for the patches of pair block.y in direction block.z; `tables` of the round before, null
/// in the first, which takes `coarse` instead, null where there is nothing coarser.
KERNEL(follow, motion::kThreads,
       (const float* greys, int height, int width, const float* coarse, int coarse_height, int coarse_width,
        const float* tables, float* found, int rows, int columns, int pairs),
       motion::follow(block, team, greys, height, width, coarse, coarse_height, coarse_width, tables, found, rows,
                      columns, pairs))

/// Flows (2, pairs, 2, height, width), pair block.y in direction block.z.
KERNEL(spread_motion, motion::kThreads,
       (const float* greys, int height, int width, const float* tables, int rows, int columns, int pairs,
        float* flows),
       motion::spread(block, team, greys, height, width, tables, rows, columns, pairs, flows))
