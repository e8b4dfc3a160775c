"""What is simdiff's own alone, and what is not."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import pytest

import simdiff
from simdiff.data import gaussian
from simdiff.engine import padding
from simdiff.functions.activations import activation
from simdiff.identity import own_code
from simdiff.identity.own_code import altered, own_text, source_digits


@dataclasses.dataclass(frozen=True)
class Theirs:
    """Of a user."""

    value: int = 1


def test_equal_kernels_have_equal_texts_and_others_have_not():
    problem = simdiff.DenoisingScoreMatching(m=4)
    kernels = [problem.kernel(d)[0] for d in (20, 20, 21)]
    texts = [own_text(kernel) for kernel in kernels]
    assert texts[0] == texts[1] != texts[2]
    assert own_text((1, 2)) != own_text((12,)) != own_text(("12",))
    assert own_text(1) != own_text(1.0) != own_text(True)
    assert own_text(activation("tanh")) != own_text(activation("relu"))


@pytest.mark.parametrize(
    "value",
    [
        Theirs(),
        (1, Theirs()),
        lambda x: x,
        functools.partial(jnp.tanh),
        test_equal_kernels_have_equal_texts_and_others_have_not,
        object(),
        [1],
        {"a": 1},
        jnp.ones(2),
        jax.jit(lambda x: x),
    ],
    ids=["dataclass", "within", "lambda", "partial", "function", "object", "list", "dict", "array", "jitted"],
)
def test_what_is_not_its_own_has_no_text(value):
    assert own_text(value) is None


def test_functions_and_types_of_libraries_have_names():
    assert own_text(jnp.tanh) == "jax.numpy:tanh"
    assert own_text(jnp.float32) == "jax.numpy:float32"


def test_a_function_under_the_name_of_another_is_noticed(monkeypatch):
    assert not altered()
    with monkeypatch.context() as patch:
        patch.setattr(padding, "bucket", lambda length, fine=False, least=256: length)
        assert altered()
    with monkeypatch.context() as patch:
        patch.setattr(gaussian.PowerLaw, "sampler", lambda self, d: None)
        assert altered()
    assert not altered()


def test_digits_of_the_source_change_with_any_file(tmp_path, monkeypatch):
    (tmp_path / "room").mkdir()
    (tmp_path / "room" / "part.py").write_text("one = 1\n")
    monkeypatch.setattr(own_code, "_HOME", tmp_path)
    read = source_digits.__wrapped__
    first = read()
    assert first == read()
    (tmp_path / "room" / "part.py").write_text("one = 2\n")
    second = read()
    (tmp_path / "room" / "part.py").rename(tmp_path / "room" / "other.py")
    assert len({first, second, read()}) == 3
