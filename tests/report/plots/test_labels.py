from __future__ import annotations

import math

import pytest

from simdiff.report.plots import labels
from simdiff.report.plots.numbers import percent, with_error, without_error


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (4.0, "4"),
        (0.3, "0.3"),
        (math.inf, r"$\infty$"),
        (1e-3, "$10^{-3}$"),
        (2.5e-4, r"$2.5\times 10^{-4}$"),
        (1e5, "$10^{5}$"),
        (0.0, "0"),
        ("tanh", "tanh"),
        (None, "–"),
    ],
)
def test_value_text(value, text):
    assert labels.value_text(value) == text


def test_names():
    assert labels.axis_name("model.psi_p") == r"$\psi_p = p/d$"
    assert labels.axis_name("my.own_knob") == "own knob"
    assert labels.metric_name("test_loss") == "test loss"
    assert labels.metric_name("gap", {"gap": "share in gaps"}) == "share in gaps"
    assert labels.key_text({"m": math.inf, "model.activation": "tanh"}) == r"$m$ = $\infty$, tanh"
    assert labels.key_text({"data.twin": "yes"}) == "Gaussian twin: yes"


@pytest.mark.parametrize(
    ("value", "error", "text"),
    [
        (2.20031, 0.00123, "2.2003(12)"),
        (2.20031, 0.000999, "2.2003(10)"),
        (-0.5, 0.011, "-0.500(11)"),
        (123.44, 1.23, "123.4(1.2)"),
        (123.44, 0.96, "123.44(96)"),
        (0.98, 0.999, "1.0(1.0)"),
        (12345.0, 678.0, "12340(680)"),
        (1.2345e-5, 1.2e-7, "1.234(12)e-05"),
        (3.2e7, 1.1e5, "3.200(11)e+07"),
        (0.0, 0.02, "0.000(20)"),
        (0.1, math.nan, "0.1"),
        (0.1, 0.0, "0.1"),
        (math.nan, 0.1, "n/a"),
    ],
)
def test_with_error(value, error, text):
    assert with_error(value, error) == text


def test_without_error_keeps_the_digits():
    assert without_error(2.2, 0.00123) == "2.2000"
    assert without_error(1.2e-5, 1.2e-7) == "1.200e-05"
    assert percent(0.005) == "0.5%"
