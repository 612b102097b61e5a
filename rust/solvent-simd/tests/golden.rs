//! The double-double references of these tests against Arb.

#[macro_use]
mod reference;

use std::collections::BTreeMap;

/// Relative error allowed: a ten-thousandth of an ulp. Below 2^-960 the low part itself runs out of exponents.
const LIMIT: f64 = 1.0 / 9007199254740992.0 / 10000.0;

#[test]
fn agree_with_arb() {
    let mut points: BTreeMap<&str, Vec<(f64, f64, f64)>> = BTreeMap::new();
    for line in include_str!("golden/reference.txt").lines() {
        let (name, numbers) = line.split_once(' ').expect("a name and three numbers");
        let mut parsed = numbers.split(' ').map(|b| f64::from_bits(u64::from_str_radix(b, 16).expect("hex")));
        let mut next = || parsed.next().expect("three numbers");
        points.entry(name).or_default().push((next(), next(), next()));
    }
    assert_eq!(points.len(), 9);
    let mut wrong = Vec::new();
    for (name, points) in points {
        assert!(points.len() > 500, "{name}: {}", points.len());
        let x: Vec<f64> = points.iter().map(|p| p.0).collect();
        let got = match name {
            "exp" => reference::values(&reference!(exp), &x),
            "exp2" => reference::values(&reference!(exp2), &x),
            "expm1" => reference::values(&reference!(expm1), &x),
            "ln" => reference::values(&reference!(ln), &x),
            "log1p" => reference::values(&reference!(log1p), &x),
            "asinh" => reference::values(&reference!(asinh), &x),
            "sinpi" => reference::values(&reference!(sinpi), &x),
            "lgamma" => reference::values(&reference!(lgamma), &x),
            "digamma" => reference::values(&reference!(digamma), &x),
            _ => unreachable!("{name}"),
        };
        for ((x, hi, lo), y) in points.into_iter().zip(got) {
            let off = ((y.0 - hi) + (y.1 - lo)).abs();
            let scale = if name == "digamma" { hi.abs().max(1.0) } else { hi.abs() };
            let subnormal = if scale < 1e-290 { 5e-324 } else { 0.0 };
            if off.is_nan() || off > LIMIT * scale + subnormal {
                wrong.push(format!("{name}({x:e}): {y:?} and not {:?}, off {:e}", (hi, lo), off / scale));
            }
        }
    }
    assert!(wrong.is_empty(), "{} points: {:#?}", wrong.len(), &wrong[..wrong.len().min(20)]);
}
