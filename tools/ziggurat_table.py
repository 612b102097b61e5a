"""Make rust/solvent-core/src/base/ziggurat.rs: the layers of the normal ziggurat, to double precision.

256 layers of equal area v under f(x) = exp(-x**2/2), x >= 0 (Marsaglia and Tsang, J. Stat. Softw. 5 (2000) 8;
Doornik 2005). The lowest layer is the rectangle [0, r] x [0, f(r)] with the tail beyond r. r is the root of
"the recursion ends at f = 1".

    python tools/ziggurat_table.py > rust/solvent-core/src/base/ziggurat.rs
"""

import mpmath as mp

mp.mp.dps = 60
LAYERS = 256


def area(r):
    return r * mp.exp(-r * r / 2) + mp.sqrt(mp.pi / 2) * mp.erfc(r / mp.sqrt(2))


def edges(r):
    """Right edges x_1 = r > x_2 > ... > x_255, and the excess of the topmost layer over f = 1."""
    v, xs = area(r), [r]
    for _ in range(LAYERS - 2):
        height = v / xs[-1] + mp.exp(-(xs[-1] ** 2) / 2)
        if height >= 1:
            return xs, height - 1 + (LAYERS - len(xs))
        xs.append(mp.sqrt(-2 * mp.log(height)))
    return xs, v / xs[-1] + mp.exp(-(xs[-1] ** 2) / 2) - 1


def main():
    low, high = mp.mpf(3), mp.mpf(4)
    for _ in range(190):  # too small an r makes the layers too thick
        middle = (low + high) / 2
        low, high = (middle, high) if edges(middle)[1] > 0 else (low, middle)
    r = high
    x = [area(r) / mp.exp(-r * r / 2), *edges(r)[0], mp.mpf(0)]
    f = [mp.exp(-(t * t) / 2) for t in x]
    assert len(x) == LAYERS + 1
    print("//! The layers of the normal ziggurat; made by tools/ziggurat_table.py, not by hand.\n")
    print(f"/// Where the tail begins.\npub(super) const TAIL: f64 = {mp.nstr(r, 20)};\n")
    for name, what, values in (
        ("EDGE", "Right edges; the first is the width of a rectangle of the lowest layer's area", x),
        ("HEIGHT", "The density `exp(-x^2/2)` at the edges", f),
    ):
        print(f"/// {what}.\n#[rustfmt::skip]\npub(super) const {name}: [f64; {LAYERS + 1}] = [")
        for i in range(0, LAYERS + 1, 4):
            print("    " + " ".join(f"{mp.nstr(v, 20) if v else '0.0'}," for v in values[i : i + 4]))
        print("];\n" if name == "EDGE" else "];")


if __name__ == "__main__":
    main()
