"""The special family of the peers harness: its oracle, peers and targets against independent values, then a tiny real run."""

import json
import sys

import numpy as np
import pytest

from benches.peers.contract import Report, Run, load_family
from benches.peers.special import directional, mixture_em, oracle, problems, switching
from benches.peers.special.targets import targets

pytest.importorskip("flint", reason="the oracle needs python-flint")


def test_first_rows_do_not_depend_on_n():
    for name in problems.REGIONS:
        short, long = problems.points(name, 50), problems.points(name, 500)
        for a, b in zip(problems.head(short, 50), problems.head(long, 50), strict=True):
            np.testing.assert_array_equal(a, b)
        region = problems.REGIONS[name]
        assert long[1].min() >= region.low and long[1].max() < region.high
    v, x = problems.points("small", 10, np.float32)
    assert v.dtype == x.dtype == np.float32


@pytest.mark.parametrize("kind", "ik")
def test_oracle_against_mpmath(kind):
    import mpmath

    v, x = problems.head(problems.points("small", 4), 4)
    hi, lo = oracle.log_bessel(kind, v, x)
    function = mpmath.besseli if kind == "i" else mpmath.besselk
    with mpmath.workdps(50):
        for row in range(4):
            exact = mpmath.log(function(mpmath.mpf(v[row]), mpmath.mpf(x[row])))
            assert abs(exact - mpmath.mpf(hi[row]) - mpmath.mpf(lo[row])) < 1e-28 * max(1, abs(exact))


def test_kappa_of_the_oracle_is_the_golden_one():
    with np.load(oracle.GOLDEN.parent / "vmf" / "vmf_golden.npz") as table:
        for row in np.flatnonzero((table["d"] <= 2048) & (table["r"] > 1e-6) & (table["r"] < 0.99))[::9]:
            kappa = oracle.kappa_mle(int(table["d"][row]), float(table["r"][row]))
            assert kappa == pytest.approx(table["kappa_hi"][row], rel=4e-16)


@pytest.mark.parametrize("kind", "ik")
def test_judges_measure_an_error_that_was_planted(kind):
    chosen = {p.key: p for p in problems.problems("tiny")}
    problem = chosen[f"log_{kind}v/small/2000"]
    exact = oracle.log_bessel(kind, *problems.head(problem.make(), 20))[0]
    answer = np.full(2000, 1.0)
    answer[:20] = exact
    answer[5] += 1e-7 * max(1, abs(exact[5]))
    answer[100:103] = np.nan
    digest = json.loads(json.dumps(problem.digest(problem.make(), answer)))
    assert digest["nonfinite"] == 3
    assert problem.judge(digest) == pytest.approx(1e-7, rel=1e-6)
    golden = chosen[
        f"log_{kind}v/golden zero_{kind.upper()}/{oracle.golden(f'zero_{kind.upper()}', 100)['v'].size}"
    ]
    exact = oracle.golden(f"zero_{kind.upper()}", 100)[f"{kind}_hi"]
    assert golden.judge(golden.digest(golden.make(), exact + 1e-9)) == pytest.approx(1e-9, rel=1e-4)


@pytest.mark.parametrize(
    ("kind", "region", "limit"), [("i", "mid", 5e-13), ("k", "mid", 5e-13), ("k", "small", 1e-10)]
)
def test_switching_is_as_good_as_its_description(kind, region, limit):
    table = oracle.golden(region, 10)
    value = switching.log_bessel(kind, table["v"], table["x"])
    assert oracle.mixed_error(value, (table[f"{kind}_hi"], table[f"{kind}_lo"])) < limit


def test_debye_polynomials_are_the_published_ones():
    # DLMF 10.41.10: u_1 = (3t - 5t^3)/24, u_2 = (81 t^2 - 462 t^4 + 385 t^6)/1152
    u1, u2 = switching._debye_polynomials(2)
    np.testing.assert_allclose(u1, np.array([-5, 0, 3, 0]) / 24, rtol=1e-16)
    np.testing.assert_allclose(u2, np.array([385, 0, -462, 0, 81, 0, 0]) / 1152, rtol=1e-16)


def test_numpy_em_recovers_planted_directions():
    rows = directional.unit_rows(600, 16, 1.2, 4, components=3)
    model = mixture_em.fit(rows.x, directional._start(rows), 10)
    assert np.einsum("kd,kd->k", model.means_, rows.mu).min() > 0.97
    np.testing.assert_allclose(model.weights_, 1 / 3, atol=0.05)
    problem = next(p for p in directional.problems("tiny") if p.task == "mixture")
    assert problem.judge(problem.digest(rows, model)) < 0.05


def _run(task, problem, name, wall, **fields):
    base = {
        "ours": name.startswith("solvent") and name != "solvent plain",
        "threads": 1,
        "simd": "",
        "status": "ok",
    }
    if name.startswith("solvent"):
        base["simd"] = "v4"
    return Run(task, problem, 1000, "element", name, **{**base, "wall": wall, "cpu": wall, **fields})


def test_targets_are_met_and_missed():
    runs = [
        _run("log_iv", "small", "solvent", 1.0, error=6e-15, nonfinite=0),
        _run("log_iv", "small", "scipy", 31.0),
        _run("log_kv", "small", "solvent", 1.0, error=1e-15, nonfinite=0),
        _run("log_kv", "small", "scipy", 24.0),
        _run("log_ivk", "small", "solvent", 1.2),
        _run("log_ivk", "small", "solvent plain", 1.0),
        _run("log_iv_grad", "mid", "solvent", 2.6),
        _run("log_iv_grad", "mid", "solvent plain", 1.0),
        _run("vmf_fit", "d=2048", "solvent stats", 1.0, error=1e-13, certificate=2e-13),
        _run("vmf_fit", "d=2048", "memory pass", 0.6),
        _run("vmf_rvs", "d=1024", "solvent stats", 1.0),
        _run("vmf_rvs", "d=1024", "scipy.stats", 99.0),
    ]
    met = {t.figure: (t.number, t.met) for t in targets(Report(runs))}
    assert met["log_iv against scipy, small (AVX-512)"] == ("1", True)
    assert met["log_kv against scipy, small (AVX-512)"] == ("2", False)
    assert met["log_kv against scipy, inner (AVX-512)"] == ("2", None)
    assert met["log_ivk against plain (AVX-512)"] == ("4", True)
    assert met["log_iv_grad against plain (AVX-512)"] == ("6", False)
    assert met["max error of log_iv, log_kv, every problem (AVX-512)"] == ("5", False)
    assert met["vMF fit, d=2048: speed over that of one read of x (AVX-512)"] == ("7", True)
    assert met["vMF rvs, 50 rows, against scipy.stats (AVX-512)"] == ("8", False)
    assert {number for number, _ in met.values()} == set("123456789")
    assert [t.met for t in targets(Report([]))] == [None]


def test_every_task_has_ours_and_a_peer():
    family = load_family("special")
    for task in {p.task for size in ("tiny", "full") for p in family.problems(size)}:
        answering = [i for i in family.implementations if task in i.tasks]
        assert any(i.ours for i in answering), task
        assert any(not i.ours for i in answering), task
    keys = [p.key for p in family.problems("full")]
    assert len(keys) == len(set(keys))


@pytest.mark.skipif(sys.platform != "linux", reason="affinity as Linux has it")
def test_a_tiny_run_of_the_real_thing(peers, tmp_path):
    stored = tmp_path / "special.json"
    only = "log_iv/small,log_kv/inner,log_ivk/small,log_iv_grad/inner,log_kv_certified/small,golden zero,vmf,mixture"
    done = peers(
        "special", "--size", "tiny", "--threads", "1", "--only", only, "--peers",
        "scipy,scipy.stats,switching,solvent plain,memory pass,numpy EM", "--json", str(stored),
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads(stored.read_text())
    ours = [run for run in report["runs"] if run["ours"]]
    assert {run["task"] for run in ours} >= {
        "log_iv",
        "log_kv",
        "log_ivk",
        "log_iv_grad",
        "log_kv_certified",
        "vmf_fit",
    }
    for run in ours:
        assert run["status"] == "ok" and not run["nonfinite"], run
        if run["task"].endswith("_grad"):
            assert run["error"] <= 1e-13
        elif run["task"].startswith("log_"):
            assert run["error"] <= 5e-15, run
        if run["task"] in ("log_iv", "log_kv", "log_kv_certified"):
            assert run["certificate"] >= run["error"], run
    level = report["machine"]["processes"]["solvent, 1 threads"]["solvent_simd"]
    assert {run["simd"] for run in ours} == {level}
    assert "met?" in done.stdout
