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


def test_animals_that_differ_widen_the_interval_over_animals() -> None:
    rng = np.random.default_rng(3)
    x = rng.normal(size=(N, 12))
    model = cs.responses(x, stimulus=IDS)
    tilts = np.exp(rng.normal(size=(6, 12)))

    def of(k: int, differ: bool) -> object:
        seen = x * tilts[k] if differ else x
        return cs.responses(seen + 0.5 * rng.normal(size=x.shape), stimulus=IDS)

    ratio = []
    for differ in (False, True):
        animals = {f"animal{k}": of(k, differ) for k in range(6)}
        found = cs.equivalence(model, animals, "cka", margin=0.1, n_boot=100, rng=0).data
        each, whole = found.sel(target="animal1"), found.sel(target="all")
        assert np.isnan(each["ci_both_low"]).all()
        ratio.append(
            float(
                ((whole["ci_both_high"] - whole["ci_both_low"]) / (whole["ci_high"] - whole["ci_low"])).item()
            )
        )
    assert 1.0 <= ratio[0] < 1.5 < ratio[1]
    # the jackknife: animals left out, each as target and as one of the others
    value = cs.compare({"m": model, **animals}, animals, measure="cka", n_boot=0, n_perm=0, rng=0).data[
        "value"
    ][0]
    away = value.sel(a="m").values - np.where(np.eye(6, dtype=bool), 0, value.values[1:]).sum(axis=0) / 5
    assert np.isclose(away.mean(), whole["difference"].item())
    two = {name: animals[name] for name in ("animal0", "animal1")}
    pair = cs.equivalence(model, two, "cka", margin=0.1, n_boot=100, rng=0)
    assert np.isnan(pair.data["ci_both_low"]).all()


def test_the_variance_over_animals_is_the_jackknife() -> None:
    from consilience.analyses._equivalence import _over_animals

    rng = np.random.default_rng(0)
    value = rng.normal(size=(1 + 5, 5))  # one model and five animals against the animals

    def mean(kept: np.ndarray) -> float:
        rows = value[1:][np.ix_(kept, kept)]
        off = rows[~np.eye(len(kept), dtype=bool)].mean()
        return float(value[0, kept].mean() - off)

    less = np.array([mean(np.delete(np.arange(5), t)) for t in range(5)])
    of_animals, of_stimuli = _over_animals(value, np.tile(value, (9, 1, 1)), None, 1, "pairs", 40)
    assert np.isclose(of_animals[0], 4 / 5 * ((less - less.mean()) ** 2).sum())
    assert np.isclose(of_stimuli[0], 0)


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
