//! Random numbers that depend on neither threads nor machine: Philox4x32-10, and what is drawn from it.
//!
//! Philox (Salmon, Moraes, Dror & Shaw, SC'11) maps a 128-bit counter and a 64-bit key to 128 random bits by
//! ten rounds; any two distinct counters give independent words. The key is the seed; the counter is
//! (draw low, draw high, block, stream), so each block of work of each purpose has a stream of its own of
//! 2^64 draws, wherever it runs.
//!
//! What is drawn is made of +, -, ×, ÷, √ and comparisons only, and so has the same bits on every platform.

use super::elementary::{exp_negative, ln};
use super::ziggurat::{EDGE, HEIGHT, TAIL};

/// The ten rounds: one counter and key to four words.
pub fn philox4x32(counter: [u32; 4], key: [u32; 2]) -> [u32; 4] {
    rounds(counter.map(|word| [word]), key).map(|[word]| word)
}

/// `N` counters at once, one a lane, so that the compiler can use vector instructions.
#[inline(always)]
fn rounds<const N: usize>(mut c: [[u32; N]; 4], key: [u32; 2]) -> [[u32; N]; 4] {
    const MULTIPLIERS: [u64; 2] = [0xD251_1F53, 0xCD9E_8D57];
    const WEYL: [u32; 2] = [0x9E37_79B9, 0xBB67_AE85];
    let [mut k0, mut k1] = key;
    for _ in 0..10 {
        for i in 0..N {
            let p0 = MULTIPLIERS[0] * u64::from(c[0][i]);
            let p1 = MULTIPLIERS[1] * u64::from(c[2][i]);
            let (c1, c3) = (c[1][i], c[3][i]);
            c[0][i] = (p1 >> 32) as u32 ^ c1 ^ k0;
            c[1][i] = p1 as u32;
            c[2][i] = (p0 >> 32) as u32 ^ c3 ^ k1;
            c[3][i] = p0 as u32;
        }
        k0 = k0.wrapping_add(WEYL[0]);
        k1 = k1.wrapping_add(WEYL[1]);
    }
    c
}

/// Counters computed at a time.
const LANES: usize = 8;
const WORDS: usize = 4 * LANES;

/// A stream of random numbers.
#[derive(Debug, Clone)]
pub struct Philox {
    key: [u32; 2],
    block: u32,
    stream: u32,
    /// The next counter to be used.
    draw: u64,
    buffer: [u32; WORDS],
    /// Words of the buffer that are used up.
    used: usize,
}

impl Philox {
    /// The stream of (seed, stream, block), at its beginning.
    pub fn new(seed: u64, stream: u32, block: u32) -> Self {
        Self {
            key: [seed as u32, (seed >> 32) as u32],
            block,
            stream,
            draw: 0,
            buffer: [0; WORDS],
            used: WORDS,
        }
    }

    /// Jumps to a draw; a draw is four words (two doubles).
    pub fn seek(&mut self, draw: u64) {
        self.draw = draw;
        self.used = WORDS;
    }

    fn refill(&mut self) {
        let mut counters = [[0; LANES]; 4];
        for i in 0..LANES {
            let draw = self.draw.wrapping_add(i as u64);
            counters[0][i] = draw as u32;
            counters[1][i] = (draw >> 32) as u32;
            counters[2][i] = self.block;
            counters[3][i] = self.stream;
        }
        let words = rounds(counters, self.key);
        for i in 0..LANES {
            for j in 0..4 {
                self.buffer[4 * i + j] = words[j][i];
            }
        }
        self.draw = self.draw.wrapping_add(LANES as u64);
        self.used = 0;
    }

    /// 32 random bits.
    #[inline]
    pub fn next_u32(&mut self) -> u32 {
        if self.used == WORDS {
            self.refill();
        }
        let word = self.buffer[self.used];
        self.used += 1;
        word
    }

    /// 64 random bits: the next two words, low word first.
    #[inline]
    pub fn next_u64(&mut self) -> u64 {
        if let Some(&[low, high]) = self.buffer.get(self.used..).and_then(|rest| rest.first_chunk()) {
            self.used += 2;
            return u64::from(high) << 32 | u64::from(low);
        }
        let low = u64::from(self.next_u32());
        u64::from(self.next_u32()) << 32 | low
    }

    /// Uniform on the open interval (0, 1): an odd multiple of 2^-53, never 0 or 1.
    #[inline]
    pub fn uniform(&mut self) -> f64 {
        open_unit(self.next_u64())
    }

    /// Uniform on `0..n`, without bias (Lemire, ACM TOMACS 29 (2019) 3). Panics if `n` is 0.
    pub fn below(&mut self, n: u64) -> u64 {
        assert!(n > 0, "below(0): there is no such number");
        let mut product = u128::from(self.next_u64()) * u128::from(n);
        if (product as u64) < n {
            let threshold = n.wrapping_neg() % n;
            while (product as u64) < threshold {
                product = u128::from(self.next_u64()) * u128::from(n);
            }
        }
        (product >> 64) as u64
    }

    /// A uniformly random order (Fisher and Yates).
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            items.swap(i, self.below(i as u64 + 1) as usize);
        }
    }

    /// Standard normal: ziggurat of 256 layers (Marsaglia & Tsang 2000; tail by Marsaglia 1964), with 52
    /// random bits for the position, apart from those for layer and sign (Doornik 2005).
    #[inline]
    pub fn normal(&mut self) -> f64 {
        loop {
            let bits = self.next_u64();
            let (layer, u) = ((bits & 0xff) as usize, open_unit(bits));
            let x = u * EDGE[layer];
            if x < EDGE[layer + 1] || self.accept_normal(layer, x) {
                return sign(bits, x);
            }
            if layer == 0 {
                return sign(bits, self.normal_tail());
            }
        }
    }

    /// The wedge between a layer's rectangle and the density.
    #[cold]
    fn accept_normal(&mut self, layer: usize, x: f64) -> bool {
        if layer == 0 {
            return false;
        }
        let height = HEIGHT[layer] + self.uniform() * (HEIGHT[layer + 1] - HEIGHT[layer]);
        ln(height) < -0.5 * x * x
    }

    #[cold]
    fn normal_tail(&mut self) -> f64 {
        loop {
            let x = -ln(self.uniform()) / TAIL;
            if -2.0 * ln(self.uniform()) > x * x {
                return TAIL + x;
            }
        }
    }

    /// Standard exponential, by inversion.
    #[inline]
    pub fn exponential(&mut self) -> f64 {
        -ln(self.uniform())
    }

    /// Gamma of this shape and scale 1 (Marsaglia & Tsang, ACM TOMS 26 (2000) 363); nan unless
    /// `0 < shape < inf`. A shape below 1 takes one from `shape + 1` times `U^(1/shape)`, which may underflow
    /// to 0.
    pub fn gamma(&mut self, shape: f64) -> f64 {
        if !(shape > 0.0 && shape.is_finite()) {
            return f64::NAN;
        }
        if shape < 1.0 {
            let boost = exp_negative(-self.exponential() / shape);
            return boost * self.gamma(shape + 1.0);
        }
        let d = shape - 1.0 / 3.0;
        let c = 1.0 / (9.0 * d).sqrt();
        loop {
            let x = self.normal();
            let root = 1.0 + c * x;
            if root <= 0.0 {
                continue;
            }
            let v = root * root * root;
            let (u, square) = (self.uniform(), x * x);
            // The squeeze saves both logarithms nearly always.
            if u < 1.0 - 0.0331 * square * square || ln(u) < 0.5 * square + d * (1.0 - v + ln(v)) {
                return d * v;
            }
        }
    }

    /// Fills with [`uniform`](Self::uniform) numbers.
    pub fn fill_uniform(&mut self, out: &mut [f64]) {
        out.fill_with(|| self.uniform());
    }

    /// Fills with [`normal`](Self::normal) numbers.
    pub fn fill_normal(&mut self, out: &mut [f64]) {
        out.fill_with(|| self.normal());
    }
}

/// The upper 52 bits as an odd multiple of 2^-53: exact, symmetric about 1/2.
#[inline(always)]
fn open_unit(bits: u64) -> f64 {
    ((bits >> 12) as f64 + 0.5) * (1.0 / (1u64 << 52) as f64)
}

/// Bit 8 decides; bits 0 to 7 chose the layer and 12 to 63 the position.
#[inline(always)]
fn sign(bits: u64, x: f64) -> f64 {
    if bits & 0x100 == 0 { x } else { -x }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The published vectors (Random123 `kat_vectors`: philox4x32 10).
    #[test]
    fn known_answers() {
        let ones = u32::MAX;
        let pi = [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344];
        let zero = philox4x32([0; 4], [0; 2]);
        assert_eq!(zero, [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8]);
        assert_eq!(philox4x32([ones; 4], [ones; 2]), [0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd]);
        assert_eq!(
            philox4x32(pi, [0xa4093822, 0x299f31d0]),
            [0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1]
        );
    }

    /// The stream is the bijection at (draw low, draw high, block, stream), whatever the buffering.
    #[test]
    fn a_stream_is_its_counters() {
        let seed = 0x0123_4567_89ab_cdef;
        let mut rng = Philox::new(seed, 7, 11);
        for draw in 0..3 * LANES as u32 {
            let words = philox4x32([draw, 0, 11, 7], [0x89ab_cdef, 0x0123_4567]);
            assert_eq!([(); 4].map(|()| rng.next_u32()), words);
        }
        rng.seek((5 << 32) - 1);
        assert_eq!(rng.next_u32(), philox4x32([ones(), 4, 11, 7], [0x89ab_cdef, 0x0123_4567])[0]);
        for _ in 0..3 {
            rng.next_u32();
        }
        assert_eq!(rng.next_u32(), philox4x32([0, 5, 11, 7], [0x89ab_cdef, 0x0123_4567])[0]);
    }

    fn ones() -> u32 {
        u32::MAX
    }

    #[test]
    fn uniform_is_open() {
        assert_eq!(open_unit(0), 0.5f64.powi(53));
        assert_eq!(open_unit(u64::MAX), 1.0 - 0.5f64.powi(53));
    }

    const N: usize = 200_000;

    fn sample(stream: u32, draw: impl FnMut(&mut Philox) -> f64) -> Vec<f64> {
        let (mut rng, mut draw) = (Philox::new(20_250_923, stream, 0), draw);
        (0..N).map(|_| draw(&mut rng)).collect()
    }

    /// Kolmogorov-Smirnov distance times sqrt(n); above 1.95 with probability 0.001 for a right sampler.
    fn kolmogorov(mut x: Vec<f64>, cdf: impl Fn(f64) -> f64) -> f64 {
        x.sort_unstable_by(f64::total_cmp);
        let n = x.len() as f64;
        let distance = x.iter().enumerate().fold(0.0_f64, |worst, (i, &v)| {
            let f = cdf(v);
            worst.max((f - i as f64 / n).abs()).max(((i + 1) as f64 / n - f).abs())
        });
        distance * n.sqrt()
    }

    /// Normal distribution function: Marsaglia's series (J. Stat. Softw. 11 (2004) 4), exact to rounding.
    fn normal_cdf(x: f64) -> f64 {
        if x.abs() > 7.0 {
            return if x < 0.0 { 0.0 } else { 1.0 };
        }
        let (mut term, mut sum, mut i) = (x, x, 1.0);
        while sum + term != sum {
            i += 2.0;
            term *= x * x / i;
            sum += term;
        }
        0.5 + sum * (-0.5 * x * x).exp() / (2.0 * std::f64::consts::PI).sqrt()
    }

    #[test]
    fn uniforms_are_uniform() {
        assert!(kolmogorov(sample(1, Philox::uniform), |x| x) < 1.95);
    }

    #[test]
    fn normals_are_normal() {
        let x = sample(2, Philox::normal);
        // Standard errors of the first four moments: 1, sqrt 2, sqrt 15, sqrt 96 over sqrt n.
        let n = N as f64;
        for (power, expected, deviation) in [(1, 0.0, 1.0), (2, 1.0, 2.0), (3, 0.0, 15.0), (4, 3.0, 96.0)] {
            let moment = x.iter().map(|v| v.powi(power)).sum::<f64>() / n;
            assert!((moment - expected).abs() < 4.0 * (deviation / n).sqrt(), "{power}: {moment}");
        }
        // 2 (1 - Phi(TAIL)) n: the tail's own branch is met, and as often as it should be.
        let expected = 2.0 * (1.0 - normal_cdf(TAIL)) * n;
        let beyond = x.iter().filter(|v| v.abs() > TAIL).count() as f64;
        assert!(
            (beyond - expected).abs() < 4.0 * expected.sqrt(),
            "{beyond} beyond the tail, expected {expected}"
        );
        assert!(kolmogorov(x, normal_cdf) < 1.95);
    }

    #[test]
    fn exponentials_are_exponential() {
        assert!(kolmogorov(sample(3, Philox::exponential), |x| 1.0 - (-x).exp()) < 1.95);
    }

    /// Erlang distribution function, a closed form for integer shapes.
    fn erlang_cdf(shape: u32, x: f64) -> f64 {
        let (mut term, mut sum) = (1.0, 1.0);
        for k in 1..shape {
            term *= x / f64::from(k);
            sum += term;
        }
        1.0 - sum * (-x).exp()
    }

    #[test]
    fn gammas_are_gamma() {
        for shape in [1, 2, 5, 40] {
            let x = sample(10 + shape, |rng| rng.gamma(f64::from(shape)));
            assert!(kolmogorov(x, |v| erlang_cdf(shape, v)) < 1.95, "shape {shape}");
        }
        // Half a squared normal has shape 1/2: P(G <= x) = 2 Phi(sqrt(2x)) - 1.
        let x = sample(60, |rng| rng.gamma(0.5));
        assert!(kolmogorov(x, |v| 2.0 * normal_cdf((2.0 * v).sqrt()) - 1.0) < 1.95);
        // Large shapes: mean and variance are both the shape.
        let shape = 65_535.5;
        let x = sample(61, |rng| rng.gamma(shape));
        let mean = x.iter().sum::<f64>() / N as f64;
        let variance = x.iter().map(|v| (v - mean) * (v - mean)).sum::<f64>() / N as f64;
        assert!((mean - shape).abs() < 4.0 * (shape / N as f64).sqrt());
        assert!((variance / shape - 1.0).abs() < 4.0 * (2.0 / N as f64).sqrt());
        let mut rng = Philox::new(0, 0, 0);
        assert!([0.0, -1.0, f64::NAN, f64::INFINITY].iter().all(|&s| rng.gamma(s).is_nan()));
    }

    #[test]
    fn integers_are_unbiased() {
        let (n, mut rng) = (6, Philox::new(5, 0, 0));
        let mut counts = [0.0; 6];
        (0..60_000).for_each(|_| counts[rng.below(n) as usize] += 1.0);
        let chi2: f64 = counts.iter().map(|c: &f64| (c - 1e4) * (c - 1e4) / 1e4).sum();
        assert!(chi2 < 20.5, "chi-squared of 5 degrees exceeds 20.5 with probability 0.001: {chi2}");
        let mut items: Vec<u32> = (0..100).collect();
        rng.shuffle(&mut items);
        assert_ne!(items, (0..100).collect::<Vec<_>>());
        items.sort_unstable();
        assert_eq!(items, (0..100).collect::<Vec<_>>());
    }
}
