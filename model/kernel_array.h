/* What is done element by element, and reductions; included by kernel_variant.h.
 *
 * Plain loops that compilers vectorise for the variant's machine. Nothing is fused and reductions
 * use a fixed number of partial sums, so that every variant gives the same bits. */

static void sum_rows(size_t rows, size_t columns, const chirr_real *x, chirr_real *y)
{
    for (size_t r = 0; r < rows; r++) {
        for (size_t j = 0; j < columns; j++) {
            y[j] += x[r * columns + j];
        }
    }
}

/* Adds the partial sums pairwise: halves onto halves. */
static chirr_real fold(chirr_real sums[CHIRR_KERNEL_SUMS])
{
    for (size_t half = CHIRR_KERNEL_SUMS / 2; half > 0; half /= 2) {
        for (size_t i = 0; i < half; i++) {
            sums[i] += sums[i + half];
        }
    }
    return sums[0];
}

static chirr_real dot(size_t count, const chirr_real *x, const chirr_real *y)
{
    chirr_real sums[CHIRR_KERNEL_SUMS] = {0};
    size_t i = 0;
    for (; i + CHIRR_KERNEL_SUMS <= count; i += CHIRR_KERNEL_SUMS) {
        for (size_t k = 0; k < CHIRR_KERNEL_SUMS; k++) {
            sums[k] += x[i + k] * y[i + k];
        }
    }
    for (size_t k = 0; i < count; i++, k++) {
        sums[k] += x[i] * y[i];
    }
    return fold(sums);
}

enum { SLICE = 4096 }; /* slices are added in double, so that sums of long arrays lose nothing */

static double sum_squares(size_t count, const chirr_real *x)
{
    double total = 0;
    for (size_t i = 0; i < count; i += SLICE) {
        size_t n = count - i < SLICE ? count - i : SLICE;
        total += (double)dot(n, x + i, x + i);
    }
    return total;
}

static chirr_real norm(size_t width, const chirr_real *x, const chirr_real *gain, chirr_real *hat,
                       chirr_real *out)
{
    chirr_real mean_square = dot(width, x, x) / (chirr_real)width;
    chirr_real scale = (chirr_real)(1 / sqrt((double)mean_square + 1e-6));
    for (size_t i = 0; i < width; i++) {
        hat[i] = x[i] * scale;
        out[i] = hat[i] * gain[i];
    }
    return scale;
}

static void norm_backward(size_t width, chirr_real scale, const chirr_real *gain,
                          const chirr_real *hat, const chirr_real *d_out, chirr_real *d_x_d_gain[2])
{
    chirr_real *d_x = d_x_d_gain[0];
    chirr_real *d_gain = d_x_d_gain[1];
    chirr_real sums[CHIRR_KERNEL_SUMS] = {0};
    for (size_t i = 0; i < width; i++) {
        chirr_real product_i = d_out[i] * hat[i];
        d_gain[i] += product_i;
        sums[i % CHIRR_KERNEL_SUMS] += product_i * gain[i];
    }
    chirr_real mean = fold(sums) / (chirr_real)width;
    for (size_t i = 0; i < width; i++) {
        d_x[i] += scale * (d_out[i] * gain[i] - hat[i] * mean);
    }
}

static void gate(size_t count, const chirr_real *restrict gate_in, const chirr_real *restrict value,
                 chirr_real *restrict out)
{
    for (size_t i = 0; i < count; i++) {
        out[i] = gate_in[i] * chirr_sigmoid(gate_in[i]) * value[i];
    }
}

static void gate_backward(size_t count, const chirr_real *gate_value[2], const chirr_real *d_out,
                          chirr_real *d_gate, chirr_real *d_value)
{
    const chirr_real *gate_in = gate_value[0];
    const chirr_real *value = gate_value[1];
    for (size_t i = 0; i < count; i++) {
        chirr_real sigmoid = chirr_sigmoid(gate_in[i]);
        chirr_real slope = sigmoid * (1 + gate_in[i] * (1 - sigmoid));
        d_value[i] = d_out[i] * gate_in[i] * sigmoid;
        d_gate[i] = d_out[i] * value[i] * slope;
    }
}

static void softmax(size_t count, chirr_real *x)
{
    chirr_real greatest = x[0];
    for (size_t i = 1; i < count; i++) {
        greatest = x[i] > greatest ? x[i] : greatest;
    }
    for (size_t i = 0; i < count; i++) {
        x[i] = chirr_exp(x[i] - greatest);
    }
    chirr_real sums[CHIRR_KERNEL_SUMS] = {0};
    size_t whole = count - count % CHIRR_KERNEL_SUMS;
    for (size_t i = 0; i < whole; i += CHIRR_KERNEL_SUMS) {
        for (size_t k = 0; k < CHIRR_KERNEL_SUMS; k++) {
            sums[k] += x[i + k];
        }
    }
    for (size_t i = whole; i < count; i++) {
        sums[i - whole] += x[i];
    }
    chirr_real inverse = 1 / fold(sums);
    for (size_t i = 0; i < count; i++) {
        x[i] *= inverse;
    }
}

static void blend(size_t count, chirr_real factor, chirr_real *restrict y, chirr_real gain,
                  const chirr_real *restrict x)
{
    for (size_t i = 0; i < count; i++) {
        y[i] = factor * y[i] + gain * x[i];
    }
}

/* The upper half of each float, rounded to nearest, ties to even. The carry that rounds an infinity
 * or a NaN up is kept from changing what it is: a NaN stays a NaN by its highest bit. */
static void narrow(size_t count, const chirr_real *restrict wide, uint16_t *restrict out)
{
    for (size_t i = 0; i < count; i++) {
        const union {
            float value;
            uint32_t bits;
        } u = {.value = (float)wide[i]};
        uint32_t rounded = u.bits + 0x7fff + (u.bits >> 16 & 1);
        out[i] = (uint16_t)((u.value == u.value ? rounded : u.bits | 0x400000) >> 16);
    }
}

/* Eight at a time from one word, whose nibbles all lanes reach by shifts of their own. */
static void add_nibbles(size_t count, chirr_real step, const uint8_t *restrict packed,
                        chirr_real *restrict sum)
{
    size_t i = 0;
    for (; i + 8 <= count; i += 8) {
        const uint8_t *p = packed + i / 2;
        uint32_t word =
            (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
#pragma omp simd
        for (uint32_t lane = 0; lane < 8; lane++) {
            sum[i + lane] += step * (chirr_real)((int32_t)(word >> 4 * lane & 0xF) - 8);
        }
    }
    for (; i < count; i++) {
        sum[i] += step * (chirr_real)((packed[i / 2] >> (i % 2 * 4) & 0xF) - 8);
    }
}

/* sqrt is correctly rounded everywhere; its errno, not its value, would stop the vectoriser. */
#ifdef CHIRR_REAL_DOUBLE
#define ROOT(x) sqrt(x)
#else
#define ROOT(x) sqrtf(x)
#endif

/* Added to squared gradients: stands in for RMSprop's epsilon and keeps idle moments out of the
 * denormals. */
#define SQUARE_MIN 1e-16

static double descend_moment(const struct chirr_descent *descent, size_t count,
                             const chirr_real *restrict gradient, chirr_real *restrict moment)
{
    const struct chirr_descent k = *descent;
    double total = 0;
    for (size_t from = 0; from < count; from += SLICE) {
        size_t end = count - from < SLICE ? count : from + SLICE;
        chirr_real sums[CHIRR_KERNEL_SUMS] = {0};
        for (size_t block = from; block < end; block += CHIRR_KERNEL_SUMS) {
            size_t n = end - block < CHIRR_KERNEL_SUMS ? end - block : CHIRR_KERNEL_SUMS;
            for (size_t i = 0; i < n; i++) {
                chirr_real g = gradient[block + i];
                chirr_real square = g * g;
                chirr_real m =
                    k.decay * moment[block + i] + (1 - k.decay) * (square + CHIRR_REAL(SQUARE_MIN));
                moment[block + i] = m;
                sums[i] += square / m;
            }
        }
        total += (double)fold(sums);
    }
    return total;
}

static void descend_move(const struct chirr_descent *descent, size_t count,
                         const struct chirr_descent_arrays *arrays)
{
    const struct chirr_descent k = *descent;
    const chirr_real step = k.rate * k.clip;
    const struct chirr_descent_arrays a = *arrays;
#pragma omp simd
    for (size_t i = 0; i < count; i++) {
        chirr_real next = a.own[i] - step * a.gradient[i] / ROOT(a.moment[i]);
        next = next < k.bound ? next : k.bound;
        next = next > -k.bound ? next : -k.bound;
        a.own[i] = next;
        a.average[i] += k.average * (next - a.average[i]);
        a.weights[i] = a.base[i] + next;
    }
}
