"""dPCA: planted axes, unbalanced and missing trials, a published program, held-out variance, significance, refusals."""

import contextlib
import io
import itertools
import warnings

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.utils.estimator_checks import check_estimator

import consilience as cs
from consilience._core._seeds import resolve_seed
from consilience.linalg._demixed import Demixer, penalised_losses
from consilience.models import DPCA
from consilience.models._dpca_cv import choose_penalty
from consilience.models._dpca_data import Crossed, read_trials
from consilience.models._dpca_noise import noise_of
from consilience.models._dpca_significance import shuffled_codes

S, Q, T, N = 3, 2, 8, 20


def planted(seed=0, noise=0.3, trials=8, units=N, times=T, mix=0.0):
    """(means (S, Q, T, N), X, y, axes {label: (N,)}): one axis each of stimulus, choice, time and interaction."""
    rng = np.random.default_rng(seed)
    basis = np.linalg.qr(rng.normal(size=(units, 4)))[0].T
    basis[1] = mix * basis[0] + np.sqrt(1 - mix**2) * basis[1]
    t = np.linspace(0, 1, times)
    rise, hump = t, np.sin(np.pi * t)
    s, q = np.array([-1.2, 0.2, 1.0]), np.array([-1.0, 1.0])
    parts = [
        np.einsum("s,q,t->sqt", s, np.ones(Q), rise),
        np.einsum("s,q,t->sqt", np.ones(S), q, hump),
        np.einsum("s,q,t->sqt", np.ones(S), np.ones(Q), 2 * t - 1),
        np.einsum("s,q,t->sqt", s - s.mean(), q, t**2) * 0.7,
    ]
    means = sum(part[..., None] * axis for part, axis in zip(parts, basis)) + 5.0
    many = np.broadcast_to(trials, (S, Q))
    y = {
        "stimulus": np.repeat(np.repeat(np.arange(S), Q), many.ravel()),
        "choice": np.repeat(np.tile(["go", "no"], S), many.ravel()),
    }
    table = means.reshape(S * Q, times, units)
    x = np.repeat(table, many.ravel(), axis=0)
    x = x + noise * rng.normal(size=x.shape)
    return means, x, y, dict(zip(("stimulus", "choice", "time", "stimulus:choice"), basis))


def marginalised(means):
    """The four marginalizations of Kobak et al. (2016), written out, time joined."""
    x = means - means.mean(axis=(0, 1, 2))
    time = x.mean(axis=(0, 1), keepdims=True)
    stimulus = x.mean(axis=1, keepdims=True) - time
    choice = x.mean(axis=0, keepdims=True) - time
    full = np.zeros_like(x)
    return {
        "stimulus": full + stimulus,
        "choice": full + choice,
        "time": full + time,
        "stimulus:choice": x - stimulus - choice - time,
    }


def test_the_published_equations_written_out():
    """C = X_f X'(X X' + c C + a I)^-1, F the left singular vectors of C [X, noise], D = F'C."""
    _means, x, y, _ = planted(noise=1.0)
    a = 0.3
    model = DPCA(3, regularisation=a).fit(x, y)
    found = x.reshape(S * Q, 8, T, N).mean(axis=1).reshape(S, Q, T, N)
    rest = (x.reshape(S * Q, 8, T, N) - found.reshape(S * Q, 1, T, N)).reshape(-1, N)
    covariance = rest.T @ rest / (S * Q * T * 7)
    np.testing.assert_allclose(model.noise_covariance_, covariance, rtol=1e-9, atol=1e-12)
    flat = (found - found.mean(axis=(0, 1, 2))).reshape(-1, N).T
    r = flat @ flat.T + S * Q * T * covariance
    r += a * np.trace(flat @ flat.T) / N * np.eye(N)
    half = np.linalg.cholesky(r)
    total = (flat**2).sum()
    for k, (name, part) in enumerate(marginalised(found).items()):
        part = part.reshape(-1, N).T
        c = part @ flat.T @ np.linalg.inv(r)
        u = np.linalg.svd(c @ half)[0][:, :3]
        u *= np.sign(u[np.abs(u).argmax(axis=0), np.arange(3)])
        np.testing.assert_allclose(model.components_[name], u.T, atol=1e-8)
        np.testing.assert_allclose(model.decoders_[name], u.T @ c, atol=1e-8)
        kept = u @ (u.T @ c) @ part
        share = ((part**2).sum() - ((part - kept) ** 2).sum()) / total
        assert model.explained_variance_[name] == pytest.approx(share, abs=1e-10)
        one = u[:, :1] @ (u[:, :1].T @ c) @ part
        first = ((part**2).sum() - ((part - one) ** 2).sum()) / total
        assert model.explained_variance_by_[3 * k, k] == pytest.approx(first, abs=1e-10)
        assert model.marginal_variance_[name] == pytest.approx((part**2).sum() / total)
        np.testing.assert_allclose(
            model.projections_[name].reshape(3, -1), model.decoders_[name] @ flat, atol=1e-9
        )
    assert sum(model.marginal_variance_.values()) == pytest.approx(1)


def test_the_published_program():
    """dPCA 1.0.5 at the same penalty: encoders, decoders and explained variance; it has no noise covariance."""
    module = pytest.importorskip("dPCA.dPCA")
    _, x, y, _ = planted(noise=1.0)
    means = x.reshape(S * Q, 8, T, N).mean(axis=1).reshape(S, Q, T, N)
    table = np.moveaxis(means, -1, 0)
    total = ((table - table.mean(axis=(1, 2, 3), keepdims=True)) ** 2).sum()
    lam = 3e-4
    theirs = module.dPCA(  # as many components as units: its randomised SVD is then exact
        labels="sqt",
        join={"st": ["s", "st"], "qt": ["q", "qt"], "sqt": ["sq", "sqt"]},
        n_components=N,
        regularizer=lam,
    )
    theirs.debug = 0
    theirs.fit(table)
    ours = DPCA(3, regularisation=(lam * total) ** 2 / (total / N), noise="none").fit(x, y)
    parts = marginalised(means)
    for name, key in {"stimulus": "st", "choice": "qt", "time": "t", "stimulus:choice": "sqt"}.items():
        f, d = theirs.P[key][:, :3], theirs.D[key][:, :3]
        sign = np.sign((f.T * ours.components_[name]).sum(axis=1))
        np.testing.assert_allclose(ours.components_[name], (f * sign).T, atol=1e-8)
        np.testing.assert_allclose(ours.decoders_[name], (d * sign).T, atol=1e-8)
        part = parts[name].reshape(-1, N).T
        share = ((part**2).sum() - ((part - f @ (d.T @ part)) ** 2).sum()) / total
        assert ours.explained_variance_[name] == pytest.approx(share, abs=1e-8)
        z = theirs.transform(table, key)[:3].reshape(3, -1)
        np.testing.assert_allclose(ours.projections_[name].reshape(3, -1), z * sign[:, None], atol=1e-8)
    assert theirs.fit(table) is theirs


def test_the_choice_of_the_published_program():
    """Losses of the same splits at the same penalties, with each unit predicted from the others."""
    module = pytest.importorskip("dPCA.dPCA")
    _, x, y, _ = planted(noise=0.7, trials=6)
    grid = 10.0 ** np.arange(-3, 2.1, 0.5)
    ours = DPCA(N, regularisation=grid, noise="none", criterion="units", cv=1, rng=3).fit(x, y)
    data = read_trials(x, y, labels=None, missing="raise", who="test")
    held = data.deal(1, 1, resolve_seed(3, who="test").stream("splits"))[0][0][:, 0]
    test = x[held].reshape(S, Q, T, N)
    train = (x.reshape(S * Q, 6, T, N).sum(axis=1) - x[held]).reshape(S, Q, T, N) / 5
    train, test = (np.moveaxis(v - v.mean(axis=(0, 1, 2)), -1, 0) for v in (train, test))

    class Given(module.dPCA):
        def train_test_split(self, *args, **kwargs):
            return train, test

    theirs = Given(
        labels="sqt",
        join={"st": ["s", "st"], "qt": ["q", "qt"], "sqt": ["sq", "sqt"]},
        n_components=N,
        regularizer=0.1,
    )
    theirs.n_trials, theirs.protect, theirs.debug = 1, ["t"], 0
    total = (train**2).sum()
    with contextlib.redirect_stdout(io.StringIO()):
        losses = theirs.crossval_score(
            np.sqrt(grid * total / N) / total, train, np.moveaxis(x.reshape(S, Q, 6, T, N), (2, 4), (0, 1))
        )
    looked = np.isfinite(ours.cv_errors_)
    assert looked.sum() >= 4
    np.testing.assert_allclose((ours.cv_errors_ * (test**2).sum())[looked], losses[0][looked], rtol=1e-8)
    assert int(np.nanargmin(ours.cv_errors_)) == int(losses[0].argmin())


@pytest.mark.parametrize("others", [True, False])
def test_losses_are_those_of_predictions(others):
    rng = np.random.default_rng(0)
    factors = rng.normal(size=(2, 9, 6))
    test = rng.normal(size=(2, 30, 6))
    target = (test[0].T @ test[1] + test[1].T @ test[0]) / 2
    demixer = Demixer(factors)
    losses = penalised_losses(
        demixer, 0, 2, np.array([0.1, 3.0]), target=target, source=test[0].T @ test[0], others=others
    )
    for a, loss in zip((0.1, 3.0), losses):
        f, d = demixer.axes(0, a, 2)
        k = f @ d.T
        if others:
            k = k - np.diag(np.diag(k))
        h = test[0].T @ test[0]
        assert loss == pytest.approx(np.trace(target) - 2 * np.trace(k @ target) + np.trace(k @ h @ k.T))


def test_planted_axes_of_unbalanced_and_missing_trials():
    many = [[30, 6], [5, 12], [9, 25]]
    means, x, y, axes = planted(noise=0.4, trials=many, mix=0.5)
    rng = np.random.default_rng(1)
    order = rng.permutation(len(x))
    x, y = x[order], {k: v[order] for k, v in y.items()}
    holes = x.copy()
    holes[rng.random(x.shape) < 0.1] = np.nan
    holes[rng.random(x.shape[:2]) < 0.1] = np.nan
    for data, how in ((x, "raise"), (holes, "mask"), (list(x), "raise")):
        model = DPCA(1, missing=how, rng=0).fit(data, y)
        for name, axis in axes.items():
            assert abs(model.components_[name][0] @ axis) > 0.97, name
        truth = {k: (v**2).sum() for k, v in marginalised(means).items()}
        whole = sum(truth.values())
        for name, share in model.signal_variance_.items():
            assert share == pytest.approx(truth[name] / whole, abs=0.02), name
    # the decoders undo the overlap of stimulus and choice axes, the encoders show it
    assert model.axis_overlap_[0, 1] ** 2 == pytest.approx(0.25, abs=0.1)
    assert (model.demixing_ > 0.9).all()
    # frequent conditions weigh no more than rare ones
    np.testing.assert_allclose(
        model.condition_means_[0, 1], x[(y["stimulus"] == 0) & (y["choice"] == "no")].mean(axis=0)
    )
    assert model.counts_[..., 0].tolist() == many


def test_unequal_numbers_of_trials_are_not_a_signal():
    """Means over pooled trials would show choice in a unit that has stimulus only, where the two go together."""
    rng = np.random.default_rng(0)
    stimulus = rng.integers(0, 2, 400)
    choice = np.where(rng.random(400) < 0.9, stimulus, 1 - stimulus)
    x = stimulus[:, None, None] * np.ones((1, 3, 5)) * rng.normal(size=5) + 0.1 * rng.normal(size=(400, 3, 5))
    model = DPCA(1).fit(x, {"stimulus": stimulus, "choice": choice})
    assert model.marginal_variance_["choice"] < 0.01
    assert model.signal_variance_["stimulus"] > 0.99


def test_noise_floor_is_unbiased_for_slow_noise_and_unequal_counts():
    many = [[12, 3], [2, 6], [4, 9]]
    means, *_ = planted()
    truth = {k: (v**2).sum() for k, v in marginalised(means).items()}
    drawn = {k: [] for k in truth}
    floor, excess = [], []
    for seed in range(60):
        _, x, y, _ = planted(noise=0.0, trials=many)
        rng = np.random.default_rng(seed)
        slow = 0.5 * rng.normal(size=(len(x), 1, N)) + 0.2 * rng.normal(
            size=x.shape
        )  # shared by all times of a trial
        slow[..., 1] += slow[..., 0]
        model = DPCA(1, regularisation=1.0).fit(x + slow, y)
        signal = model.total_variance_ - model.noise_variance_
        for name, share in model.signal_variance_.items():
            drawn[name].append(share * signal)
        floor.append(model.noise_variance_)
        excess.append(model.total_variance_)
    for name, values in drawn.items():
        error = np.std(values, ddof=1) / np.sqrt(60)
        assert abs(np.mean(values) - truth[name]) < 4 * error, name
    assert np.mean(floor) == pytest.approx(np.mean(excess) - sum(truth.values()), rel=0.15)
    assert np.mean(excess) > 1.2 * sum(truth.values())  # without the floor


def test_masked_noise_has_its_degrees_of_freedom():
    rng = np.random.default_rng(0)
    found = []
    for _ in range(40):
        x = rng.normal(size=(30, 4, 3)) @ np.array([[1, 0.5, 0], [0, 1, 0], [0, 0, 2.0]])
        x[rng.random(x.shape) < 0.3] = np.nan
        y = {"a": np.repeat([0, 1, 2], 10)}
        found.append(noise_of(read_trials(x, y, labels=None, missing="mask", who="t")).covariance)
    truth = np.array([[1, 0.5, 0], [0.5, 1.25, 0], [0, 0, 4]])
    error = np.std(found, axis=0, ddof=1) / np.sqrt(40)
    assert (np.abs(np.mean(found, axis=0) - truth) < 4 * error + 1e-9).all()


def test_marginalizations_of_any_number_of_labels():
    rng = np.random.default_rng(0)
    cells = np.array(list(itertools.product(range(2), range(3), range(2))) * 3)
    y = dict(zip("abc", cells.T))
    x = rng.normal(size=(36, 4, 6))
    model = DPCA(2, regularisation=1.0).fit(x, y)
    assert model.marginalizations_ == ("a", "b", "c", "time", "a:b", "a:c", "b:c", "a:b:c")
    assert sum(model.marginal_variance_.values()) == pytest.approx(1)
    alone = DPCA(2, combine=None, regularisation=1.0).fit(x, y)
    assert len(alone.marginalizations_) == 15
    assert sum(alone.marginal_variance_.values()) == pytest.approx(1)
    assert alone.marginal_variance_["a"] + alone.marginal_variance_["a:time"] == pytest.approx(
        model.marginal_variance_["a"]
    )
    own = DPCA({"what": 2, "time": 1}, combine={"what": ["a", "time:a", ("b", "a")]}, regularisation=1.0).fit(
        x, y
    )
    assert own.marginalizations_[0] == "what"
    assert own.marginalization_.tolist() == ["what", "what", "time"]
    assert own.marginal_variance_["what"] == pytest.approx(
        sum(alone.marginal_variance_[k] for k in ("a", "a:time", "a:b"))
    )
    # dimensions bound the number of components
    few = DPCA(10, regularisation=1.0).fit(x[:, 0], y)
    assert few.marginalization_.tolist() == [
        "a",
        "b",
        "b",
        "c",
        "a:b",
        "a:b",
        "a:c",
        "b:c",
        "b:c",
        "a:b:c",
        "a:b:c",
    ]


def test_containers_and_signs():
    _, x, y, _ = planted()
    model = DPCA(2, rng=0).fit(x, y)
    z = model.transform(x)
    assert z.shape == (len(x), T, 8)
    listed = model.transform([x[0], x[1][:3]])
    np.testing.assert_allclose(listed[1], z[1, :3])
    one = DPCA(2, rng=0, labels=["choice"]).fit(x.mean(axis=1), y)
    assert one.transform(x.mean(axis=1)).shape == (len(x), 1)
    assert one.marginalizations_ == ("choice",)
    assert model.inverse_transform(z).shape == x.shape
    for f in model.components_.values():
        assert (f[np.arange(2), np.abs(f).argmax(axis=1)] > 0).all()
        np.testing.assert_allclose(f @ f.T, np.eye(2), atol=1e-10)
    again = clone(model).fit(x, y)
    np.testing.assert_array_equal(again.transform(x), z)
    import pandas as pd

    for form in (pd.DataFrame(y), pd.DataFrame(y).to_records(index=False)):
        np.testing.assert_array_equal(clone(model).fit(x, form).transform(x), z)
    holes = x.copy()
    holes[0, 2, 0] = np.nan
    masked = clone(model).set_params(missing="mask").fit(holes, y).transform(holes)
    assert np.isnan(masked[0, 2]).all()
    assert np.isfinite(masked[0, 3]).all()


def test_invariances():
    _, x, y, _ = planted(noise=1.0)
    rng = np.random.default_rng(0)
    first = DPCA(2, rng=0).fit(x, y)
    scaled = DPCA(2, rng=0).fit(1e6 * x + 1e3, y)
    assert scaled.regularisation_ == first.regularisation_
    np.testing.assert_allclose(scaled.explained_variance_by_, first.explained_variance_by_, atol=1e-7)
    turn = np.linalg.qr(rng.normal(size=(N, N)))[0]
    turned = DPCA(2, rng=0).fit(x @ turn, y)
    np.testing.assert_allclose(turned.explained_variance_by_, first.explained_variance_by_, atol=1e-9)
    stretched = DPCA(2, rng=0).fit(x * np.geomspace(0.1, 10, N), y)  # units are not scaled
    assert np.abs(stretched.explained_variance_by_ - first.explained_variance_by_).max() > 0.01
    renamed = DPCA(2, regularisation=first.regularisation_).fit(
        x, {"stimulus": np.array(list("cab"))[y["stimulus"]], "choice": y["choice"]}
    )
    np.testing.assert_allclose(
        [renamed.explained_variance_[k] for k in first.marginalizations_],
        list(first.explained_variance_.values()),
        atol=1e-9,
    )


def test_explained_variance_is_of_the_part_and_not_of_the_component():
    _, x, y, _ = planted(noise=0.2, mix=0.8)
    model = DPCA(1, regularisation=0.01).fit(x, y)
    assert all(
        model.explained_variance_[k] <= model.marginal_variance_[k] + 1e-12 for k in model.marginalizations_
    )
    captured = {k: (v**2).sum() / model.total_variance_ for k, v in model.projections_.items()}
    assert any(abs(captured[k] - model.explained_variance_[k]) > 0.02 for k in captured)
    assert (np.diff(model.pca_explained_variance_) >= -1e-12).all()
    assert (model.cumulative_explained_variance_ <= model.pca_explained_variance_ + 1e-12).all()


def test_regularisation_is_chosen_on_held_out_trials():
    """With more units than trials can tell, the chosen penalty shows new trials better than none."""
    better = []
    for seed in range(4):
        _, x, y, _ = planted(seed, noise=0.9, trials=6, units=60)
        means, _new, _, _ = planted(seed, noise=0.0, trials=1, units=60)
        parts = marginalised(means)
        flat = (means - means.mean(axis=(0, 1, 2))).reshape(-1, 60)
        loss = []
        for a in ("auto", None):
            model = DPCA(2, regularisation=a, noise="none", rng=0).fit(x, y)
            noisy = flat + 0.9 * np.random.default_rng(9).normal(size=flat.shape)
            loss.append(
                sum(
                    ((v.reshape(-1, 60) - noisy @ model.decoders_[k].T @ model.components_[k]) ** 2).sum()
                    for k, v in parts.items()
                )
            )
        better.append(loss[1] / loss[0])
    assert min(better) > 1.5


def test_coarse_then_fine_finds_the_best_of_the_grid():
    _, x, y, _ = planted(noise=0.9, trials=6)
    data = read_trials(x, y, labels=None, missing="raise", who="test")
    model = DPCA(3, rng=0).fit(x, y)
    grid = model.regularisations_
    each = [
        choose_penalty(
            data,
            model._marginals,
            model._counts,
            grid[[i]],
            splits=10,
            criterion="trials",
            noise="full",
            rng=resolve_seed(0, who="t").stream("splits"),
        )[1][0]
        for i in range(len(grid))
    ]
    assert np.isnan(model.cv_errors_).sum() > len(grid) // 3
    np.testing.assert_allclose(each[int(np.argmin(each))], np.nanmin(model.cv_errors_), rtol=1e-9)
    looked = np.isfinite(model.cv_errors_)
    np.testing.assert_allclose(np.array(each)[looked], model.cv_errors_[looked], rtol=1e-9)


def test_training_noise_without_the_held_out_trials():
    """The update of sums and scatter equals a fit without the trials, masked or not, in one block or several."""
    from consilience.models._dpca_cv import _Splitter

    _, x, y, _ = planted(noise=1.0, trials=[[4, 5], [6, 4], [5, 7]])
    data = read_trials(x, y, labels=None, missing="raise", who="t")
    block = data.blocks[0]
    two = Crossed(
        tuple(type(block)(block.values[..., part], None, block.codes) for part in (slice(0, 8), slice(8, N))),
        data.levels,
    )
    for one in (data, two):
        held = one.deal(2, 2, np.random.default_rng(0))[1]
        means, noise = _Splitter(one, "full").train(held)
        left = one.without(held)
        np.testing.assert_allclose(means, left.means(), atol=1e-12)
        np.testing.assert_allclose(noise, S * Q * T * noise_of(left).covariance, atol=1e-9)
    assert not noise[:8, 8:].any()
    splits = data.deal(9, 2, np.random.default_rng(0))
    for held in splits:
        assert all(len(set(rows.tolist())) == 2 for rows in held[0])
        assert all(block.codes[rows].tolist() == [c, c] for c, rows in enumerate(held[0]))


def sessions(seed=0, units=12, noise=0.5):
    """Units that were recorded apart, each with its own trials."""
    rng = np.random.default_rng(seed)
    means, *_ = planted(units=units)
    out = {}
    for u in range(units):
        many = rng.integers(4, 9, (S, Q))
        _, x, y, _ = planted(0, 0.0, many, units)
        order = rng.permutation(len(x))
        x = x[order][..., [u]] + noise * rng.normal(size=(len(x), T, 1))
        out[f"site{u:02d}"] = cs.responses(
            x,
            kind="rate",
            dims=("trial", "time", "unit"),
            time=np.arange(T) / T,
            stimulus=[f"image{s}" for s in y["stimulus"][order]],
            repeat="count",
            picture=y["stimulus"][order],
            choice=y["choice"][order],
        )
    return means, out


def test_pseudo_populations():
    means, parts = sessions()
    population = cs.pseudo_population(parts, by=["picture", "choice"])
    model = DPCA(1, rng=0).fit(population)
    assert model.marginalizations_[3] == "picture:choice"
    assert model.counts_.shape == (S, Q, 12)
    assert not (model.noise_covariance_ - np.diag(np.diag(model.noise_covariance_))).any()
    truth = marginalised(means)
    whole = sum((v**2).sum() for v in truth.values())
    for name, v in truth.items():
        name = name.replace("stimulus", "picture")
        assert model.signal_variance_[name] == pytest.approx((v**2).sum() / whole, abs=0.05)
    held = model.held_out(population)
    assert 0.6 < held.value[-1] < 1.1
    assert held.n_folds == 4
    found = model.significance(population, n_shuffles=19, n_splits=8)
    assert found.p_marginalization["picture"] == found.p_marginalization["choice"] == 0.05
    with pytest.raises(cs.InputError, match="brings its labels; leave y out"):
        DPCA().fit(population, {"a": [1, 2]})


def test_held_out_variance():
    means, x, y, _ = planted(noise=0.3, trials=10)
    model = DPCA(2, rng=0).fit(x, y)
    held = model.held_out(x, y)
    truth = {k: (v**2).sum() for k, v in marginalised(means).items()}
    whole = sum(truth.values())
    for name, value, low, high in zip(held.marginalizations, held.value, held.ci_low, held.ci_high):
        assert low < value < high
        assert 0.55 < value * whole / truth.get(name, whole) < 1.05, name  # a little shrunk by C
    shuffled = {k: np.random.default_rng(0).permutation(v) for k, v in y.items()}
    none = DPCA(2, rng=0, regularisation=1e-3).held_out(x, shuffled)
    assert none.value[0] < 0.02
    assert none.value[1] < 0.02
    assert model.explained_variance_["stimulus"] > 0
    # a rare condition bounds the folds; two folds have no interval
    few = DPCA(1, regularisation=1.0).held_out(x[10 - 2 :], {k: v[10 - 2 :] for k, v in y.items()})
    assert few.n_folds == 2
    assert np.isnan(few.ci_low).all()
    assert model.score(x, y) > 0.5


def test_shuffles_keep_units_and_other_labels():
    """Labels change places across trials within units: means of units, and effects of other labels, stay."""
    rng = np.random.default_rng(0)
    _, x, y, _ = planted(trials=[[5, 3], [4, 6], [3, 7]])
    data = read_trials(x, y, labels=None, missing="raise", who="t")
    codes = data.blocks[0].codes
    for _ in range(5):
        new = shuffled_codes(codes, (S, Q), [1], rng)
        assert sorted(new.tolist()) == sorted(codes.tolist())
        np.testing.assert_array_equal(new % Q, codes % Q)  # choice stays with its trial
        assert (new != codes).any()
        weighted = np.bincount(new, minlength=6)
        np.testing.assert_array_equal(weighted, np.bincount(codes, minlength=6))
        sums = data.blocks[0].sums(new, 6)
        np.testing.assert_allclose(sums.sum(axis=0), x.sum(axis=0))  # the mean of each unit and time
        np.testing.assert_allclose(  # and of each choice
            sums.reshape(S, Q, T, N).sum(axis=0),
            data.blocks[0].sums(codes, 6).reshape(S, Q, T, N).sum(axis=0),
        )
    everywhere = np.stack([shuffled_codes(codes, (S, Q), (), rng) for _ in range(200)])
    assert (everywhere.std(axis=0) > 0).all()


def test_significance_finds_what_is_there_only():
    _, x, y, _ = planted(noise=0.8, trials=8)
    flat = x - 0.0
    rng = np.random.default_rng(2)
    y = {**y, "choice": rng.permutation(y["choice"])}
    many = np.unique([f"{a}{b}" for a, b in zip(y["stimulus"], y["choice"])], return_counts=True)[1]
    assert many.min() >= 2
    found = DPCA(2, rng=0).fit(flat, y).significance(flat, y, n_shuffles=39, n_splits=5)
    assert found.p_marginalization["stimulus"] == 1 / 40
    assert found.p_marginalization["choice"] > 0.05
    first = found.marginalization == "stimulus"
    assert found.p[first][0] == 1 / 40
    assert found.chance[first][0] == pytest.approx(1 / 3)
    assert (found.p_corrected >= found.p_time - 1e-12).all()
    assert found.p_corrected[first][0].argmax() < T // 2  # it rises with time
    np.testing.assert_allclose(found.null_mean[first].mean(), 1 / 3, atol=0.05)


@pytest.mark.slow
def test_significance_holds_its_level():
    """Beside a strong effect of the other label and unequal counts, p <= 0.1 of a null label in 1 of 10 data sets."""
    hits = {"a": 0, "a:b": 0}
    power = 0
    for seed in range(80):
        rng = np.random.default_rng(seed)
        y = {"a": rng.integers(0, 3, 60), "b": (rng.random(60) < 0.6).astype(int)}
        if np.unique(y["a"] * 2 + y["b"], return_counts=True)[1].min() < 2:
            continue
        x = rng.normal(size=(60, 3, 8)) + 2 * y["b"][:, None, None] * rng.normal(size=8)
        found = DPCA(1, regularisation=0.1).fit(x, y).significance(x, y, n_shuffles=19, n_splits=4, rng=seed)
        for name in hits:
            hits[name] += found.p_marginalization[name] <= 0.1
        power += found.p_marginalization["b"] <= 0.1
    assert power > 70
    for name, count in hits.items():
        assert count <= 16, name  # 8 expected, standard deviation 2.7


def test_means_alone():
    means, x, y, _ = planted(noise=0.5)
    full = DPCA(2, regularisation=0.1).fit(x, y)
    alone = DPCA(2, labels=["stimulus", "choice"], regularisation=0.1).fit_means(
        full.condition_means_, counts=8, noise_covariance=full.noise_covariance_
    )
    for name in full.marginalizations_:
        np.testing.assert_allclose(alone.components_[name], full.components_[name], atol=1e-9)
        assert alone.signal_variance_[name] == pytest.approx(full.signal_variance_[name], abs=0.02)
    assert alone.noise_variance_ == pytest.approx(full.noise_variance_, rel=0.01)
    bare = DPCA(2, labels=["stimulus", "choice"], regularisation=None).fit_means(means)
    assert np.isnan(bare.noise_variance_)
    assert bare.noise_ == "none"
    assert bare.components_["stimulus"].shape == (2, N)
    with pytest.raises(cs.InputError, match="chosen on held-out trials, and there are only means"):
        DPCA(2, labels=["stimulus", "choice"]).fit_means(means)
    with pytest.raises(cs.InputError, match="one axis of at least 2 levels per label"):
        DPCA(2, labels=["stimulus"], regularisation=1.0).fit_means(means)


def test_more_units_than_cells_and_one_trial_each():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(6, 2, 50))
    y = {"a": np.repeat(np.arange(3), 2), "b": np.tile([0, 1], 3)}
    model = DPCA(2, regularisation=None).fit(x, y)
    assert np.isnan(model.noise_variance_)
    assert model.noise_ == "none"
    kept = sum(model.explained_variance_.values())
    assert 0 < kept <= 1 + 1e-9
    with pytest.raises(cs.InputError, match=r"takes 2 trials of every condition; a=0, b=0 has 1"):
        DPCA(2).fit(x, y)
    silent = np.concatenate([x, np.zeros((6, 2, 1))], axis=2)
    again = DPCA(2, regularisation=None).fit(silent, y)
    assert again.components_["a"][:, -1].tolist() == pytest.approx([0, 0])


def test_dtypes_and_untouched_input():
    _, x, y, _ = planted()
    before = x.copy()
    first = DPCA(1, regularisation=1.0).fit(x, y)
    x.setflags(write=False)
    for form in (x, x.astype(np.float32), x.astype(">f8"), np.round(x * 100).astype(int)):
        other = DPCA(1, regularisation=1.0).fit(form, y)
        np.testing.assert_allclose(
            np.abs(other.components_["stimulus"]), np.abs(first.components_["stimulus"]), atol=0.01
        )
    np.testing.assert_array_equal(x, before)


def conditions(**changed):
    _, x, y, _ = planted()
    return x, {**y, **changed}


@pytest.mark.parametrize(
    ("model", "changed", "text"),
    [
        (DPCA(), {"choice": np.zeros(48)}, r"label 'choice' has one level only \(0.0\)"),
        (DPCA(), {"choice": np.arange(7)}, "must have one entry per trial, 48"),
        (DPCA(), {"choice": [None] + ["a", "b"] * 23 + ["a"]}, "is NaN or missing in 1 of 48 trials"),
        (DPCA(), {"time": np.arange(48) % 2}, "a label cannot be named 'time'"),
        (DPCA(labels=["stimlus"]), {}, "y has no label 'stimlus'. Did you mean 'stimulus'"),
        (DPCA(labels=["choice", "choice"]), {}, "one or more different names"),
        (DPCA(0), {}, "n_components must be a whole number, at least 1"),
        (DPCA({"stimulos": 2}), {}, "which is no marginalization. Did you mean 'stimulus'"),
        (DPCA({"time": 0}), {}, "asks for no component"),
        (
            DPCA(combine={"a": ["stimulus:tim"]}),
            {},
            "which is no term. Did you mean 'stimulus' or 'stimulus:time'",
        ),
        (DPCA(combine={"a": ["time"], "b": ["time"]}), {}, "names 'time' twice"),
        (DPCA(combine={"choice": ["time"]}), {}, "the name of a term that is not in it"),
        (DPCA(combine="stimulus"), {}, "combine must be 'time', None or"),
        (DPCA(regularisation="cv"), {}, "regularisation must be one of 'auto'"),
        (DPCA(regularisation=-1.0), {}, r"regularisation must be a number in \[0"),
        (DPCA(regularisation=[]), {}, "regularisation is an empty list"),
        (DPCA(noise="shared"), {}, "noise must be one of 'full', 'diagonal', 'none'"),
        (DPCA(cv=0), {}, "cv must be a whole number, at least 1"),
    ],
    ids=lambda v: None,
)
def test_refusals(model, changed, text):
    x, y = conditions(**changed)
    with pytest.raises(cs.InputError, match=text):
        model.fit(x, y)


def test_refusals_of_data():
    _, x, y, _ = planted()
    keep = ~((y["stimulus"] == 1) & (y["choice"] == "no"))
    with pytest.raises(
        cs.InputError, match=r"no trial of stimulus=1, choice='no' \(1 of 6 conditions are missing\)"
    ):
        DPCA().fit(x[keep], {k: v[keep] for k, v in y.items()})
    with pytest.raises(cs.InputError, match="y must tell the condition of each trial"):
        DPCA().fit(x)
    hole = x.copy()
    hole[0, 1, 0] = np.nan
    with pytest.raises(cs.InputError, match="pass missing='mask'"):
        DPCA().fit(hole, y)
    hole[:8, 3, 4] = np.nan
    with pytest.raises(cs.InputError, match=r"unit 4 was never seen in stimulus=0, choice='go' at bin 3"):
        DPCA(missing="mask").fit(hole, y)
    with pytest.raises(cs.InputError, match="no unit's mean differs"):
        DPCA().fit(np.ones_like(x), y)
    model = DPCA(1, regularisation=1.0).fit(x, y)
    with pytest.raises(cs.InputError, match="X has 3 units, expected 20"):
        model.transform(x[..., :3])
    with pytest.raises(cs.InputError, match="latents must have 4 components"):
        model.inverse_transform(np.zeros((2, 3)))
    with pytest.raises(cs.InputError, match="the model was fitted to"):
        model.score(x, {**y, "stimulus": y["stimulus"] + 1})
    one = np.flatnonzero(np.arange(48) % 8 < 2)
    with pytest.raises(cs.InputError, match=r"takes 3 trials of every condition.*or criterion='units'"):
        DPCA(criterion="trials").fit(x[one], {k: v[one] for k, v in y.items()})


def test_warnings_of_noise():
    rng = np.random.default_rng(0)
    y = {"a": np.repeat([0, 1, 2], 5)}
    with pytest.warns(cs.ConsilienceWarning) as caught:
        DPCA(1, rng=0).fit(rng.normal(size=(15, 2, 30)), y)
    assert {w.message.code for w in caught} <= {"penalty-at-edge", "noise-only"}


def test_scikit_learn_contract():
    """With a number for the penalty: rows that are conditions of one trial each leave none to choose it on."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = check_estimator(DPCA(regularisation=0.1), on_fail=None, on_skip=None)
    assert {row["check_name"] for row in found if row["status"] == "failed"} == set()
    assert sum(row["status"] == "passed" for row in found) > 40


def test_few_dimensions_are_enough():
    """Parts of few dimensions, and tables of fewer cells than units, take the small side; the axes are the same."""
    rng = np.random.default_rng(0)
    factors = [rng.normal(size=(r, 30)) for r in (3, 7, 28)]
    grams = [b.T @ b for b in factors]
    noise = np.diag(rng.uniform(1, 2, 30))
    few = [factors[0], factors[1]]
    for parts, extra in ((factors, noise), (factors, None), (few, None), (few, noise)):
        found = Demixer(parts, extra)
        for k in range(len(parts)):
            r = sum(grams[: len(parts)]) + 0.5 * np.eye(30) + (0 if extra is None else extra)
            u = np.linalg.eigh(grams[k] @ np.linalg.solve(r, grams[k]))[1]
            f, d = found.axes(k, 0.5, 2)
            np.testing.assert_allclose(np.abs((f * u[:, :-3:-1]).sum(axis=0)), 1, atol=1e-9)
            np.testing.assert_allclose(d, np.linalg.solve(r, grams[k] @ f), atol=1e-8)
            alone = Demixer([parts[k]], extra, total=np.concatenate(parts)).axes(0, 0.5, 2)
            np.testing.assert_allclose(alone[1] @ alone[0].T, d @ f.T, atol=1e-8)


@pytest.mark.filterwarnings("ignore::consilience.ConsilienceWarning")  # an end of the grid is right here
def test_whole_trials_predict_others_where_noise_is_shared():
    """Noise that units share predicts itself from unit to unit: the criterion of single trials does not fall for it."""
    worse = []
    for seed in range(3):
        means, x, y, _ = planted(seed, noise=0.0, trials=6, units=60, times=6)
        rng = np.random.default_rng(seed)
        shared = rng.normal(size=(3, 60))

        def noisy(k, rng=rng, shared=shared):
            return 0.3 * rng.normal(size=(k, 6, 60)) + 0.35 * rng.normal(size=(k, 6, 3)) @ shared

        x = x + noisy(len(x))
        new = np.concatenate([means.reshape(6, 6, 60) + noisy(6) for _ in range(10)])
        loss = []
        for criterion in ("trials", "units"):
            model = DPCA(
                2, criterion=criterion, noise="none", regularisation=10.0 ** np.arange(-3, 3, 0.5), rng=0
            ).fit(x, y)
            loss.append(
                sum(
                    (
                        (
                            np.tile(v.reshape(6, 6, 60), (10, 1, 1))
                            - (new - means.mean(axis=(0, 1, 2))) @ model.decoders_[k].T @ model.components_[k]
                        )
                        ** 2
                    ).sum()
                    for k, v in marginalised(means).items()
                )
            )
        worse.append(loss[1] / loss[0])
    assert np.mean(worse) > 1.5


def test_masked_trials_in_all_that_holds_trials_out():
    _, x, y, _ = planted(noise=0.3, trials=8)
    rng = np.random.default_rng(0)
    holes = np.where(rng.random(x.shape) < 0.15, np.nan, x)
    model = DPCA(1, missing="mask", rng=0).fit(holes, y)
    held = model.held_out(holes, y, n_folds=4)
    full = DPCA(1, rng=0).fit(x, y).held_out(x, y, n_folds=4)
    np.testing.assert_allclose(held.value, full.value, atol=0.1)
    found = model.significance(holes, y, n_shuffles=19, n_splits=6)
    assert found.p_marginalization["stimulus"] == 0.05
    assert found.p_marginalization["choice"] == 0.05
    assert 0 < model.score(holes, y) < 1


def test_noise_floor_with_conditions_of_one_trial():
    """They are as noisy as the others: sum over conditions of variance / trials, less what the grand mean takes."""
    many = np.array([[12, 1], [2, 6], [1, 9]])
    found = []
    for seed in range(40):
        _, x, y, _ = planted(0, noise=0.0, trials=many)
        x = x + 0.5 * np.random.default_rng(seed).normal(size=x.shape)
        found.append(DPCA(1, regularisation=1.0).fit(x, y).noise_variance_)
    expected = 0.25 * N * T * (1 / many).sum() * (1 - 1 / (S * Q * T))
    assert np.mean(found) == pytest.approx(expected, rel=0.02)


def test_significance_finds_an_interaction():
    _, x, y, _ = planted(noise=0.2, trials=8)
    model = DPCA({"stimulus:choice": 1}, rng=0).fit(x, y)
    found = model.significance(x, y, n_shuffles=19, n_splits=6)
    assert found.p_marginalization == {"stimulus:choice": 0.05}
    assert found.accuracy.max() > 2 * found.chance[0]
