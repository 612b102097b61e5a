"""Minimax coefficients and tables of solvent-simd: writes rust/solvent-simd/src/tables.rs.

    python tools/gen_simd_tables.py            write it
    python tools/gen_simd_tables.py --check    write nothing, fail if the file on disk differs

Every polynomial has the least degree for which Remez's exchange (45 digits) meets the target, in the error that
matters to its kernel (the weight). Coefficients are then rounded one at a time from the lowest on, and the others
fitted anew (least squares over Chebyshev points) after each, so that those that follow make good its rounding.
"""

import sys
from pathlib import Path

import numpy as np
from mpmath import mp, mpf
from rustfmt import rustfmt

mp.dps = 45
OUT = Path(__file__).resolve().parents[1] / "rust" / "solvent-simd" / "src" / "tables.rs"
ROUND = {"f64": lambda c: mpf(float(c)), "f32": lambda c: mpf(float(np.float32(float(c))))}


def horner(c, x):
    total = mpf(0)
    for a in reversed(c):
        total = total * x + a
    return total


def remez(grid, values, weights, degree):
    """The polynomial that minimises max |weight (p - f)|, and the maximum."""
    n = degree + 1
    at = [round(j * (len(grid) - 1) / n) for j in range(n + 1)]
    for _ in range(12):
        a = mp.matrix(n + 1, n + 1)
        b = mp.matrix(n + 1, 1)
        for i, j in enumerate(at):
            entry = weights[j]
            for d in range(n):
                a[i, d] = entry
                entry *= grid[j]
            a[i, n] = (-1) ** i
            b[i] = values[j] * weights[j]
        s = mp.lu_solve(a, b)
        c = [s[d] for d in range(n)]
        err = [w * (horner(c, x) - f) for x, f, w in zip(grid, values, weights, strict=True)]
        # One extremum for each run of one sign.
        peaks = []
        for j, e in enumerate(err):
            if peaks and (e > 0) == (err[peaks[-1]] > 0):
                if abs(e) > abs(err[peaks[-1]]):
                    peaks[-1] = j
            else:
                peaks.append(j)
        while len(peaks) > n + 1:
            peaks.pop(0 if abs(err[peaks[0]]) < abs(err[peaks[-1]]) else -1)
        worst = max(abs(e) for e in err)
        if len(peaks) < n + 1 or worst < abs(s[n]) * mpf("1.02"):
            break
        at = peaks
    return c, worst


def fit(f, weight, lo, hi, target, kind, first):
    """Rounded coefficients whose weighted error before rounding is below `target`, with as few as do it."""
    lo, hi = mpf(lo), mpf(hi)
    grid = [(lo + hi) / 2 - (hi - lo) / 2 * mp.cos(mp.pi * j / 300) for j in range(301)]
    grid = [x for x in grid if abs(x) > mpf(10) ** -25]
    values, weights = [f(x) for x in grid], [weight(x) for x in grid]
    degree = 2
    while remez(grid, values, weights, degree)[1] > target:
        degree += 1
    n = degree + 1
    rows = [[w * x**d for d in range(n)] for x, w in zip(grid, weights, strict=True)]
    gram = [[mp.fdot((r[i], r[j]) for r in rows) for j in range(n)] for i in range(n)]
    right = [mp.fdot((r[i], w * f) for r, w, f in zip(rows, weights, values, strict=True)) for i in range(n)]
    fixed = [] if first is None else [mpf(first)]
    for k in range(len(fixed), n):
        if k == 0:
            free = remez(grid, values, weights, degree)[0]
        else:
            a = mp.matrix([[gram[i][j] for j in range(k, n)] for i in range(k, n)])
            b = mp.matrix([right[i] - mp.fdot(gram[i][:k], fixed) for i in range(k, n)])
            free = mp.lu_solve(a, b)
        fixed.append(ROUND[kind](free[0]))
    worst = max(abs(w * (horner(fixed, x) - f)) for x, f, w in zip(grid, values, weights, strict=True))
    return fixed, worst


def ln_table(kind):
    """For the 16 leading fractions of m in [3/4, 3/2): r near 1/m, and g = -ln r to far beyond the precision.

    g lies on a grid so coarse that e ln2_hi + g is exact; of the grid values near the middle of the interval the one
    is taken whose exp(-g) happens to lie nearest to a number of the format.
    """
    # The stride keeps away from the pattern that neighbours would follow.
    grid, tries, stride, want = (
        (2**42, 4000, 1234577, 2.0**-63) if kind == "f64" else (2**16, 800, 1, 2.0**-31)
    )
    r, g = [], []
    for i in range(16):
        if i in (0, 15):
            r.append(mpf(1))
            g.append(mpf(0))
            continue
        left = mpf(1) + mpf(i) / 16
        right = left + mpf(1) / 16
        if i >= 8:
            left, right = left / 2, right / 2
        middle = mp.nint(mp.log((left + right) / 2) * grid)
        best = None
        for j in range(-tries // 2, tries // 2):
            gj = (middle + j * stride) / grid
            exact = mp.exp(-gj)
            rj = ROUND[kind](exact)
            off = abs(rj / exact - 1)
            if best is None or off < best[0]:
                best = (off, rj, gj)
        assert best[0] < want, (i, best)
        r.append(best[1])
        g.append(best[2])
    return r, g


def f_range(r):
    """The interval of m r - 1."""
    ends = []
    for i in range(16):
        left = (mpf(1) + mpf(i) / 16) / (2 if i >= 8 else 1)
        right = left + (mpf(1) / 16) / (2 if i >= 8 else 1)
        ends += [left * r[i] - 1, right * r[i] - 1]
    return min(ends) - mpf(2) ** -40, max(ends) + mpf(2) ** -40


def split(value, kind, grid):
    """`value` in two parts, the first a multiple of 1/grid."""
    hi = mp.nint(value * grid) / grid
    return hi, ROUND[kind](value - hi)


def short(c, kind):
    """The shortest decimal that reads back as the number of the format."""
    if c == 0:
        return "0.0"
    text = repr(float(c)) if kind == "f64" else str(np.float32(float(c)))
    if "e" not in text and "." not in text:
        text += ".0"
    return text


def main():
    lines = [
        "//! Generated by tools/gen_simd_tables.py: minimax coefficients, lowest first, and tables.",
        "//! Each comment gives the largest error of the fit, weighted as its kernel needs it.",
        "",
    ]

    def array(name, kind, values, comment):
        lines.append(f"/// {comment}")
        body = ", ".join(short(c, kind) for c in values)
        lines.append(f"pub const {name}_{kind.upper()}: [{kind}; {len(values)}] = [{body}];")

    def scalar(name, kind, value, comment):
        lines.append(f"/// {comment}")
        lines.append(f"pub const {name}_{kind.upper()}: {kind} = {short(value, kind)};")

    half_ln_2pi = mp.log(2 * mp.pi) / 2
    gamma2 = lambda t: mp.loggamma(2 + t) / t
    for kind, bits in (("f64", 57), ("f32", 28)):
        goal = mpf(2) ** -bits
        far = mpf(8 if kind == "f64" else 3)

        def poly(name, f, weight, lo, hi, what, first=None, target=goal, kind=kind):
            c, worst = fit(f, weight, lo, hi, target, kind, first)
            array(name, kind, c, f"{what}: 2^{float(mp.log(worst, 2)):.1f}.")
            print(kind, name, len(c), f"2^{float(mp.log(worst, 2)):.1f}", flush=True)

        half_ln2 = mp.log(2) / 2 * mpf("1.0001")
        poly(
            "EXP",
            lambda r: (mp.expm1(r) - r) / r**2,
            lambda r: r**2 / abs(mp.expm1(r)),
            -half_ln2,
            mp.log(mpf("1.5")),
            "`(e^r - 1 - r)/r^2`, r in [-ln(2)/2, ln(3/2)]; relative to e^r - 1",
            0.5,
        )
        for name, width in (("EXP2", 2), ("EXP2_NEAR", 32)):
            poly(
                name,
                lambda r: mp.expm1(r * mp.log(2)) / r,
                lambda r: abs(r) / mp.mpf(2) ** r,
                mpf(-1) / width,
                mpf(1) / width,
                f"`(2^r - 1)/r`, |r| <= 1/{width}; relative to 2^r",
                target=2 * goal,
            )
        sixteenths = [ROUND[kind](mpf(2) ** (mpf(i) / 16)) for i in range(16)]
        array("EXP2_TABLE", kind, sixteenths, "2^(i/16).")
        z_max = ((mp.sqrt(2) - 1) / (mp.sqrt(2) + 1)) ** 2 * mpf("1.0001")
        poly(
            "LN",
            lambda z: (2 * mp.atanh(mp.sqrt(z)) / mp.sqrt(z) - 2) / z,
            lambda z: z / 2,
            mpf("1e-30"),
            z_max,
            "`(ln((1 + s)/(1 - s))/s - 2)/s^2` in s^2, s^2 <= 0.0295; relative",
        )
        r, g = ln_table(kind)
        lo, hi = f_range(r)
        poly(
            "LN_NEAR",
            lambda f: (mp.log1p(f) - f) / f**2,
            lambda f: f**2 / abs(mp.log1p(f)),
            lo,
            hi,
            "`(ln(1 + f) - f)/f^2` for the f that the table of reciprocals leaves; relative",
            -0.5,
        )
        array("LN_RECIPROCAL", kind, r, "Near 1/m, by the leading fraction bits of m in [3/4, 3/2).")
        array("LN_TABLE", kind, g, "-ln of that, on a grid where adding e LN2_HI is exact.")
        hi2, lo2 = split(mp.log(2), kind, 2**42 if kind == "f64" else 2**16)
        scalar("LN2_HI", kind, hi2, "ln 2, its leading part on the same grid.")
        scalar("LN2_LO", kind, lo2, "The rest of ln 2.")
        quarter = mpf(1) / 16
        poly(
            "SINPI",
            lambda z: (mp.sin(mp.pi * mp.sqrt(z)) / mp.sqrt(z) - mp.pi) / z,
            lambda z: z * mp.sqrt(z) / mp.sin(mp.pi * mp.sqrt(z)),
            mpf("1e-30"),
            quarter,
            "`(sin(pi r)/r - pi)/r^2` in r^2, |r| <= 1/4; relative to sin(pi r)",
        )
        poly(
            "COSPI",
            lambda z: (mp.cos(mp.pi * mp.sqrt(z)) - 1) / z,
            lambda z: z,
            mpf("1e-20"),
            quarter,
            "`(cos(pi r) - 1)/r^2` in r^2, |r| <= 1/4; absolute",
        )
        head = 24 if kind == "f64" else 9
        pi_hi = ROUND[kind](mp.pi)
        scalar("PI_LO", kind, ROUND[kind](mp.pi - pi_hi), "pi less its rounded value.")
        pi_head = mp.nint(mp.pi * 2**head) / 2**head
        scalar(
            "PI_HEAD",
            kind,
            pi_head,
            "pi in half the bits: its product with half the bits of another is exact.",
        )
        scalar("PI_TAIL", kind, ROUND[kind](mp.pi - pi_head), "The rest of pi.")
        poly(
            "LGAMMA",
            gamma2,
            lambda t: t / mp.loggamma(2 + t),
            mpf("-0.5"),
            mpf("0.5"),
            "`lgamma(2 + t)/t`, |t| <= 1/2; relative",
        )
        poly(
            "DIGAMMA",
            lambda t: mp.digamma(mpf("1.5") + t),
            lambda _: mpf(1),
            mpf("-0.5"),
            mpf("0.5"),
            "`digamma(3/2 + t)`, |t| <= 1/2; absolute",
        )
        poly(
            "STIRLING",
            lambda w: (
                (
                    mp.loggamma(1 / mp.sqrt(w))
                    - (1 / mp.sqrt(w) - mpf(1) / 2) * mp.log(1 / mp.sqrt(w))
                    + 1 / mp.sqrt(w)
                    - half_ln_2pi
                )
                / mp.sqrt(w)
            ),
            lambda w: mp.sqrt(w),
            mpf(2) ** -40,
            1 / far**2,
            f"`(lgamma(x) - Stirling) x` in 1/x^2, x >= {int(far)}; absolute",
        )
        poly(
            "DIGAMMA_FAR",
            lambda w: -(mp.digamma(1 / mp.sqrt(w)) + mp.log(w) / 2 + mp.sqrt(w) / 2) / w,
            lambda w: w,
            mpf(2) ** -40,
            1 / far**2,
            f"`(ln(x) - 1/(2 x) - digamma(x)) x^2` in 1/x^2, x >= {int(far)}; absolute",
        )
        scalar("FAR", kind, far, "Stirling's series serves from here on.")
        scalar("RECIPROCAL_E", kind, ROUND[kind](mp.exp(-1)), "1/e.")
        scalar("STIRLING_0", kind, ROUND[kind](half_ln_2pi - mpf(1) / 2), "(ln(2 pi) - 1)/2.")
    made = rustfmt("\n".join(lines) + "\n")
    if "--check" in sys.argv[1:]:
        sys.exit(f"stale tables: {OUT.name}" if OUT.read_text() != made else 0)
    OUT.write_text(made)


if __name__ == "__main__":
    main()
