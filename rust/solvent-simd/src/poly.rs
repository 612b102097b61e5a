//! Polynomials with constant coefficients.

use crate::lanes::Lanes;

/// `sum c_i x^i`. The even and the odd half run side by side, which halves the chain of dependent operations.
#[inline(always)]
pub fn poly<V: Lanes>(x: V, c: &[V::Scalar]) -> V {
    let n = c.len();
    if n < 4 {
        let mut p = V::splat(c[n - 1]);
        for i in 1..n {
            p = p.mul_add(x, V::splat(c[n - 1 - i]));
        }
        return p;
    }
    let square = x * x;
    let (mut high, mut low) = (V::splat(c[n - 1]), V::splat(c[n - 2]));
    for i in 1..n / 2 {
        high = high.mul_add(square, V::splat(c[n - 1 - 2 * i]));
        low = low.mul_add(square, V::splat(c[n - 2 - 2 * i]));
    }
    if n % 2 == 1 {
        // high began at the even power n - 1 and still lacks c_0.
        low.mul_add(x, high.mul_add(square, V::splat(c[0])))
    } else {
        high.mul_add(x, low)
    }
}

/// `a`, rounded to the lanes' precision, in every lane.
#[inline(always)]
pub fn c<V: Lanes>(a: f64) -> V {
    V::splat(<V::Scalar as crate::real::Real>::of(a))
}
