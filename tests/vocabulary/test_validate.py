"""The checks of arguments: what passes, in which form, and the promised messages."""

import decimal
import fractions
import math
import re

import numpy as np
import pytest
import scipy.sparse
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from solvent._validate import (
    as_float_array,
    check_callback,
    check_choice,
    check_entries,
    check_finite,
    check_int,
    check_maxiter,
    check_maxtime,
    check_scalar,
    check_shape,
    check_tol,
    check_workers,
)


def raises(error, message):
    return pytest.raises(error, match=f"^{re.escape(message)}$")


class TestArrays:
    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    def test_floats_are_not_copied(self, dtype):
        a = np.ones((4, 3), dtype)
        for view in (a, a.T, a[::2], a[::-1, 1:], np.asfortranarray(a)):
            checked = as_float_array(view, "a")
            assert checked is view
        a.flags.writeable = False
        assert as_float_array(a, "a") is a

    @pytest.mark.parametrize("dtype", [bool, np.int8, np.uint8, np.int16, np.int64, np.uint64])
    def test_integers_and_bools_become_float64(self, dtype):
        checked = as_float_array(np.ones(3, dtype), "a")
        assert checked.dtype == np.float64
        assert_array_equal(checked, [1.0, 1.0, 1.0])

    def test_other_floats(self):
        assert as_float_array(np.ones(3, np.float16), "a").dtype == np.float32
        swapped = np.arange(3.0).astype(">f8")
        checked = as_float_array(swapped, "a")
        assert checked.dtype.isnative
        assert_array_equal(checked, [0.0, 1.0, 2.0])

    def test_lists_scalars_and_subclasses(self):
        assert as_float_array([[1, 2]], "a").dtype == np.float64
        assert as_float_array(2, "a").shape == ()
        assert type(as_float_array(np.ones(2).view(np.recarray), "a")) is np.ndarray

    @pytest.mark.parametrize(
        ("a", "message"),
        [
            (np.ones(2, complex), "A has dtype complex128; expected real numbers (float32 or float64)"),
            (np.array([object()]), "A has dtype object; expected real numbers (float32 or float64)"),
            (["a", "b"], "A has dtype <U1; expected real numbers (float32 or float64)"),
            (None, "A has dtype object; expected real numbers (float32 or float64)"),
            (np.ones(2, "M8[s]"), "A has dtype datetime64[s]; expected real numbers (float32 or float64)"),
            (np.ma.ones(2), "A is a masked array; expected a plain array (for example A.filled(0))"),
            (scipy.sparse.csr_array((2, 2)), "A is a sparse csr_array; expected a dense array"),
            (scipy.sparse.coo_matrix((2, 2)), "A is a sparse coo_matrix; expected a dense array"),
        ],
    )
    def test_wrong_types(self, a, message):
        with raises(TypeError, message):
            as_float_array(a, "A")

    @pytest.mark.skipif(
        np.finfo(np.longdouble).eps == np.finfo(float).eps, reason="longdouble is double here"
    )
    def test_extended_precision_is_not_rounded_silently(self):
        with pytest.raises(TypeError, match="A has dtype"):
            as_float_array(np.ones(2, np.longdouble), "A")

    @pytest.mark.parametrize(
        ("ndim", "shape", "message"),
        [
            (1, (2, 3), "b has shape (2, 3); expected 1 dimension"),
            (2, (), "b has shape (); expected 2 dimensions"),
            ((1, 2), (1, 1, 1), "b has shape (1, 1, 1); expected 1 or 2 dimensions"),
        ],
    )
    def test_dimensions(self, ndim, shape, message):
        with raises(ValueError, message):
            as_float_array(np.ones(shape), "b", ndim=ndim)

    def test_dimensions_that_fit(self):
        assert as_float_array(np.ones((2, 3)), "b", ndim=2).shape == (2, 3)
        assert as_float_array(np.ones(3), "b", ndim=(1, 2)).shape == (3,)

    @pytest.mark.parametrize("order", ["C", "F"])
    @pytest.mark.parametrize(("value", "shown"), [(math.inf, "inf"), (-math.inf, "-inf"), (math.nan, "nan")])
    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    def test_finite(self, dtype, value, shown, order):
        a = np.ones((5, 9), dtype, order=order)
        a[3, 7] = a[4, 0] = value
        with raises(ValueError, f"A[3, 7] is {shown}; expected finite values"):
            as_float_array(a, "A")
        assert as_float_array(a, "A", finite=False) is a

    def test_finite_names_the_first_of_opposite_infinities(self):
        with raises(ValueError, "w[1] is inf; expected finite values"):
            check_finite(np.array([0.0, math.inf, -math.inf]), "w")

    def test_finite_of_a_number(self):
        with raises(ValueError, "kappa is nan; expected finite values"):
            as_float_array(math.nan, "kappa")

    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    def test_sums_that_overflow_are_finite_values(self, dtype):
        a = np.full(100, np.finfo(dtype).max, dtype)
        assert as_float_array(a, "a") is a
        a[50:] *= -1
        assert as_float_array(a, "a") is a

    def test_empty(self):
        assert as_float_array(np.ones((0, 3)), "a").shape == (0, 3)

    @given(st.lists(st.floats(width=32), min_size=1, max_size=20), st.booleans())
    def test_finite_agrees_with_numpy(self, values, single):
        a = np.array(values, np.float32 if single else np.float64)
        bad = np.flatnonzero(~np.isfinite(a))
        if bad.size:
            with raises(ValueError, f"a[{bad[0]}] is {float(a[bad[0]])!r}; expected finite values"):
                check_finite(a, "a")
        else:
            check_finite(a, "a")

    def test_entries(self):
        kappa = np.array([2.0, -1.0, math.nan])
        with raises(ValueError, "kappa[1] is -1.0; expected a finite number >= 0"):
            check_entries(kappa, "kappa", lambda k: k >= 0, "expected a finite number >= 0")
        check_entries(kappa[:1], "kappa", lambda k: k >= 0, "expected a finite number >= 0")

    def test_shape(self):
        with raises(ValueError, "a has shape (3,) but C has 4 rows; expected (4,)"):
            check_shape(np.ones(3), "a", (4,), "C has 4 rows")
        check_shape(np.ones(4), "a", (4,), "C has 4 rows")


NUMBERS = [
    2,
    2.0,
    np.float32(2),
    np.int8(2),
    np.array(2.0),
    np.array(2),
    decimal.Decimal(2),
    fractions.Fraction(2),
]


class TestScalars:
    @pytest.mark.parametrize("value", NUMBERS, ids=repr)
    def test_numbers_of_any_kind(self, value):
        checked = check_scalar(value, "reg", gt=0)
        assert type(checked) is float
        assert checked == 2.0

    @pytest.mark.parametrize(
        ("value", "shown"),
        [
            (0.0, "0.0"),
            (0, "0"),
            (np.float64(0.0), "0.0"),
            (np.array(0.0), "0.0"),
            (-1, "-1"),
            (math.nan, "nan"),
            (math.inf, "inf"),
            (-math.inf, "-inf"),
        ],
    )
    def test_outside(self, value, shown):
        with raises(ValueError, f"reg = {shown}; expected a finite number > 0"):
            check_scalar(value, "reg", gt=0)

    @pytest.mark.parametrize(
        ("value", "shown"),
        [
            ("1", "'1'"),
            (None, "None"),
            (1j, "1j"),
            (np.complex128(1), "(1+0j)"),
            (True, "True"),
            (np.True_, "True"),
            ([1.0], "[1.0]"),
            (np.ones(1), "array of shape (1,)"),
            (np.array("1"), "array('1', dtype='<U1')"),
        ],
    )
    def test_wrong_types(self, value, shown):
        with raises(TypeError, f"reg = {shown}; expected a finite number > 0"):
            check_scalar(value, "reg", gt=0)

    def test_two_limits(self):
        assert check_scalar(1, "step_decay", gt=0.5, le=1) == 1.0
        with raises(ValueError, "step_decay = 0.5; expected a finite number > 0.5 and <= 1"):
            check_scalar(0.5, "step_decay", gt=0.5, le=1)
        assert check_scalar(0.5, "p", ge=0, lt=1) == 0.5
        with raises(ValueError, "p = 1; expected a finite number >= 0 and < 1"):
            check_scalar(1, "p", ge=0, lt=1)

    def test_infinity_where_it_is_allowed(self):
        assert check_scalar(math.inf, "t", gt=0, finite=False) == math.inf
        with raises(ValueError, "t = nan; expected a number > 0"):
            check_scalar(math.nan, "t", gt=0, finite=False)

    def test_integers_beyond_floats(self):
        with pytest.raises(ValueError, match="expected a finite number"):
            check_scalar(10**400, "t")

    @pytest.mark.parametrize("value", [3, np.int64(3), np.uint8(3), np.array(3)], ids=repr)
    def test_int(self, value):
        checked = check_int(value, "n", ge=1)
        assert type(checked) is int
        assert checked == 3

    @pytest.mark.parametrize(
        ("value", "error", "shown"),
        [
            (0, ValueError, "0"),
            (np.int64(11), ValueError, "11"),
            (3.0, TypeError, "3.0"),
            (np.float64(3), TypeError, "3.0"),
            ("3", TypeError, "'3'"),
            (None, TypeError, "None"),
            (True, TypeError, "True"),
            (np.array(True), TypeError, "array(True)"),
            (np.ones(2, int), TypeError, "array of shape (2,)"),
        ],
    )
    def test_int_misuse(self, value, error, shown):
        with raises(error, f"n = {shown}; expected an integer >= 1 and <= 10"):
            check_int(value, "n", ge=1, le=10)

    def test_choice(self):
        assert check_choice("soft", "assignment", ("soft", "hard")) == "soft"
        for value, shown in [("mid", "'mid'"), (None, "None"), (np.ones(2), "array of shape (2,)")]:
            with raises(ValueError, f"assignment = {shown}; expected one of 'soft', 'hard'"):
                check_choice(value, "assignment", ("soft", "hard"))

    def test_long_values_are_cut(self):
        with pytest.raises(TypeError) as caught:
            check_scalar(list(range(1000)), "reg")
        assert len(str(caught.value)) < 140


class TestSharedKeywords:
    def test_defaults(self):
        assert check_tol(None, 1e-9) == 1e-9
        assert check_maxiter(None, 50) == 50
        assert check_maxtime(None) is None
        assert check_workers(None) is None
        assert check_callback(None) is None

    def test_values(self):
        assert check_tol(0, 1e-9) == 0.0
        assert check_maxiter(np.int64(3), 50) == 3
        assert check_maxtime(2) == 2.0
        assert check_maxtime(math.inf) is None
        assert check_workers(4) == 4
        assert check_callback(print) is print

    @pytest.mark.parametrize(
        ("check", "error", "message"),
        [
            (lambda: check_tol(-1e-3, 1.0), ValueError, "tol = -0.001; expected a finite number >= 0"),
            (lambda: check_tol(math.nan, 1.0), ValueError, "tol = nan; expected a finite number >= 0"),
            (lambda: check_tol("a", 1.0), TypeError, "tol = 'a'; expected a finite number >= 0"),
            (lambda: check_maxiter(0, 1), ValueError, "maxiter = 0; expected an integer >= 1"),
            (lambda: check_maxiter(1.5, 1), TypeError, "maxiter = 1.5; expected an integer >= 1"),
            (lambda: check_maxtime(0), ValueError, "maxtime = 0; expected a number > 0"),
            (lambda: check_workers(-1), ValueError, "workers = -1; expected an integer >= 1"),
            (lambda: check_callback(3), TypeError, "callback = 3; expected a callable or None"),
        ],
    )
    def test_misuse(self, check, error, message):
        with raises(error, message):
            check()
