"""`equivalence`: planted closeness, the formula, both kinds of animals, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

import consilience as cs

N = 40
IDS = [f"image{i:02d}" for i in range(N)]


def case(noise: float = 0.5) -> tuple[dict[str, object], dict[str, object]]:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(N, 12))

    def of(k: float) -> object:
        return cs.responses(x + k * rng.normal(size=x.shape), stimulus=IDS)

    return {"like": of(noise), "unlike": of(8.0)}, {f"animal{i}": of(noise) for i in range(3)}


def test_planted_closeness_and_the_formula() -> None:
    models, animals = case()
    found = cs.equivalence(models, animals, "cka", margin=0.2, n_boot=200, rng=0)
    data = found.data.sel(target="all")
    assert float(data["p_equivalent"].sel(model="like")) < 0.05
    assert float(data["p_below"].sel(model="like")) > 0.05
    assert float(data["p_equivalent"].sel(model="unlike")) > 0.5
    assert float(data["p_below"].sel(model="unlike")) < 0.001
    assert float(data["p_not_inferior"].sel(model="unlike")) > 0.5
    values = {k: v.values for k, v in {**models, **animals}.items()}
    one = found.data.sel(model="like", target="animal1")
    assert np.isclose(one["value_model"], float(cs.measures.cka(values["like"], values["animal1"])))
    others = [float(cs.measures.cka(values[f"animal{j}"], values["animal1"])) for j in (0, 2)]
    assert np.isclose(one["value_animals"], np.mean(others))
    each = found.data["difference"].sel(model="like").values
    assert np.isclose(each[-1], each[:-1].mean())
    assert all(row.passed for row in cs.testing.check_result(found))


def test_subjects_of_rdm_data_are_animals() -> None:
    models, animals = case()
    stack = np.stack([cs.measures.rdm(v.values) for v in animals.values()])
    people = cs.rdm_data(stack, stimulus=IDS, distance="correlation", subject=list("abc"), system="IT")
    one = cs.equivalence(models, people, "rsa", margin=0.1, n_boot=50, rng=0)
    two = cs.equivalence(models, animals, "rsa", margin=0.1, n_boot=50, rng=0)
    assert np.allclose(one.data["difference"], two.data["difference"])


def test_what_is_refused() -> None:
    models, animals = case()
    with pytest.raises(cs.InputError, match="at least 2 animals"):
        cs.equivalence(models, {"one": animals["animal0"]}, margin=0.1)
    with pytest.raises(cs.InputError, match="margin must be a number"):
        cs.equivalence(models, animals, margin=0.0)
    with pytest.raises(cs.InputError, match="names of their own"):
        cs.equivalence(animals, animals, margin=0.1)
    with pytest.raises(cs.InputError, match="animals must be"):
        cs.equivalence(models, animals["animal0"], margin=0.1)


def test_plot() -> None:
    pytest.importorskip("matplotlib")
    found = cs.equivalence(*case(), "cka", margin=0.25, n_boot=50, rng=0)
    assert [t.get_text() for t in found.plot().get_yticklabels()] == ["like", "unlike"]
