"""Point sets: from lists and files, duplicates, rotations, bad input."""

import numpy as np
import pytest

import simdiff
from simdiff.data import PointMasses
from simdiff.parts.build import build_problem


def test_duplicates_add_their_weights():
    points = PointMasses([[0.0, 1.0], [1.0, 0.0], [0.0, 1.0]], weights=[1, 2, 1])
    assert points.points == ((0.0, 1.0), (1.0, 0.0))
    assert points.weights == (0.5, 0.5)
    assert points == PointMasses(np.array([[0.0, 1.0], [1.0, 0.0]]))
    assert PointMasses([0, 0, 3]).weights == pytest.approx((2 / 3, 1 / 3))


def test_files_hold_the_same_points(tmp_path):
    points = np.array([[0.0, 1.0], [1.0, 0.5], [2.0, 0.25]])
    np.save(tmp_path / "p.npy", points)
    np.savetxt(tmp_path / "p.csv", points, delimiter=",")
    for name in ("p.npy", "p.csv"):
        assert PointMasses(str(tmp_path / name)) == PointMasses(points)
    np.save(tmp_path / "pickle.npy", np.array([{}, None], object), allow_pickle=True)
    with pytest.raises(simdiff.InputError, match=r"data\.points"):
        PointMasses(str(tmp_path / "pickle.npy"))


def test_a_configuration_builds_and_turns_them():
    problem = build_problem(
        {
            "problem": "ensemble_sampling",
            "data": {"type": "PointMasses", "points": [[1, 0], [0, 1]], "angle": np.pi / 2},
            "model": {"type": "FourierFeatures", "x_count": 3, "t_count": 2},
            "schedule": {"type": "VarianceExploding", "t_max": 5.0},
            "trainer": {"type": "Ridge", "ridge": 0.2},
        }
    )
    np.testing.assert_allclose(problem.data.arrays()[0], [[0, 1], [-1, 0]], atol=1e-15)
    assert problem.describe()["data"]["angle"] == pytest.approx(np.pi / 2)
    assert problem.features == 18
    assert problem.schedule.t_max == 5.0
    assert problem.describe()["data"]["type"] == "PointMasses"


def test_a_named_set_is_told_by_its_name():
    named = PointMasses("square")
    assert named.arrays()[0].tolist() == [[1, 0], [0, 1], [-1, 0], [0, -1]]
    assert named.description()["points"] == "square"
    assert PointMasses([0.0, 1.0]).description()["points"] == [[0.0], [1.0]]


BAD = {
    "one": (([[1.0, 2.0]],), "two different ones or more"),
    "twice the same": (([[1.0, 2.0], [1.0, 2.0]],), "1 different points.*two different"),
    "ragged": (([[1.0], [1.0, 2.0]],), "rows of one length"),
    "not finite": (([0.0, np.nan],), "finite"),
    "weights": (([0.0, 1.0], [1.0]), "data.weights.*2 numbers > 0"),
    "negative": (([0.0, 1.0], [1.0, -1.0]), "data.weights.*> 0"),
    "angle": (([0.0, 1.0], None, 0.1), "data.angle"),
    "suffix": (("points.txt",), "data.points"),
    "no file": (("nowhere.npy",), "data.points.*nowhere"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_clear_message(case):
    arguments, message = BAD[case]
    with pytest.raises(simdiff.InputError, match=message) as caught:
        PointMasses(*arguments)
    assert "\n" not in str(caught.value)
