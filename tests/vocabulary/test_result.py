"""`Result` and `Certificate`: frozen, picklable, shown in SciPy's order."""

import copy
import dataclasses
import pickle
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from solvent._result import STATUS, Certificate, Result, ResultBatch


@dataclass(frozen=True, repr=False, eq=False)
class Line(Result):
    """A payload of two fields."""

    slope: np.ndarray
    intercept: float

    def certify(self, x, y):
        residual = float(np.max(np.abs(x * self.slope[0] + self.intercept - y)))
        return Certificate("residual", residual, relative=False, rigorous=True)


def raw(**changes):
    return {
        "success": True,
        "status": "converged",
        "message": "the bound is below tol",
        "nit": 3,
        "certificate": {
            "kind": "residual",
            "bound": 1.25e-13,
            "relative": True,
            "rigorous": True,
            "failure_probability": 0.0,
            "parts": [("sum", 2.5), ("scale", 4.0)],
        },
        "history": None,
        "elapsed": 0.25,
        **changes,
    }


@pytest.fixture
def line():
    return Line.from_core(raw(), slope=np.array([2.0]), intercept=1.0)


def test_from_core(line):
    assert (line.success, line.status, line.nit, line.elapsed, line.backend) == (
        True,
        "converged",
        3,
        0.25,
        "cpu",
    )
    assert line.intercept == 1.0
    expected = Certificate(
        "residual", 1.25e-13, relative=True, rigorous=True, parts={"sum": 2.5, "scale": 4.0}
    )
    assert line.certificate == expected
    assert line.history is None


def test_from_core_history():
    history = {"nit": [1, 2], "bound": [0.5, np.float32(0.25)], "elapsed": (0.1, 0.2)}
    line = Line.from_core(raw(history=history), slope=np.zeros(1), intercept=0.0)
    assert list(line.history) == ["nit", "bound", "elapsed"]
    assert all(column.dtype == np.float64 for column in line.history.values())
    assert_array_equal(line.history["nit"], [1.0, 2.0])


def test_from_core_needs_the_payload():
    with pytest.raises(TypeError, match="intercept"):
        Line.from_core(raw(), slope=np.zeros(1))


def test_keys_and_items(line):
    common = ["success", "status", "message", "nit", "certificate", "history", "elapsed", "backend"]
    assert line.keys() == ["slope", "intercept", *common]
    assert line["slope"] is line.slope
    assert line["certificate"] is line.certificate
    assert dict(line)["nit"] == 3
    for key in ("certify", "keys", "nothing"):
        with pytest.raises(KeyError, match=key):
            line[key]


def test_membership_and_iteration(line):
    assert "slope" in line and "certificate" in line
    assert "certify" not in line and 0 not in line
    with pytest.raises(TypeError, match="not iterable"):
        iter(line)

    @dataclass(frozen=True, repr=False, eq=False)
    class Unpacks(Line):
        def __iter__(self):
            return iter((self.slope, self.intercept))

    slope, intercept = Unpacks.from_core(raw(), slope=line.slope, intercept=4.0)
    assert slope is line.slope and intercept == 4.0


def test_frozen(line):
    with pytest.raises(dataclasses.FrozenInstanceError):
        line.intercept = 2.0
    with pytest.raises(dataclasses.FrozenInstanceError):
        line.certificate.bound = 0.0


@pytest.mark.parametrize(
    "send",
    [
        copy.deepcopy,
        *(lambda r, p=p: pickle.loads(pickle.dumps(r, p)) for p in range(2, pickle.HIGHEST_PROTOCOL + 1)),
    ],
)
def test_pickle_and_copy(line, send):
    again = send(line)
    assert type(again) is Line
    assert_array_equal(again.slope, line.slope)
    assert again.certificate == line.certificate
    other = [key for key in line.keys() if key != "slope"]  # noqa: SIM118 (a Result is no dict: it has no __iter__)
    assert [again[key] for key in other] == [line[key] for key in other]


def test_replace_is_judged_as_it_is_now(line):
    x = np.arange(4.0)
    y = 2 * x + 1
    assert line.certify(x, y).bound == 0
    changed = dataclasses.replace(line, intercept=1.5)
    assert changed.certify(x, y).bound == 0.5
    assert changed.certificate is line.certificate
    assert line.intercept == 1.0


def test_base_has_no_certify():
    result = Result.from_core(raw())
    with pytest.raises(NotImplementedError, match="Result does not define certify"):
        result.certify()


def test_repr_one_field_a_line_certificate_second(line):
    lines = repr(line).splitlines()
    assert [entry.split(":")[0].strip() for entry in lines] == [
        "message",
        "certificate",
        "success",
        "status",
        "slope",
        "intercept",
        "nit",
        "history",
        "elapsed",
        "backend",
    ]
    assert len({entry.index(":") for entry in lines}) == 1
    assert lines[1].endswith(": residual, bound 1.25e-13 (relative, rigorous)")
    assert lines[5].endswith(": 1")


def test_repr_abbreviates_arrays():
    history = {"nit": np.arange(500.0), "bound": np.zeros(500), "elapsed": np.zeros(500)}
    line = Line.from_core(
        raw(history=history), slope=np.zeros((300, 40), np.float32), intercept=np.float64(1 / 3)
    )
    text = repr(line)
    assert len(text.splitlines()) == 10
    assert "slope: ndarray of shape (300, 40), float32" in text
    assert "intercept: 0.3333333333\n" in text
    assert "nit: [  0.   1. ... 498. 499.] (length 500)" in text
    assert max(map(len, text.splitlines())) < 200


def test_repr_of_empty_and_zero_dimensional_payload():
    line = Line.from_core(raw(), slope=np.zeros(0), intercept=np.array(2.0))
    assert "slope: []" in repr(line)
    assert "intercept: array(2.)" in repr(line)


@dataclass(frozen=True, repr=False, eq=False)
class Lazy(Line):
    """A payload with what its lazy method computes from."""

    _problem: Any = field(default=None, repr=False)

    def points(self, x):
        return self._out((x * self.slope[0] + self.intercept, self._problem))


def test_private_fields_are_not_payload():
    problem = {"C": np.eye(2)}
    lazy = Lazy.from_core(raw(), slope=np.array([2.0]), intercept=1.0, _problem=problem)
    assert lazy.keys() == Line.from_core(raw(), slope=np.zeros(1), intercept=0.0).keys()
    assert "_problem" not in lazy and "_xp" not in lazy
    assert "_problem" not in repr(lazy) and "_xp" not in repr(lazy)
    for key in ("_problem", "_xp"):
        with pytest.raises(KeyError, match=key):
            lazy[key]
    assert dataclasses.replace(lazy, intercept=2.0)._problem is problem
    assert_array_equal(pickle.loads(pickle.dumps(lazy))._problem["C"], np.eye(2))
    assert_array_equal(lazy.points(np.arange(2.0))[0], [1.0, 3.0])


@dataclass(frozen=True, repr=False, eq=False)
class Bracketed(Line):
    _derived = ("middle",)

    @property
    def middle(self):
        return 2 * self.intercept


def test_derived_properties_are_keys_and_stack(line):
    one = Bracketed(**{f.name: getattr(line, f.name) for f in dataclasses.fields(line)})
    assert one["middle"] == one.middle and "middle" in one and "middle" not in line
    assert one.keys().index("middle") < one.keys().index("success")
    assert "middle" not in [row.split(":")[0].strip() for row in repr(one).splitlines()]
    other = dataclasses.replace(one, intercept=7.0)
    assert ResultBatch([one, other]).middle.tolist() == [one.middle, 14.0]


def test_no_certificate():
    line = Line.from_core(raw(certificate=None), slope=np.zeros(1), intercept=0.0)
    assert line.certificate is None
    assert repr(line).splitlines()[1].split() == ["certificate:", "None"]


@pytest.fixture
def batch():
    return ResultBatch(
        Line.from_core(raw(nit=i, success=i < 2), slope=np.array([i, 2.0 * i]), intercept=float(i))
        for i in range(3)
    )


def test_batch_is_a_sequence_of_results(batch):
    assert len(batch) == 3
    assert [result.nit for result in batch] == [0, 1, 2]
    assert batch[-1].intercept == batch[np.int64(2)].intercept == 2.0
    with pytest.raises(IndexError):
        batch[3]
    assert type(batch[1:]) is ResultBatch and batch[1:][0] is batch[1]
    with pytest.raises(ValueError, match="at least 1"):
        batch[3:]
    assert repr(batch) == "ResultBatch of 3 Line: 2 of 3 with success, largest bound 1.25e-13"


def test_batch_stacks_fields(batch):
    assert_array_equal(batch.slope, [[0.0, 0.0], [1.0, 2.0], [2.0, 4.0]])
    assert_array_equal(batch["intercept"], [0.0, 1.0, 2.0])
    assert batch.success.dtype == bool and batch.success.tolist() == [True, True, False]
    assert batch.status.tolist() == ["converged"] * 3
    assert batch.certificate.dtype == object and batch.certificate[1] is batch[1].certificate
    assert batch.history.tolist() == [None] * 3
    ragged = ResultBatch(dataclasses.replace(batch[0], slope=np.zeros(n)) for n in (1, 2))
    assert [entry.shape for entry in ragged.slope] == [(1,), (2,)]
    assert batch.keys() == batch[0].keys()
    assert set(batch.keys()) <= set(dir(batch))
    with pytest.raises(KeyError, match="nothing"):
        batch["nothing"]
    for name in ("nothing", "_problem"):
        with pytest.raises(AttributeError, match=name):
            getattr(batch, name)


def test_batch_is_frozen_and_pickles(batch):
    with pytest.raises(dataclasses.FrozenInstanceError):
        batch.slope = 1.0
    for again in (copy.copy(batch), copy.deepcopy(batch), pickle.loads(pickle.dumps(batch))):
        assert_array_equal(again.slope, batch.slope)


def test_batch_wants_results_of_one_class(batch):
    with pytest.raises(TypeError, match="holds Line, Result; expected one subclass of Result"):
        ResultBatch([batch[0], Result.from_core(raw())])
    with pytest.raises(TypeError, match="holds int"):
        ResultBatch([1])


@pytest.mark.parametrize(
    ("certificate", "text"),
    [
        (Certificate("a", 0.5, relative=False, rigorous=False), "a, bound 0.5 (absolute, estimate)"),
        (
            Certificate("error-bars", 1 / 3, relative=True, rigorous=True, failure_probability=0.01),
            "error-bars, bound 0.333 (relative, rigorous, failure probability 0.01)",
        ),
        (Certificate("a", float("inf"), relative=True, rigorous=True), "a, bound inf (relative, rigorous)"),
    ],
)
def test_certificate_text(certificate, text):
    assert str(certificate) == text


def test_certificate_is_hashable_and_needs_its_claims_spelled_out():
    one = Certificate("a", 0.5, relative=True, rigorous=True, parts={"b": 1.0})
    assert hash(one) == hash(Certificate("a", 0.5, relative=True, rigorous=True, parts={"b": 1.0}))
    with pytest.raises(TypeError):
        Certificate("a", 0.5, True, True)


def test_statuses_are_those_of_the_contract():
    assert set(STATUS) == {
        "converged",
        "max_iterations",
        "max_time",
        "interrupted",
        "stalled",
        "rounding_floor",
        "infeasible",
        "unbounded",
        "unbounded_or_infeasible",
        "duality_gap",
        "degenerate",
        "diverged",
    }
    with pytest.raises(TypeError):
        STATUS["more"] = ""
