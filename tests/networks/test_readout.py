"""`cs.models.Readout`: planted neurons, slow direct forms, properties, refusals, files, trained cores."""

import json

import numpy as np
import pytest

import consilience as cs

torch = pytest.importorskip("torch")

from consilience.networks import _readout_modules as modules  # noqa: E402
from consilience.networks import _readout_scores as scores  # noqa: E402
from consilience.networks import _readout_start as start  # noqa: E402
from consilience.networks import _readout_train as training  # noqa: E402

pytestmark = pytest.mark.filterwarnings(r"ignore:\[not-converged\]")  # short trainings say so

SIZE = 14
PLACES = np.array([[4, 4], [9, 9], [4, 9], [9, 4], [6.5, 6.5], [7, 10]])


def natural(n, seed=0):
    """Images with the spectrum of natural ones."""
    rng = np.random.default_rng(seed)
    fy, fx = np.fft.fftfreq(SIZE)[:, None], np.fft.fftfreq(SIZE)[None]
    slope = 1 / np.maximum(np.hypot(fy, fx), 1 / SIZE)
    images = np.fft.ifft2(np.fft.fft2(rng.normal(size=(n, SIZE, SIZE))) * slope).real
    return (images / images.std()).astype(np.float32)


def gabor(y, x, angle, phase):
    rows, columns = np.mgrid[:SIZE, :SIZE]
    rows, columns = rows - y, columns - x
    envelope = np.exp(-(rows**2 + columns**2) / (2 * 1.5**2))
    wave = envelope * np.cos(2 * np.pi * 0.2 * (columns * np.cos(angle) + rows * np.sin(angle)) + phase)
    wave -= envelope * wave.sum() / envelope.sum()
    return wave / np.linalg.norm(wave)


def rates(images):
    """Half are simple cells, half complex ones."""
    out = []
    for k, (y, x) in enumerate(PLACES):
        a, b = (
            images.reshape(len(images), -1) @ gabor(y, x, k, phase).ravel() for phase in (k, k + np.pi / 2)
        )
        out.append(np.maximum(a, 0) if k % 2 == 0 else np.hypot(a, b))
    out = np.stack(out, axis=1)
    return 0.2 + 3 * out / out.mean(axis=0)


N, TEST = 900, 300


@pytest.fixture(scope="module")
def data():
    images = natural(N + TEST)
    rate = rates(images)
    ids = [f"im{i:04d}" for i in range(N + TEST)]
    rng = np.random.default_rng(1)
    names = [f"n{k}" for k in range(len(PLACES))]
    train = cs.responses(rng.poisson(rate[:N]), stimulus=ids[:N], kind="count", unit=names)
    twice = np.repeat(np.arange(N, N + TEST), 3)
    test = cs.responses(
        rng.poisson(rate[twice]), stimulus=[ids[i] for i in twice], repeat="count", kind="count", unit=names
    )
    return cs.stimuli(images, ids=ids), train, test, rate


@pytest.fixture(scope="module")
def fitted(data):
    stimuli, train, _, _ = data
    return cs.models.Readout(features=(10,), kernel=7, rng=0, device="cpu").fit(stimuli, train)


def quick(**options):
    return cs.models.Readout(
        **{"features": (3,), "kernel": 3, "max_epochs": 6, "patience": 6, "rng": 0, "device": "cpu"} | options
    )


def test_places_are_recovered_and_the_linear_model_beaten(data, fitted):
    stimuli, train, test, _ = data
    error = np.linalg.norm(fitted.positions_ - PLACES, axis=1)
    assert error.max() < 1.5, error
    linear = cs.models.RidgeCV().fit(stimuli.values[:N].reshape(N, -1), train.values)
    found = fitted.evaluate(stimuli, test, baseline=linear, n_perm=200)
    assert float(found["cc_norm"].mean()) > 0.8
    assert (found["gain_low"] > 0).all(), found["gain"].values
    assert (found["p"] < 0.01).all()
    assert float(abs(found["null_mean"]).max()) < 0.05


def test_factorised_masks_lie_on_the_neurons(data):
    stimuli, train, test, _ = data
    model = cs.models.Readout(readout="factorised", features=(10,), kernel=7, rng=0, device="cpu")
    model.fit(stimuli, train)
    assert model.masks_.shape == (6, SIZE, SIZE)
    np.testing.assert_allclose(model.masks_.sum(axis=(1, 2)), 1, rtol=1e-5)
    assert (model.masks_ >= 0).all()
    assert np.linalg.norm(model.positions_ - PLACES, axis=1).max() < 2.5
    assert float(model.evaluate(stimuli, test, n_perm=0)["cc_norm"].mean()) > 0.9


def test_the_fitted_network_is_a_network_whose_units_are_the_neurons(data, fitted):
    stimuli = data[0]
    some = stimuli[:7]
    acts = cs.record(fitted.network, some)["output"]
    np.testing.assert_allclose(acts.values, fitted.predict(some), rtol=1e-5)
    for which in ("n4", 4):
        unit = fitted.unit(which)
        assert unit.name == "n4"
        np.testing.assert_allclose(unit.respond(some), fitted.predict(some)[:, 4], rtol=1e-5)
    assert fitted.network.fingerprint is not None
    with pytest.raises(cs.InputError, match="there is no unit 'n9' among 6"):
        fitted.unit("n9")


def test_equal_seeds_give_equal_bytes_and_leave_torch_alone(data):
    stimuli, train, _, _ = data
    before = torch.get_rng_state()
    a, b, c = (quick(rng=seed).fit(stimuli, train).predict(stimuli[:50]) for seed in (0, 0, 1))
    assert torch.equal(before, torch.get_rng_state())
    assert np.array_equal(a, b)
    assert not np.allclose(a, c)


def test_members_differ_and_the_prediction_is_their_mean(data):
    stimuli, train, test, _ = data
    model = quick(n_models=2).fit(stimuli, train)
    each = model.predict_each(stimuli[:20])
    assert each.shape == (2, 20, 6)
    assert not np.allclose(each[0], each[1])
    np.testing.assert_array_equal(each.mean(axis=0), model.predict(stimuli[:20]))
    assert (model.evaluate(stimuli, test, n_perm=0)["spread"] > 0).all()


def test_repeats_weigh_as_many_and_the_order_of_trials_is_free(data):
    stimuli, _, test, _ = data
    model = quick().fit(stimuli, test)
    assert model.n_stimuli_ == TEST
    order = np.random.default_rng(0).permutation(test.sizes["trial"])
    again = quick().fit(stimuli, test.isel(trial=order))
    assert np.array_equal(model.predict(stimuli[:9]), again.predict(stimuli[:9]))
    # rows of an array that show the same image are one stimulus too
    rows = np.repeat(np.arange(100), 2)
    same = quick().fit(stimuli.values[rows], test.values[:200])
    assert same.n_stimuli_ == 100


def test_what_was_not_recorded_is_not_used(data):
    stimuli, train, _, _ = data
    counts = train.values[:300].astype(float)
    counts[::3, 0] = np.nan
    counts[5] = np.nan
    images = stimuli.values[:300]
    model = quick().fit(images, counts)
    assert model.n_stimuli_ == 299
    assert np.isfinite(model.predict(images)).all()
    assert np.isnan(counts[5]).all()
    # left out, not taken for 0
    zeros = quick().fit(images, np.nan_to_num(counts)).predict(images)[:, 0].mean()
    assert model.predict(images)[:, 0].mean() > zeros


@pytest.mark.parametrize("kind", ["uint8", ">f4", "float64"])
def test_types_of_images(data, kind):
    stimuli, train, _, _ = data
    images = np.round(np.clip(stimuli.values[:200] * 40 + 128, 0, 255)).astype(kind)
    images.flags.writeable = False
    plain = quick(max_epochs=2).fit(images, train.values[:200])
    float32 = quick(max_epochs=2).fit(images.astype("float32"), train.values[:200])
    np.testing.assert_allclose(plain.predict(images), float32.predict(images.astype("float32")), rtol=1e-5)


def test_colours_vectors_and_shapes(data):
    rng = np.random.default_rng(0)
    counts = data[1].values[:120]
    colour = rng.normal(size=(120, 8, 10, 3))
    model = quick(max_epochs=2).fit(colour, counts)
    assert model.encoder_.members[0].core.layers[0][0].weight.shape == (3, 3, 3, 3)
    first = cs.stimuli(colour.transpose(0, 3, 1, 2), ids=range(120)).rename(
        dim_1="channel", dim_2="y", dim_3="x"
    )
    named = quick(max_epochs=2).fit(first, counts)
    np.testing.assert_allclose(named.predict(first), model.predict(colour), rtol=1e-5)
    flat = quick(max_epochs=2, shape=(8, 10, 3)).fit(colour.reshape(120, -1), counts)
    np.testing.assert_allclose(flat.predict(colour.reshape(120, -1)), model.predict(colour), rtol=1e-5)
    assert quick(max_epochs=2).fit(rng.normal(size=(120, 30)), counts[:, 0]).predict(
        np.zeros((4, 30))
    ).shape == (4,)


def test_a_series_is_split_into_stretches(data):
    stimuli, train, _, _ = data
    series = cs.responses(
        train.values[:200], dims=("time", "unit"), time=np.arange(200) / 30, kind="count", system="V1"
    )
    model = quick(max_epochs=2).fit(stimuli.values[:200], series)
    assert model.loss_ == "poisson"
    with pytest.raises(cs.InputError, match="one frame of the stimulus for each of its times"):
        quick().fit(stimuli.values[:100], series)


def test_encode_takes_it(data):
    stimuli, train, _, _ = data
    pixels = cs.responses(
        stimuli.values[:150].reshape(150, -1), stimulus=stimuli.stimulus.values[:150], system="pixels"
    )
    with pytest.warns(cs.ConsilienceWarning, match="ceiling-missing"):
        found = cs.encode(
            pixels,
            train[:150],
            model=quick(shape=(SIZE, SIZE), loss="poisson", max_epochs=3),
            cv=2,
            n_perm=0,
            n_deals=0,
            n_boot=100,
            rng=0,
        )
    assert found.data["r"].shape == (6,)


# -- a trained network as core


class Small(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = torch.nn.Conv2d(1, 5, 3, padding=1)
        self.pool = torch.nn.AvgPool2d(2)
        self.head = torch.nn.Linear(5 * 49, 3)

    def forward(self, x):
        return self.head(self.pool(torch.relu(self.conv(x))).flatten(1))


def grey(block):
    return np.asarray(block, dtype=np.float32)[:, None]


@pytest.mark.parametrize(("layer", "maps"), [("conv", (5, 14, 14)), ("pool", (5, 7, 7)), ("head", (3, 1, 1))])
def test_a_layer_as_core(data, layer, maps):
    stimuli, train, _, _ = data
    torch.manual_seed(0)
    module = Small().train()
    state = {name: value.clone() for name, value in module.state_dict().items()}
    net = cs.Network(module, grey)
    model = quick(core=net, layer=layer).fit(stimuli[:200], train[:200])
    assert model._maps == maps
    assert module.training
    assert all(p.requires_grad for p in module.parameters())
    assert all(torch.equal(value, state[name]) for name, value in module.state_dict().items())
    acts = cs.record(model.network, stimuli[:5])["output"].values
    np.testing.assert_allclose(acts, model.predict(stimuli[:5]), rtol=1e-4)
    inner = cs.record(model.network, stimuli[:5], f"front.net.{layer}")[f"front.net.{layer}"].values
    np.testing.assert_allclose(inner, cs.record(net, stimuli[:5], layer)[layer].values, rtol=1e-5, atol=1e-6)
    assert ((model.positions_ >= 0) & (model.positions_ <= 13)).all()


def test_a_layer_as_core_in_a_file(data, tmp_path):
    stimuli, train, _, _ = data
    net = cs.Network(Small(), grey)
    model = quick(core=net, layer="pool").fit(stimuli[:200], train[:200])
    path = tmp_path / "readout.safetensors"
    model.save(path)
    again = cs.models.Readout.load(path, core=net)
    assert np.array_equal(model.predict(stimuli[:9]), again.predict(stimuli[:9]))
    with pytest.raises(cs.InputError, match="which is not in the file; pass it as core="):
        cs.models.Readout.load(path)
    with pytest.raises(cs.InputError, match="not the network that this Readout was fitted on"):
        cs.models.Readout.load(path, core=cs.Network(Small(), grey))


# -- files


def test_a_file_reads_back_whole(data, fitted, tmp_path):
    stimuli = data[0]
    path = tmp_path / "readout.safetensors"
    fitted.save(path)
    again = cs.models.Readout.load(path)
    assert np.array_equal(again.predict(stimuli[:30]), fitted.predict(stimuli[:30]))
    assert np.array_equal(again.positions_, fitted.positions_)
    assert again.units_.tolist() == fitted.units_.tolist()
    assert again.seed_ == fitted.seed_
    assert again.get_params()["kernel"] == 7
    with pytest.raises(cs.InputError, match="900 of 900 stimuli were in the fit"):
        again.evaluate(stimuli[:N], data[1])


def test_damaged_and_foreign_files(fitted, tmp_path):
    from safetensors.torch import load_file, save_file

    path = tmp_path / "readout.safetensors"
    fitted.save(path)
    content = path.read_bytes()
    for cut in (0, 7, 200, len(content) // 2, len(content) - 1):
        bad = tmp_path / f"cut{cut}.safetensors"
        bad.write_bytes(content[:cut])
        with pytest.raises(cs.InputError, match="cannot be read"):
            cs.models.Readout.load(bad)
    other = tmp_path / "other.safetensors"
    save_file({"a": torch.zeros(2)}, other)
    with pytest.raises(cs.InputError, match="no fitted Readout of this version"):
        cs.models.Readout.load(other)
    tensors = load_file(path)
    tensors.popitem()
    size = int.from_bytes(content[:8], "little")
    save_file(tensors, other, metadata=json.loads(content[8 : 8 + size])["__metadata__"])
    with pytest.raises(cs.InputError, match="does not hold together"):
        cs.models.Readout.load(other)
    with pytest.raises(cs.InputError, match="there is no file"):
        cs.models.Readout.load(tmp_path / "none.safetensors")


# -- direct forms


def test_gaussian_readout_reads_the_place():
    torch.manual_seed(0)
    features = torch.randn(3, 4, 5, 7)
    readout = modules.GaussianReadout(4, (5, 7), 2).eval()
    readout.start(torch.tensor([[2 / 6 * 2 - 1, 1 / 4 * 2 - 1], [5.5 / 6 * 2 - 1, 4 / 4 * 2 - 1]]))
    out = readout(features)
    first = torch.einsum("nc,c->n", features[:, :, 1, 2], readout.weight[0]) + readout.bias[0]
    between = (features[:, :, 4, 5] + features[:, :, 4, 6]) / 2
    second = torch.einsum("nc,c->n", between, readout.weight[1]) + readout.bias[1]
    torch.testing.assert_close(out, torch.stack([first, second], 1))
    torch.testing.assert_close(readout.places((5, 7)), torch.tensor([[1, 2], [4, 5.5]]))
    torch.testing.assert_close(readout.places((9, 13))[0], torch.tensor([2.0, 4.0]))


def test_gaussian_readout_draws_places_only_while_training():
    torch.manual_seed(0)
    features, readout = torch.randn(3, 4, 5, 7), modules.GaussianReadout(4, (5, 7), 2)
    still = readout.eval()(features)
    readout.noise = torch.ones(2, 2)
    torch.testing.assert_close(readout(features), still)
    assert not torch.allclose(readout.train()(features), still)


def test_factorised_readout_is_a_sum_over_places():
    torch.manual_seed(0)
    features, readout = torch.randn(3, 4, 5, 7), modules.FactorisedReadout(4, (5, 7), 2)
    readout.mask.data.uniform_()
    out = readout(features)
    for n in range(3):
        for t in range(2):
            value = readout.bias[t].item()
            for place in range(35):
                y, x = divmod(place, 7)
                for c in range(4):
                    value += (
                        readout.mask[t, place].item()
                        * readout.weight[t, c].item()
                        * features[n, c, y, x].item()
                        / 8
                    )
            assert value == pytest.approx(out[n, t].item(), rel=1e-4, abs=1e-5)


def test_factorised_penalty_does_not_see_where_the_scale_is():
    readout = modules.FactorisedReadout(4, (5, 7), 2)
    before = readout.penalty().item()
    readout.mask.data *= 3
    readout.weight.data /= 3
    assert readout.penalty().item() == pytest.approx(before, rel=1e-5)
    readout.weight.data *= 2
    assert readout.penalty().item() == pytest.approx(2 * before, rel=1e-5)


def test_losses_are_likelihoods():
    from scipy import stats

    rng = np.random.default_rng(0)
    mean, y = rng.uniform(1, 5, (40, 2)), rng.poisson(3, (40, 2)).astype(float)
    weight = rng.integers(0, 3, (40, 2)).astype(float)
    scale = np.array([2.0, 4.0])
    tensors = [torch.from_numpy(v) for v in (mean, y, weight, scale)]
    found = training.responses_loss(*tensors, poisson=True).item()
    # constants in the prediction cancel between two predictions
    other = training.responses_loss(tensors[0] * 2, *tensors[1:], poisson=True).item()
    direct = [-(weight * stats.poisson.logpmf(y, m)).sum() / weight.sum() / 3.0 for m in (mean, 2 * mean)]
    assert found - other == pytest.approx(direct[0] - direct[1], rel=1e-6)
    found = training.responses_loss(*tensors, poisson=False).item()
    other = training.responses_loss(tensors[0] * 2, *tensors[1:], poisson=False).item()
    direct = [-(weight * stats.norm.logpdf(y, m, scale)).sum() / weight.sum() for m in (mean, 2 * mean)]
    assert found - other == pytest.approx(direct[0] - direct[1], rel=1e-6)


def test_first_places_of_planted_neurons(data):
    stimuli, train, _, _ = data
    x = stimuli.values[:N, None]
    found = start.first_places(x, train.values.astype(float), np.ones((N, 6)), features=False)
    pixels = (found[:, ::-1] + 1) / 2 * (SIZE - 1)
    assert np.linalg.norm(pixels - PLACES, axis=1).max() < 3
    flat = start.first_places(
        np.ones((30, 1, 4, 4), np.float32), np.ones((30, 2)), np.ones((30, 2)), features=False
    )
    assert not flat.any()


def test_first_places_in_features_with_few_stimuli():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(60, 20, 5, 7)).astype(np.float32)
    y = np.stack([x[:, :, 2, 3] @ rng.normal(size=20), x[:, :, 4, 0] @ rng.normal(size=20)], axis=1)
    found = start.first_places(x, y, np.ones_like(y), features=True)
    np.testing.assert_allclose((found + 1) / 2 * [6, 4], [[3, 2], [0, 4]], atol=1e-5)
    z, up = rng.normal(size=(10, 30)), rng.normal(size=(10, 2))
    left, size, _ = np.linalg.svd(z, full_matrices=False)
    # more predictors than stimuli, and as many: both sides of the ridge
    np.testing.assert_allclose(start._explained([z], up), start._explained([left * size], up), rtol=1e-9)


def test_it_is_cloned_and_keeps_its_options(data):
    from sklearn.base import clone

    model = quick(features=[4, 4], n_models=2)
    before = repr(model.get_params())
    model.fit(data[0].values[:60], data[1].values[:60])
    assert repr(model.get_params()) == before
    assert clone(model).get_params()["features"] == [4, 4]
    assert not hasattr(clone(model), "encoder_")


def test_scores_are_correlations_with_jackknife_intervals():
    from scipy import stats

    rng = np.random.default_rng(0)
    y = rng.normal(size=(30, 3))
    p = y + rng.normal(size=(30, 3)) * [0.5, 1, 2]
    known = rng.uniform(size=(30, 3)) < 0.8
    r, low, high = scores._interval(*scores._centred(p, y, known), 0.9)
    for k in range(3):
        a, b = p[known[:, k], k], y[known[:, k], k]
        assert r[k] == pytest.approx(np.corrcoef(a, b)[0, 1])
        z = [np.arctanh(np.corrcoef(np.delete(a, i), np.delete(b, i))[0, 1]) for i in range(len(a))]
        se = np.sqrt((len(a) - 1) / len(a) * ((z - np.mean(z)) ** 2).sum())
        half = stats.t.ppf(0.95, len(a) - 1) * se
        assert low[k] == pytest.approx(np.tanh(np.arctanh(r[k]) - half))
        assert high[k] == pytest.approx(np.tanh(np.arctanh(r[k]) + half))
    np.testing.assert_allclose(scores.correlations(p, y, known), r)
    assert np.isnan(scores.correlations(np.ones((30, 3)), y, known)).all()


def test_ceilings_are_those_of_units(data, fitted):
    stimuli, _, test, _ = data
    found = fitted.evaluate(stimuli, test, n_perm=0)
    ids = test.stimulus.values
    places = {key: i for i, key in enumerate(stimuli.stimulus.values.tolist())}
    p = fitted.predict(stimuli)[[places[k] for k in ids.tolist()]]
    direct = cs.units.cc_norm(p, test.values, ids, n_perm=0)
    np.testing.assert_allclose(found["cc_norm"], direct.value, rtol=1e-6)
    np.testing.assert_allclose(found["cc_norm_low"], direct.ci_low, rtol=1e-6)
    assert fitted.score(stimuli, test) == pytest.approx(float(found["r"].mean()))


# -- refusals


def test_refusals(data, fitted):
    stimuli, train, test, _ = data
    images, counts = stimuli.values, train.values
    cases = [
        (lambda: quick().fit(images[:10], counts[:10]), "at least 20 distinct stimuli .* got 10", "too-few"),
        (
            lambda: quick().fit(np.zeros((30, 5, 5)), counts[:30]),
            "at least 20 distinct stimuli .* got 1;",
            "too-few",
        ),
        (lambda: quick().fit(images[:30], counts[:29]), "30 stimuli and 29 rows", "rows-differ"),
        (
            lambda: quick().fit(stimuli[:50], train),
            "850 stimulus ids of the responses are not among",
            "ids-differ",
        ),
        (
            lambda: quick(loss="poisson").fit(images[:50], counts[:50] - 9.0),
            "are negative",
            "negative-counts",
        ),
        (lambda: quick().fit(images[:50], np.where(counts[:50] > 2, np.inf, 0)), "infinite", "nan-values"),
        (
            lambda: quick().fit(images[:50], np.ones((50, 2))),
            "no unit responds differently",
            "constant-units",
        ),
        (
            lambda: quick(core=Small()).fit(images[:50], counts[:50]),
            "core= and layer= go together",
            "bad-parameter",
        ),
        (
            lambda: quick(shape=(3, 4)).fit(images[:50], counts[:50]),
            r"shape must be \(y, x\)",
            "bad-parameter",
        ),
        (lambda: quick(device="nowhere").fit(images[:50], counts[:50]), "cannot be used here", "bad-device"),
        (
            lambda: quick(readout="gauss").fit(images[:50], counts[:50]),
            "Did you mean 'gaussian'",
            "unknown-option",
        ),
        (lambda: quick(features=()).fit(images[:50], counts[:50]), "channels of each layer", "bad-parameter"),
        (lambda: quick().fit(["a", "b"], counts[:2]), "got texts", "bad-stimuli"),
        (lambda: quick().fit(images[:50], counts[:50], groups=[0] * 50), "at least 5 groups", "too-few"),
        (
            lambda: quick(learning_rate=1e30).fit(images[:50], counts[:50]),
            "the training diverged",
            "training-diverged",
        ),
        (lambda: fitted.predict(images[:3, :5]), r"the shape of the fit, \(14, 14\)", "bad-stimuli"),
        (lambda: fitted.evaluate(stimuli, train), "900 of 900 stimuli were in the fit", "seen-in-training"),
        (lambda: fitted.evaluate(stimuli, test[:, :2]), "the 6 units of the fit", "units-differ"),
        (lambda: fitted.evaluate(stimuli, test[:15]), "at least 10 stimuli", "too-few"),
        (lambda: fitted.evaluate(stimuli, test, baseline=3), "a fitted estimator", "bad-parameter"),
    ]
    for call, text, code in cases:
        with pytest.raises(cs.InputError, match=text) as caught:
            call()
        assert caught.value.code == code, text
    with pytest.raises(AttributeError, match="no attribute 'Readouts'"):
        cs.models.Readouts  # noqa: B018


def test_few_epochs_and_silent_units_are_said(data):
    stimuli, train, _, _ = data
    counts = train.values[:60].copy()
    counts[:, 2] = 0
    with pytest.warns(cs.ConsilienceWarning) as said:
        model = quick(loss="poisson").fit(stimuli.values[:60], counts)
    codes = {entry.message.code for entry in said}
    assert codes >= {"constant-units"}
    assert np.isfinite(model.predict(stimuli.values[:60])).all()


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_on_a_gpu(data):
    stimuli, train, test, _ = data
    for readout in ("gaussian", "factorised"):
        model = quick(device="cuda", readout=readout, max_epochs=20).fit(stimuli, train)
        assert next(model.encoder_.parameters()).device.type == "cpu"
        on_cpu = quick(readout=readout, max_epochs=20).fit(stimuli, train)
        assert model.score(stimuli, test) == pytest.approx(on_cpu.score(stimuli, test), abs=0.1)
