"""Mixtures: EM climbs, planted components come back, states merge, the certificate is the next sweep."""

import math
import os
import pickle
import re
import signal
import subprocess
import sys
import threading
import time
import warnings

import numpy as np
import pytest

from solvent.stats import VonMisesFisherMixture, vonmises_fisher


def planted(rng, d=64, k=4, n=300, kappa=90.0):
    """k orthogonal clusters of n rows, and their labels."""
    means = np.linalg.qr(rng.standard_normal((d, k)))[0].T
    x = np.concatenate([vonmises_fisher(mu, kappa).rvs(n, rng=rng) for mu in means])
    return x, np.repeat(np.arange(k), n), means


def reference_sweep(x, weights, means, kappas):
    """One soft sweep in plain NumPy: log-density, S, N."""
    dots = x @ means.T
    peak = np.array([vonmises_fisher.logpdf(m, m, k) for m, k in zip(means, kappas, strict=True)])
    logits = np.log(weights) + peak + kappas * (dots - 1)
    top = logits.max(1, keepdims=True)
    density = top[:, 0] + np.log(np.exp(logits - top).sum(1))
    posterior = np.exp(logits - density[:, np.newaxis])
    return density, posterior.T @ x, posterior.sum(0), posterior


@pytest.mark.parametrize("assignment", ["soft", "hard"])
@pytest.mark.parametrize("concentration", ["full", "tied"])
@pytest.mark.parametrize("normalize", [False, True])
def test_planted_components_come_back(assignment, concentration, normalize, rng):
    metrics = pytest.importorskip("sklearn.metrics")
    x, labels, _ = planted(rng)
    scaled = x * rng.uniform(0.1, 10, (len(x), 1)) if normalize else x
    mixture = VonMisesFisherMixture(
        4,
        assignment=assignment,
        concentration=concentration,
        normalize=normalize,
        random_state=int(rng.integers(99)),
    ).fit(scaled)
    assert metrics.adjusted_rand_score(labels, mixture.predict(scaled)) > 0.99
    assert mixture.converged_ and mixture.certificate_.bound <= 1e-6
    np.testing.assert_allclose(mixture.concentrations_, 90, rtol=0.1)
    np.testing.assert_allclose(mixture.weights_, 0.25, atol=1e-6)
    assert not mixture.degenerate_.any()
    if concentration == "tied":
        assert np.ptp(mixture.concentrations_) == 0


@pytest.mark.parametrize("assignment", ["soft", "hard"])
def test_the_likelihood_never_falls(assignment, rng):
    # Overlapping clusters in few dimensions: EM works for its answer.
    x, _, _ = planted(rng, d=3, k=3, n=400, kappa=4.0)
    mixture = VonMisesFisherMixture(
        3,
        assignment=assignment,
        init="random",
        random_state=int(rng.integers(99)),
        tol=0,
        max_iter=60,
        min_weight=0,
    ).fit(x)
    bounds = mixture.lower_bounds_
    assert len(bounds) == mixture.n_iter_ >= 2 and mixture.lower_bound_ == bounds[-1]
    assert np.diff(bounds).min() > -1e-12 * np.abs(bounds).max()
    if assignment == "soft":
        assert mixture.score(x) == pytest.approx(mixture.lower_bound_, rel=1e-13)


def test_sweeps_agree_with_plain_numpy(rng):
    x, _, means = planted(rng, d=17, k=3, n=101, kappa=9.0)
    mixture = VonMisesFisherMixture(3, init=means + 0.1, max_iter=3, tol=0).fit(x)
    density, sums, counts, posterior = reference_sweep(
        x, mixture.weights_, mixture.means_, mixture.concentrations_
    )
    np.testing.assert_allclose(mixture.score_samples(x), density, rtol=1e-13, atol=1e-13)
    np.testing.assert_allclose(mixture.predict_proba(x), posterior, rtol=1e-11, atol=1e-15)
    state = mixture.expectation(x)
    np.testing.assert_allclose(state.sums, sums, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(state.counts, counts, rtol=1e-13)
    assert state.log_likelihood == pytest.approx(density.sum(), rel=1e-13)
    mixture.maximization(state)
    for j in range(3):
        length = np.linalg.norm(sums[j])
        np.testing.assert_allclose(mixture.means_[j], sums[j] / length, atol=1e-14)
        found = vonmises_fisher.mean_resultant_length(mixture.means_[j], mixture.concentrations_[j])
        assert found == pytest.approx(length / counts[j], rel=1e-13)


def test_states_merge_to_one_fit(rng):
    x, _, _ = planted(rng, d=20, k=3, n=90, kappa=12.0)
    weights = rng.uniform(0.5, 2, len(x))
    mixture = VonMisesFisherMixture(3, random_state=1, max_iter=2, tol=0).fit(x)
    parts = np.array_split(np.arange(len(x)), 5)
    merged = sum(mixture.expectation(x[p], weights[p]) for p in parts)
    whole = mixture.expectation(x, weights)
    np.testing.assert_allclose(merged.sums, whole.sums, rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(merged.counts, whole.counts, rtol=1e-13)
    assert merged.weight == pytest.approx(whole.weight, rel=1e-14)
    one = pickle.loads(pickle.dumps(mixture)).maximization(merged)
    other = VonMisesFisherMixture(3, warm_start=True, max_iter=1, tol=0)
    other.weights_, other.means_, other.concentrations_ = mixture._parts()
    other.fit(x, sample_weight=weights)
    np.testing.assert_allclose(one.means_, other.means_, atol=1e-12)
    np.testing.assert_allclose(one.concentrations_, other.concentrations_, rtol=1e-11)


def test_partial_fit_learns_a_stream(rng):
    metrics = pytest.importorskip("sklearn.metrics")
    x, labels, _ = planted(rng)
    order = rng.permutation(len(x))
    mixture = VonMisesFisherMixture(4, random_state=3)
    for batch in np.array_split(order, 12):
        mixture.partial_fit(x[batch])
    assert metrics.adjusted_rand_score(labels, mixture.predict(x)) > 0.99
    assert mixture.n_iter_ == 12 and mixture.certificate_ is None and not mixture.converged_
    assert mixture.certify(x).bound < 0.5
    # A fit at rest stays where it is when it is shown the same rows again.
    rest = VonMisesFisherMixture(4, random_state=3, tol=1e-9).fit(x)
    before = rest.means_.copy()
    rest.partial_fit(x)
    np.testing.assert_allclose(rest.means_, before, atol=1e-8)


def test_the_certificate_is_the_next_sweep(rng):
    x, _, _ = planted(rng, d=5, k=3, n=200, kappa=5.0)
    mixture = VonMisesFisherMixture(3, random_state=2, max_iter=7, tol=0).fit(x)
    certificate = mixture.certificate_
    assert certificate.kind == "stationarity" and certificate.relative and not certificate.rigorous
    assert mixture.certify(x) == certificate and certificate.bound > 1e-12 and not mixture.converged_
    old = [a.copy() for a in mixture._parts()]
    mixture.maximization(mixture.expectation(x))
    weights, means, kappas = mixture._parts()
    moved = [
        np.max(np.abs(weights - old[0]) / np.maximum(old[0], 1 / len(x))),
        np.max(np.linalg.norm(means - old[1], axis=1)),
        np.max(np.abs(kappas - old[2]) / np.maximum(old[2], 5 / 100)),
    ]
    assert certificate.bound == pytest.approx(max(moved), rel=1e-9)


def test_the_same_bits_on_any_number_of_threads(rng):
    x, _, _ = planted(rng, d=200, k=5, n=400, kappa=100.0)
    one, *others = (
        VonMisesFisherMixture(5, random_state=4, workers=w, max_iter=5, tol=0).fit(x) for w in (1, 2, 5)
    )
    for other in others:
        for a, b in zip(one._parts(), other._parts(), strict=True):
            assert np.array_equal(a, b)
        assert np.array_equal(one.lower_bounds_, other.lower_bounds_)
        assert np.array_equal(one.predict_proba(x), other.predict_proba(x))


def test_a_component_on_one_point_is_held_and_flagged(rng):
    x, _, means = planted(rng, d=30, k=1, n=100, kappa=60.0)
    # The rounding of norms and means differs from row to row: one lone point proves little.
    for _ in range(50):
        lone = np.linalg.qr(np.c_[means[0], rng.standard_normal(30)])[0][:, 1]
        rows = np.concatenate([x, np.repeat(lone[np.newaxis], 3, axis=0)])
        held = VonMisesFisherMixture(2, init=np.stack([means[0], lone])).fit(rows)
        assert held.degenerate_.tolist() == [False, True]
    mixture = VonMisesFisherMixture(2, init=np.stack([means[0], lone])).fit(rows)
    assert mixture.degenerate_.tolist() == [False, True]
    assert mixture.concentrations_[1] == 29 * 2.0**50
    assert np.isfinite(mixture.score(rows)) and mixture.converged_
    capped = VonMisesFisherMixture(2, init=np.stack([means[0], lone]), kappa_max=1e4).fit(rows)
    assert capped.concentrations_[1] == 1e4 and capped.degenerate_[1]


def test_an_empty_component_is_seeded_again(rng):
    x, _, means = planted(rng, d=40, k=2, n=100, kappa=400.0)
    far = np.linalg.qr(np.c_[means.T, rng.standard_normal(40)])[0][:, 2]
    start = np.stack([means[0] + means[1], far])
    for assignment in ("soft", "hard"):
        mixture = VonMisesFisherMixture(2, init=start, assignment=assignment, min_weight=0.05).fit(x)
        np.testing.assert_allclose(np.sort(mixture.weights_), 0.5, atol=0.01)
        assert np.abs(mixture.means_ @ means.T).max(1).min() > 0.99


def test_weights_count_rows(rng):
    x, _, means = planted(rng, d=8, k=2, n=50, kappa=10.0)
    counts = rng.integers(0, 4, len(x))
    counted = VonMisesFisherMixture(2, init=means, tol=1e-10).fit(x, sample_weight=counts)
    repeated = VonMisesFisherMixture(2, init=means, tol=1e-10).fit(np.repeat(x, counts, axis=0))
    np.testing.assert_allclose(counted.means_, repeated.means_, atol=1e-7)
    np.testing.assert_allclose(counted.concentrations_, repeated.concentrations_, rtol=1e-7)
    assert counted.lower_bound_ == pytest.approx(repeated.lower_bound_, rel=1e-12)


def test_sampling_and_criteria(rng):
    x, _, _ = planted(rng, d=12, k=3, n=200, kappa=30.0)
    mixture = VonMisesFisherMixture(3, random_state=5).fit(x)
    rows, labels = mixture.sample(6000)
    assert rows.shape == (6000, 12) and np.array_equal(np.unique(labels), [0, 1, 2])
    np.testing.assert_allclose(np.bincount(labels) / 6000, mixture.weights_, atol=0.04)
    again = VonMisesFisherMixture(3, init=mixture.means_).fit(rows)
    np.testing.assert_allclose(again.concentrations_, mixture.concentrations_, rtol=0.1)
    parameters = 2 + 3 * 11 + 3
    likelihood = mixture.score_samples(x).sum()
    assert mixture.aic(x) == pytest.approx(2 * parameters - 2 * likelihood, rel=1e-12)
    assert mixture.bic(x) == pytest.approx(parameters * math.log(600) - 2 * likelihood, rel=1e-12)
    alone = VonMisesFisherMixture(1).fit(x)
    mu, kappa = vonmises_fisher.fit(x)
    assert alone.concentrations_[0] == pytest.approx(kappa, rel=1e-12) and alone.bic(x) > mixture.bic(x)
    np.testing.assert_allclose(alone.means_[0], mu, atol=1e-14)


def test_single_precision_and_layouts(rng):
    x, _, means = planted(rng, d=24, k=2, n=60, kappa=30.0)
    whole = VonMisesFisherMixture(2, init=means).fit(x)
    fortran = VonMisesFisherMixture(2, init=means).fit(np.asfortranarray(x))
    assert np.array_equal(whole.means_, fortran.means_)
    single = VonMisesFisherMixture(2, init=means).fit(x.astype(np.float32))
    np.testing.assert_allclose(single.concentrations_, whole.concentrations_, rtol=1e-5)


def test_verbose_prints_every_sweep(rng, capsys):
    x, _, _ = planted(rng, d=4, k=2, n=30, kappa=5.0)
    mixture = VonMisesFisherMixture(2, verbose=1, random_state=0, max_iter=4, tol=0).fit(x)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == mixture.n_iter_ and lines[0].startswith("sweep 1: mean log-likelihood")


X = np.eye(4)
CASES = [
    (lambda: VonMisesFisherMixture(0).fit(X), "n_components = 0; expected an integer in 1..4 (X has 4 rows)"),
    (lambda: VonMisesFisherMixture(5).fit(X), "n_components = 5; expected an integer in 1..4 (X has 4 rows)"),
    (
        lambda: VonMisesFisherMixture(assignment="firm").fit(X),
        "assignment = 'firm'; expected one of 'soft', 'hard'",
    ),
    (
        lambda: VonMisesFisherMixture(concentration="one").fit(X),
        "concentration = 'one'; expected one of 'full', 'tied'",
    ),
    (
        lambda: VonMisesFisherMixture(init="best").fit(X),
        "init = 'best'; expected one of 'k-means++', 'random'",
    ),
    (lambda: VonMisesFisherMixture(init=np.eye(3)).fit(X), "expected (1, 4)"),
    (lambda: VonMisesFisherMixture(init=np.zeros((1, 4))).fit(X), "init[0] has norm 0; expected a direction"),
    (lambda: VonMisesFisherMixture().fit(2 * X), "X[0] has norm 2.0; expected unit rows"),
    (
        lambda: VonMisesFisherMixture(normalize=True).fit(np.diag([1, 2, 3, 0.0])),
        "X[3] has norm 0; expected a direction",
    ),
    (lambda: VonMisesFisherMixture().fit(np.ones((3, 1))), "X has 1 feature(s); expected at least 2"),
    (lambda: VonMisesFisherMixture(tol=-1.0).fit(X), "tol = -1.0; expected a finite number >= 0"),
    (lambda: VonMisesFisherMixture(kappa_max=0).fit(X), "kappa_max = 0; expected a finite number > 0"),
    (lambda: VonMisesFisherMixture(step_decay=0.5).partial_fit(X), "step_decay = 0.5; expected"),
    (
        lambda: VonMisesFisherMixture().fit(X, sample_weight=[1, 2]),
        "sample_weight has shape (2,) but X has 4 rows",
    ),
    (
        lambda: VonMisesFisherMixture().fit(X, sample_weight=[1, 2, -1, 0]),
        "sample_weight[2] is -1.0; expected",
    ),
    (lambda: VonMisesFisherMixture().predict(X), "not fitted"),
]


@pytest.mark.parametrize(("call", "message"), CASES, ids=[message for _, message in CASES])
def test_misuse_is_refused_with_the_promised_message(call, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        call()


def test_rows_of_extreme_norm_are_normalised(rng):
    x, _, means = planted(rng, d=6, k=2, n=20, kappa=20.0)
    usual = VonMisesFisherMixture(2, init=means, normalize=True).fit(x)
    scale = np.where(np.arange(len(x)) % 2, 1e-200, 1e200)[:, np.newaxis]
    extreme = VonMisesFisherMixture(2, init=means, normalize=True).fit(x * scale)
    np.testing.assert_allclose(extreme.means_, usual.means_, atol=1e-12)


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_ctrl_c_ends_a_fit_soon(rng):
    x = rng.standard_normal((20_000, 64))
    mixture = VonMisesFisherMixture(20, normalize=True, tol=0, max_iter=10**6, min_weight=0)
    sent = []

    def interrupt():
        time.sleep(0.5)
        sent.append(time.perf_counter())
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        mixture.fit(x)
    waited = time.perf_counter() - sent[0]
    thread.join()
    # The promise is 100 ms; a busy machine may let the process itself wait for longer.
    assert waited < 1.0


WITHOUT = """
import sys
class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "sklearn":
            raise ImportError(name)
sys.meta_path.insert(0, Blocker())
import numpy as np
from solvent.stats import VonMisesFisherMixture, vonmises_fisher
x = np.concatenate([vonmises_fisher(m, 60.0).rvs(50, rng=1) for m in np.eye(3, 20)])
mixture = VonMisesFisherMixture(3, random_state=0).fit(x)
assert mixture.converged_ and sorted(np.bincount(mixture.predict(x))) == [50, 50, 50]
assert mixture.get_params()["n_components"] == 3
assert repr(mixture.set_params(n_components=2)) == "VonMisesFisherMixture(n_components=2, random_state=0)"
for call, text in [
    (lambda: mixture.set_params(color=1), "color is no parameter"),
    (lambda: mixture.predict(np.eye(4)), "X has 4 columns; expected 20 as in fit"),
    (lambda: mixture.fit(np.full((3, 2), np.nan)), "X[0, 0] is nan; expected finite values"),
    (lambda: VonMisesFisherMixture().predict(x), "is not fitted"),
]:
    try:
        call()
    except ValueError as error:
        assert text in str(error), error
    else:
        raise AssertionError(text)
assert "sklearn" not in sys.modules
print("done")
"""


def test_it_works_without_scikit_learn():
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", WITHOUT], capture_output=True, text=True, check=False
    )
    assert run.stdout.strip() == "done", run.stderr


def test_importing_stats_imports_no_scikit_learn():
    code = "import sys, solvent.stats as s; s.vonmises_fisher; print('sklearn' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "False"


@pytest.mark.parametrize("unit", [1e-300, 1e-170, 1e160, 1e300])
def test_units_of_the_weights_do_not_matter(unit, rng):
    x = rng.normal(size=(80, 3)) + np.repeat([[4, 0, 0], [0, 0, -4]], 40, axis=0)
    x /= np.linalg.norm(x, axis=1)[:, None]
    plain, scaled = (
        VonMisesFisherMixture(2, random_state=0).fit(x, sample_weight=np.full(80, w)) for w in (1.0, unit)
    )
    np.testing.assert_allclose(scaled.concentrations_, plain.concentrations_, rtol=1e-9)
    np.testing.assert_allclose(scaled.means_, plain.means_, atol=1e-9)
    assert scaled.lower_bound_ == pytest.approx(plain.lower_bound_, rel=1e-12)


def test_a_component_that_begins_anew_is_no_fixed_point(rng):
    """The certificate is what a plain sweep changes, whether or not the run renews a component."""
    for seed in range(60):
        # (Seed 1 of the first was a fixed point only because a component began anew.)
        x = (np.random.default_rng(0) if seed < 3 else rng).normal(size=(40, 3))
        x /= np.linalg.norm(x, axis=1)[:, None]
        mixture = VonMisesFisherMixture(
            4, assignment="hard", concentration="tied", kappa_max=1e-3, random_state=seed, max_iter=5
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            mixture.fit(x)
        assert mixture.certificate_.bound == pytest.approx(mixture.certify(x).bound, rel=1e-12, abs=1e-15)
