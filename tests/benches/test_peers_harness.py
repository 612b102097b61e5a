"""The family-agnostic part of the peers harness, on a toy family whose peers fail in every way."""

import json
import sys

import pytest

from benches.peers import machine, table
from benches.peers.contract import Report, Run, Target, load_family
from benches.peers.overrides import overrides, without_overrides

linux = pytest.mark.skipif(sys.platform != "linux", reason="affinity and signals as Linux has them")


def _run(**fields):
    base = {
        "task": "t",
        "problem": "p",
        "count": 10,
        "unit": "element",
        "implementation": "ours",
        "ours": True,
    }
    return Run(**{**base, "threads": 1, "simd": "native", "status": "ok", "wall": 1.0, "cpu": 1.0, **fields})


@linux
def test_every_kind_of_failure_is_a_row(peers, tmp_path):
    stored = tmp_path / "toy.json"
    done = peers(
        "toy_peers", "--size", "tiny", "--threads", "1", "--timeout", "4", "--json", str(stored),
        OPENBLAS_CORETYPE="Haswell",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "unset for a fair run:" in done.stderr and "OPENBLAS_CORETYPE" in done.stderr
    rows = {run["implementation"]: run for run in json.loads(stored.read_text())["runs"]}
    status = {name: row["status"] for name, row in rows.items()}
    assert status == {
        "ours": "ok", "noisy": "ok", "absent": "not available", "refuses": "not available", "raises": "failed",
        "dies": "failed", "leaves": "failed", "hangs": "failed", "environment": "ok", "slow": "ok",
        "wrong": "missed", "cut": "missed", "yardstick": "ok", "own clock": "ok", "no clock": "ok",
    }  # fmt: skip
    assert "no_such_package_at_all" in rows["absent"]["reason"]
    assert rows["refuses"]["reason"] == "has no float64"
    assert rows["raises"]["reason"].startswith("ValueError: ")
    assert "SIGKILL" in rows["dies"]["reason"]
    assert "the last words" in rows["leaves"]["reason"] and "3" in rows["leaves"]["reason"]
    assert "within 4 s" in rows["hangs"]["reason"]
    assert rows["noisy"]["nonfinite"] == 10
    assert rows["noisy"]["error"] == pytest.approx(1e-9, rel=1e-3)
    assert rows["ours"]["error"] == 0 and rows["ours"]["certificate"] == 2.5e-16
    assert all(row["wall"] > 0 and row["rounds"] == 2 for row in rows.values() if row["status"] == "ok")
    assert rows["wrong"]["reason"] == "error 1.00e-05 exceeds 1.00e-06" and rows["wrong"]["wall"] > 0
    assert rows["cut"]["reason"] == "ran out of time; error 1.00e-05 exceeds 1.00e-06"
    assert rows["cut"]["rounds"] == 1 and rows["cut"]["wall"] >= 5e-3  # what it was allowed, once
    assert rows["yardstick"]["error"] is rows["yardstick"]["nonfinite"] is None
    assert rows["own clock"]["wall"] == pytest.approx(1e-7) and rows["own clock"]["cpu"] == pytest.approx(
        1e-7
    )
    assert rows["own clock"]["error"] == 0
    assert rows["no clock"]["wall"] >= 5e-3  # it sleeps so long: our own clock counts
    for name in rows:
        assert name == "ours" or name in done.stdout


@linux
def test_json_holds_the_facts_a_number_needs(peers, tmp_path):
    stored = tmp_path / "toy.json"
    done = peers(
        "toy_peers",
        "--quick",
        "--threads",
        "1,all",
        "--peers",
        "noisy,slow",
        "--rounds",
        "2",
        "--json",
        str(stored),
    )
    assert done.returncode == 0, done.stderr
    report = json.loads(stored.read_text())
    facts = report["machine"]
    assert facts["cpu"] and facts["all_threads"] >= 1 and facts["versions"]["numpy"]
    assert facts["versions"]["no-such-package"] is None
    assert set(facts["processes"]) == {"shared, 1 threads", "shared, all threads"}
    pools = facts["processes"]["shared, 1 threads"]["blas"]
    assert pools and all("filepath" not in pool for pool in pools) and pools[0]["num_threads"] == 1
    assert {run["count"] for run in report["runs"]} == {100, 200}
    assert {run["threads"] for run in report["runs"]} == {1, 0}
    skipped = [run for run in report["runs"] if run["implementation"] == "slow" and run["count"] == 200]
    assert {run["status"] for run in skipped} == {"skipped"} and "n > 100" in skipped[0]["reason"]
    assert report["targets"][0]["met"] is True


def test_overrides_are_recognised_and_removed():
    environment = {
        "OPENBLAS_CORETYPE": "Haswell", "NVPL_BLAS_DEBUG_CPU_TYPE": "1", "MKL_DEBUG_CPU_TYPE": "5",
        "NPY_DISABLE_CPU_FEATURES": "AVX2", "BLIS_ARCH_TYPE": "haswell", "ONEDNN_MAX_CPU_ISA": "SSE41",
        "SOLVENT_SIMD": "v2", "OPENBLAS_NUM_THREADS": "4", "PATH": "/bin",
    }  # fmt: skip
    assert set(overrides(environment)) == set(environment) - {"OPENBLAS_NUM_THREADS", "PATH"}
    assert without_overrides(environment) == {"OPENBLAS_NUM_THREADS": "4", "PATH": "/bin"}


def test_ratio_pairs_equal_problems_and_takes_the_largest():
    runs = [
        _run(wall=1.0, count=10),
        _run(wall=2.0, count=20),
        _run(implementation="peer", ours=False, simd="", wall=30.0, count=10),
        _run(implementation="peer", ours=False, simd="", wall=80.0, count=20),
        _run(implementation="peer", ours=False, simd="", wall=None, cpu=None, count=40, status="failed"),
    ]
    report = Report(runs)
    peer, ours = {"implementation": "peer"}, {"ours": True}
    assert report.ratio(peer, ours, task="t") == (40.0, 20)
    assert report.ratio(peer, ours, task="other") is None
    assert report.ratio(peer, {"ours": True, "simd": "v3"}) is None


def test_what_missed_its_limit_has_no_ratio():
    runs = [
        _run(),
        _run(
            implementation="peer", ours=False, simd="", wall=30.0, status="missed", reason="error 1 exceeds 0"
        ),
    ]
    assert Report(runs).ratio({"implementation": "peer"}, {"ours": True}) is None
    line = next(line for line in table.runs_table(runs).splitlines() if "peer" in line and "missed" in line)
    assert "missed: error 1 exceeds 0" in line and "30x" not in line


def test_tables_show_numbers_failures_and_verdicts():
    runs = [
        _run(wall=2e-3, count=100_000, error=1e-15, certificate=4e-15),
        _run(implementation="scipy", ours=False, simd="", wall=0.08, count=100_000, error=3e-14, nonfinite=7),
        _run(
            implementation="gone",
            ours=False,
            simd="",
            status="failed",
            reason="exploded",
            wall=None,
            cpu=None,
            count=100_000,
        ),
    ]
    text = table.runs_table(runs)
    scipy = next(line for line in text.splitlines() if "scipy" in line).split()
    assert scipy == ["t", "p", "1e+05", "1", "native", "scipy", "0.08", "800", "0.002", "20", "40x", "3.00e-14",
                     "1.00e-15", "4.00e-15", "7"]  # fmt: skip
    assert "failed: exploded" in next(line for line in text.splitlines() if "gone" in line)
    verdicts = table.targets_table(
        [Target("1", "a", ">= 2", "1", False), Target("2", "b", ">= 2", "-", None)]
    )
    assert [line.split()[-1] for line in verdicts.splitlines()[2:]] == ["NO", "measured"]


def test_machine_facts():
    facts = machine.machine()
    assert facts["all_threads"] == machine.all_threads() <= facts["cpus_allowed"]
    assert machine.versions(["numpy", "no-such-package"])["no-such-package"] is None


def test_unknown_family_is_an_import_error():
    with pytest.raises(ModuleNotFoundError, match="no_such_family"):
        load_family("no_such_family")
