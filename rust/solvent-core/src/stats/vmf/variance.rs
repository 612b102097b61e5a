//! A_d'(kappa), the variance of mu.x and the Fisher information of kappa.
//!
//! The textbook `1 - A^2 - (d-1) A/kappa` loses a factor kappa to cancellation. From the uniform expansion
//! `log I_v = T - log(2 pi w)/2 + log1p(S)`, w = hypot(v, kappa), S = sum q_k((v/w)^2) w^-k, differentiated twice,
//! `A' = v/(w (w + v)) - w^-2/2 + g^2 w^-2 + (log1p S)''`, v = d/2 - 1, g = kappa/w: no cancellation at any size.
//! Below w = 25, A comes from a few steps of the backward recurrence and is differentiated along with it.

use std::sync::OnceLock;

/// Terms of the expansion that are kept for w from the given bound on.
const BANDS: [(f64, usize); 7] =
    [(1e6, 2), (1e4, 3), (1e3, 5), (200.0, 7), (80.0, 10), (40.0, 13), (25.0, 17)];
const MAX_TERMS: usize = 17;

/// Coefficients of q_1 .. q_17 (degree k in p^2 each), from
/// `u_{k+1} = p^2 (1-p^2) u_k'/2 + (1/8) int_0^p (1 - 5 t^2) u_k dt`, u_k(p) = p^k q_k(p^2) (DLMF 10.41.9).
///
/// Formed once, in doubles: coefficient `i` of q_k gets two terms of the same sign from q_{k-1}, so rounding stays
/// at k ulp.
fn debye() -> &'static [[f64; MAX_TERMS + 1]; MAX_TERMS + 1] {
    static TABLE: OnceLock<[[f64; MAX_TERMS + 1]; MAX_TERMS + 1]> = OnceLock::new();
    TABLE.get_or_init(|| {
        let mut q = [[0.0; MAX_TERMS + 1]; MAX_TERMS + 1];
        q[0][0] = 1.0;
        for k in 0..MAX_TERMS {
            for i in 0..=k {
                // The power of p that belongs to coefficient i of u_k.
                let j = (k + 2 * i) as f64;
                let c = q[k][i];
                q[k + 1][i] += c * (0.5 * j + 0.125 / (j + 1.0));
                q[k + 1][i + 1] -= c * (0.5 * j + 0.625 / (j + 3.0));
            }
        }
        q
    })
}

/// A_d'(kappa) for `d >= 2` and finite `kappa >= 0`; 1/d at 0.
pub fn variance(d: usize, kappa: f64) -> f64 {
    let v = 0.5 * d as f64 - 1.0;
    let w = v.hypot(kappa);
    if w < 25.0 { variance_inner(v, kappa) } else { variance_outer(v, kappa, w) }
}

fn variance_outer(v: f64, kappa: f64, w: f64) -> f64 {
    let (p, g, r) = (v / w, kappa / w, 1.0 / w);
    let terms = BANDS.iter().find(|band| w >= band.0).map_or(MAX_TERMS, |band| band.1);
    let (q, p2) = (debye(), p * p);
    let (mut s, mut sx, mut sxx) = (0.0, 0.0, 0.0);
    for k in (1..=terms).rev() {
        // A monomial p^(2i) w^-k is v^(2i) w^-m, m = k + 2i; its derivatives by kappa are -m g r and
        // m ((m+2) g^2 - 1) r^2 times itself.
        let (mut a, mut ax, mut axx) = (0.0, 0.0, 0.0);
        for i in (0..=k).rev() {
            let (c, m) = (q[k][i], (k + 2 * i) as f64);
            a = a * p2 + c;
            ax = ax * p2 - c * m;
            axx = axx * p2 + c * m * ((m + 2.0) * g * g - 1.0);
        }
        s = (s + a) * r;
        sx = (sx + ax) * r;
        sxx = (sxx + axx) * r;
    }
    let slope = sx * g / (1.0 + s);
    let series = sxx / (1.0 + s) - slope * slope;
    r * (p / (1.0 + p)) + r * r * (g * g - 0.5 + series)
}

/// Backward recurrence r_u = 1/(2u/x + r_{u+1}) for r_u = I_u/I_{u-1}, and its derivative by x, `r' = r^2 (2u/x^2 -
/// r'_{u+1})`; from order v + 61 the start is forgotten to 1e-30 for x < 25.
///
/// In the unknowns y = r/x, z = r'(x): y = 1/(2u + x^2 y_+), z = x^2 y^2 (2u/x^2 - z_+) = y^2 (2u - x^2 z_+), so x = 0
/// needs no special case.
fn variance_inner(v: f64, x: f64) -> f64 {
    let x2 = x * x;
    let (mut y, mut z) = (0.0, 0.0);
    for k in (1..=80).rev() {
        let two_u = 2.0 * (v + k as f64);
        y = 1.0 / (two_u + x2 * y);
        z = y * y * (two_u - x2 * z);
    }
    z
}

#[cfg(test)]
mod tests {
    use approx::assert_relative_eq;

    use super::*;

    #[test]
    fn the_branches_meet_at_w_25() {
        for d in [2usize, 3, 10, 30, 51] {
            let v = 0.5 * d as f64 - 1.0;
            let x = (625.0 - v * v).sqrt();
            assert_relative_eq!(variance_inner(v, x), variance_outer(v, x, 25.0), max_relative = 2e-14);
        }
    }

    #[test]
    fn langevin_at_d_3() {
        // A(k) = coth k - 1/k, A'(k) = 1/k^2 - 1/sinh(k)^2.
        for k in [0.5f64, 3.0, 20.0, 60.0, 1e5] {
            let exact = 1.0 / (k * k) - if k < 300.0 { k.sinh().powi(-2) } else { 0.0 };
            assert_relative_eq!(variance(3, k), exact, max_relative = 3e-14);
        }
        assert_relative_eq!(variance(3, 0.0), 1.0 / 3.0, max_relative = 1e-15);
    }
}
