"""`cs.ablate` of networks: planted units whose loss is known exactly."""

import numpy as np
import pytest

import consilience as cs
from consilience._core._errors import ConsilienceWarning, InputError

torch = pytest.importorskip("torch")

CLASSES, EACH = 4, 12
LABELS = np.repeat(np.arange(CLASSES), EACH)
BIAS = 0.1  # of class 0, which wins where nothing else speaks


def planted(copies=1):
    """A network in which unit k (and its copies) alone carries class k; without it class 0 is answered."""
    module = torch.nn.Sequential(
        torch.nn.Linear(CLASSES, CLASSES * copies, bias=False), torch.nn.Linear(1, 1)
    )
    module[1] = torch.nn.Linear(CLASSES * copies, CLASSES)
    eye = torch.eye(CLASSES)
    with torch.no_grad():
        module[0].weight.copy_(eye.repeat(copies, 1))
        module[1].weight.copy_(eye.repeat(1, copies))
        module[1].bias.copy_(torch.tensor([BIAS] + [0.0] * (CLASSES - 1)))
    return cs.Network(module, name="planted")


def shown(noise=0.0, each=EACH):
    labels = np.repeat(np.arange(CLASSES), each)
    x = np.eye(CLASSES)[labels] + noise * np.random.default_rng(1).normal(size=(labels.size, CLASSES))
    stimuli = cs.stimuli(x, ids=np.arange(labels.size))
    return stimuli.assign_coords(category=("stimulus", labels))


def lesions(net=None, **options):
    options = {
        "how": "zero",
        "stimuli": shown(),
        "target": "category",
        "check_how": False,
        "rng": 0,
    } | options
    return cs.ablate(net or planted(), "0", **options)


pytestmark = [
    pytest.mark.filterwarnings("ignore:.*off-distribution.*:UserWarning"),
    pytest.mark.filterwarnings("ignore:.*few-orders.*:UserWarning"),
]


def test_impacts_of_planted_units_are_exact():
    lost = lesions()
    # class 0 is answered anyway; without unit k > 0 the stimuli of class k, a quarter of all, are wrong
    assert np.allclose(lost.impact, [0, 0.25, 0.25, 0.25])
    by_class = lost.data["class_impact"].sel(how="zero").values
    assert np.allclose(by_class, np.diag([0.0, 1, 1, 1]))
    assert (lost.data["p"].values[0] < [1.1, 0.01, 0.01, 0.01]).all()
    assert lost.data["p"].values[0, 0] == 1
    inside = (lost.data["ci_low"] <= lost.impact.values) & (lost.data["ci_high"] >= lost.impact.values)
    assert bool(inside.all())
    assert float(lost.data["intact"]) == 1
    assert float(lost.data["intact_low"]) < 1


def test_loss_beside_accuracy_is_exact():
    lost = lesions()

    def cost(logits, k):
        return -logits[k] + np.log(np.exp(logits).sum())

    bias = np.array([BIAS, 0, 0, 0])
    expected = []
    for unit in range(CLASSES):
        change = 0.0
        for k in range(CLASSES):
            x = np.eye(CLASSES)[k]
            change += cost(np.where(np.arange(CLASSES) == unit, 0, x) + bias, k) - cost(x + bias, k)
        expected.append(change / CLASSES)
    assert np.allclose(lost.data["loss_impact"].values[0], expected, atol=1e-6)
    alone = lesions(evaluate="loss", curves=False)
    assert np.allclose(alone.impact, expected, atol=1e-6)


def test_a_copy_covers_for_the_other():
    lost = lesions(planted(copies=2), order=[np.r_[1:8, 0]], n_orders=0)
    assert np.allclose(lost.impact, 0)
    # parts 1, 2, 3 go first, whose copies remain; then a quarter is lost with each of 5, 6 and 7
    expected = np.array([1, 1, 1, 1, 1, 0.75, 0.5, 0.25, 0.25])
    curve = lost.curves["score"].values[0, 0]
    assert np.allclose(curve, expected)
    assert float(lost.curves["area"][0, 0]) == pytest.approx(np.trapezoid(expected, np.arange(9) / 8))
    assert np.isnan(lost.curves["p"]).all()  # no random orders, no null
    both = lesions(planted(copies=2), parts={"class 1": [1, 5], "class 2": [2, 6]}, curves=False)
    assert np.allclose(both.impact, 0.25)
    assert both.data["part"].values.tolist() == ["class 1", "class 2"]


def test_orders_and_their_places_among_random_ones():
    lost = lesions(
        stimuli=shown(noise=0.02, each=20),
        order=["random", "impact", "-impact", {"mine": [0.0, 1, 2, 3]}],
        n_orders=30,
    )
    fraction = np.arange(5) / 4
    of = lost.curves.sel(how="zero")
    best, worst = [1, 1, 0.75, 0.5, 0.25], [1, 0.75, 0.5, 0.25, 0.25]
    assert float(of["area"].sel(order="-impact")) == pytest.approx(np.trapezoid(best, fraction))
    assert float(of["area"].sel(order="impact")) == pytest.approx(np.trapezoid(worst, fraction))
    assert of["sequence"].sel(order="mine").values.tolist() == [3, 2, 1, 0]
    assert float(of["placement"].sel(order="impact")) < 0.5 < float(of["placement"].sel(order="-impact"))
    assert float(of["difference"].sel(order="impact")) < 0 < float(of["difference"].sel(order="-impact"))
    # mean over all orders: unit 0 is free, at each of 4 places with the same chance
    mean = np.mean(
        [np.trapezoid(np.insert(worst[:4], k, worst[k]) if k < 4 else worst, fraction) for k in range(4)]
    )
    assert float(of["area"].sel(order="random")) == pytest.approx(mean, abs=0.03)
    assert lost.settings["n_chosen"] + lost.settings["n_scored"] == 80


def test_greedy_keeps_what_is_needed():
    lost = lesions(planted(copies=2), order=["greedy", "-greedy"], n_orders=2)
    of = lost.curves["score"].sel(how="zero")
    assert np.allclose(of.sel(order="greedy"), [1, 1, 1, 1, 1, 1, 0.75, 0.5, 0.25])
    assert np.allclose(of.sel(order="-greedy").values[[1, 8]], [1, 0.25])
    with pytest.raises(InputError, match=r"45,150 lesions for 300 parts; it is limited to 256"):
        lesions(planted(copies=75), order="greedy")


def test_selectivity_and_attribution_find_the_planted_order():
    net = planted()
    with torch.no_grad():  # unit 1 answers to its class most purely, unit 3 least
        net.module[0].weight.copy_(torch.tensor(np.eye(4) + np.array([0.5, 0.0, 0.2, 0.4])[:, None]))
    lost = lesions(net, order=["selectivity", "-selectivity"], n_orders=2)
    assert lost.curves["sequence"].sel(order="selectivity").values[0].tolist() == [1, 2, 3, 0]
    assert lost.curves["sequence"].sel(order="-selectivity").values[0].tolist() == [0, 3, 2, 1]
    with torch.no_grad():
        net.module[0].weight.copy_(torch.diag(torch.tensor([1.0, 4.0, 2.0, 3.0])))
    lost = lesions(net, order="attribution", n_orders=2)
    assert lost.curves["sequence"].sel(order="attribution").values[0].tolist() == [1, 3, 2, 0]


def test_zero_and_mean_that_disagree_are_warned_of():
    net = planted()
    with torch.no_grad():
        net.module[0].bias = torch.nn.Parameter(
            torch.full((4,), 5.0)
        )  # always on: zero is a value it never has
    stimuli = shown(noise=0.05, each=20)
    with pytest.warns(ConsilienceWarning) as seen:
        lost = cs.ablate(net, "0", stimuli=stimuli, target="category", how=["zero", "mean"], rng=0)
    codes = [one.message.code for one in seen]
    assert "lesions-disagree" in codes
    assert "off-distribution" in codes
    impact = lost.data["impact"]
    assert (impact.sel(how="zero") > 0.2).all()
    assert (impact.sel(how="mean") < 0.1).all()
    assert int(lost.agreement["n_apart"][0]) >= 2
    assert lost.data["off_distribution"].sel(how="zero").min() > 5
    assert lost.data["off_distribution"].sel(how="mean").max() < 2
    with pytest.warns(ConsilienceWarning, match="lesions-disagree.*mean and resample, on a sample of parts"):
        cs.ablate(net, "0", stimuli=stimuli, target="category", how="mean", curves=False, rng=0)
    with pytest.raises(InputError, match="exists for one choice of how"):
        _ = lost.impact


def test_choices_that_agree_are_not_warned_of():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 6))
    module = torch.nn.Sequential(torch.nn.Identity(), torch.nn.Linear(6, 1, bias=False))
    weight = np.array([3.0, 2, 1, 0.5, 0.2, 0.1])
    module[1].weight.data = torch.tensor(weight[None], dtype=torch.float32)
    lost = cs.ablate(
        module,
        "0",
        stimuli=cs.stimuli(x, ids=np.arange(200)),
        target=x @ weight,
        evaluate="loss",
        how=["zero", "mean"],
        single=True,
        curves=False,
        rng=0,
    )
    assert float(lost.agreement["correlation"][0]) > 0.9
    # squared error without input j: w_j^2 mean x_j^2 (zero), w_j^2 var x_j (mean)
    assert np.allclose(lost.data["impact"].sel(how="zero"), weight**2 * (x**2).mean(0), rtol=1e-4)
    assert np.allclose(lost.data["impact"].sel(how="mean"), weight**2 * x.var(0), rtol=1e-4)


def test_resample_and_noise_cost_what_they_should():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(400, 3))
    module = torch.nn.Sequential(torch.nn.Identity(), torch.nn.Linear(3, 1, bias=False))
    module[1].weight.data = torch.tensor([[2.0, 1.0, 0.5]])
    weight = np.array([2.0, 1, 0.5])
    lost = cs.ablate(
        module,
        "0",
        stimuli=cs.stimuli(x, ids=np.arange(400)),
        target=x @ weight,
        evaluate="loss",
        how=["resample", "noise"],
        curves=False,
        check_how=False,
        n_draws=5,
        rng=0,
    )
    # the difference of two independent draws has twice the variance
    assert np.allclose(lost.data["impact"].sel(how="resample"), 2 * weight**2 * x.var(0), rtol=0.2)
    assert np.allclose(lost.data["impact"].sel(how="noise"), 2 * weight**2 * x.var(0), rtol=0.2)


def test_a_function_that_runs_the_network():
    net, stimuli = planted(), shown(noise=0.01)
    x = torch.tensor(stimuli.values, dtype=torch.float32)

    def accuracy(given):
        assert given is net
        with torch.no_grad():
            return float((given.module(x).argmax(1).numpy() == LABELS).mean())

    with pytest.warns(ConsilienceWarning, match="no-interval"):
        lost = cs.ablate(net, "0", evaluate=accuracy, order="random", how="zero", n_orders=5, rng=0)
    assert np.allclose(lost.impact, [0, 0.25, 0.25, 0.25])
    assert np.isnan(lost.data["p"]).all()
    assert lost.settings["n_reference"] == 48
    with pytest.warns(ConsilienceWarning, match="no-interval"):
        mean = cs.ablate(net, "0", evaluate=accuracy, curves=False, rng=0)
    assert np.allclose(mean.impact, 0)  # the mean of what the function shows, a quarter, is above the bias

    from consilience.networks._lesion import lesioned, make_parts

    parts = make_parts(net, "0", stimuli, who="test")
    for unit in range(4):
        with lesioned(net, parts, np.arange(4) == unit, how="mean", who="test"):
            outputs = net.module(x).detach().numpy()
        noisy = cs.ablate(
            net,
            "0",
            evaluate=lambda n: n.module(x).detach().numpy()[:, 0],
            curves=False,
            parts={"u": [unit]},
            rng=0,
        )
        assert np.allclose(noisy.data["score"].values[0, 0], outputs[:, 0].mean(), atol=1e-6)

    def each(given):
        with torch.no_grad():
            return (given.module(x).argmax(1).numpy() == LABELS).astype(float)

    paired = cs.ablate(net, "0", evaluate=each, how="zero", n_orders=5, rng=0)
    assert np.allclose(paired.impact, [0, 0.25, 0.25, 0.25])
    assert paired.data["q"].values[0, 1] < 0.05
    with pytest.raises(InputError, match="evaluate did not run planted"):
        cs.ablate(net, "0", evaluate=lambda given: 1.0, rng=0)


def test_a_function_of_all_outputs_has_a_jackknife_interval():
    def spread(outputs):
        return outputs.std()

    lost = lesions(evaluate=spread, curves=False, stimuli=shown(noise=0.1))
    assert np.isfinite(lost.data["ci_low"]).all()
    assert (lost.data["ci_low"] < lost.data["impact"]).all()
    assert (lost.data["impact"] > 0).all()


def test_same_seed_same_result_and_inputs_unchanged():
    stimuli, net = shown(noise=0.3), planted()
    before, weights = stimuli.copy(deep=True), net.fingerprint
    options = {"how": "resample", "stimuli": stimuli, "n_orders": 3, "check_how": False, "target": "category"}
    one, two = (cs.ablate(net, "0", rng=3, **options) for _ in range(2))
    assert one.data.equals(two.data)
    assert one.curves.equals(two.curves)
    assert stimuli.identical(before)
    assert net.fingerprint == weights
    assert not one.curves.equals(cs.ablate(net, "0", rng=4, **options).curves)


def test_the_result_passes_the_suite_of_results(tmp_path):
    with pytest.warns(ConsilienceWarning, match="lesions-disagree"):
        lost = lesions(order=["random", "impact"], how=["zero", "mean"])
    cs.testing.check_result(lost)
    frame = lost.to_frame()
    assert list(frame.columns[:3]) == ["how", "part", "layer"] or {"how", "part", "impact"} <= set(
        frame.columns
    )
    assert len(frame) == 8
    assert len(lost.to_curves_frame()) == 4
    again = cs.load(lost.save(tmp_path / "lost.nc"))
    assert again.data.equals(lost.data)
    assert lost.plot() is not None
    from consilience.report._sentences import sentences

    assert "most is lost without" in sentences(lost)[0]  # the answer first
    assert sentences(lost)[1].startswith("Intact, accuracy is 1")
    assert any("the area under the curve of impact lies" in one for one in sentences(lost))
    assert lesions(single=False).plot() is not None


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"order": "selective"}, "order must be one of"),
        ({"order": [0.5, 1.0]}, "4 finite scores"),
        ({"target": None}, "needs target="),
        ({"steps": [0, 9]}, "steps go to 9, and there are 4 parts"),
        ({"curves": False, "single": False}, "leave nothing to do"),
        ({"how": "median"}, "how must be one of"),
        ({"how": ["zero", "zero"]}, "name each choice once"),
        ({"select": shown()[:4], "target": LABELS}, "select must be"),
        ({"n_orders": 0}, "needs n_orders of at least 1"),
        ({"cv": 5}, "is no option for networks"),
    ],
)
def test_refusals_say_what_to_do(options, words):
    with pytest.raises(InputError, match=words):
        lesions(**options)


def test_a_layer_and_a_module_are_needed():
    with pytest.raises(InputError, match="name the layer"):
        cs.ablate(planted(), stimuli=shown(), target="category")
    with pytest.raises(InputError, match="needs the layers of a torch module"):
        cs.ablate(cs.Network(lambda x: x, name="f"), "output", stimuli=shown(), target="category")
    with pytest.raises(InputError, match="needs stimuli= and target="):
        cs.ablate(planted(), "0", evaluate="accuracy")


def test_one_part_few_stimuli_and_other_kinds_of_arrays():
    stimuli = shown()
    whole = lesions(parts="layer", how="zero", order="impact", n_orders=2)
    assert whole.curves["score"].values[0, 0].tolist() == [1.0, 0.25]
    with pytest.warns(ConsilienceWarning, match="few-stimuli"):
        few = lesions(stimuli=stimuli[::6], target=LABELS[::6], n_orders=2)
    assert np.allclose(few.impact, [0, 0.25, 0.25, 0.25])
    assert np.isnan(few.data["off_distribution"]).all()
    other = stimuli.astype(">f4")
    other.values.flags.writeable = False
    names = np.array(["ant", "bee", "cat", "dog"])[LABELS]
    assert np.allclose(lesions(stimuli=other, target=names).impact, lesions().impact)
    with pytest.raises(InputError, match="needs at least 4 stimuli"):
        lesions(stimuli=stimuli[:3], target=LABELS[:3])


def test_orders_are_chosen_on_other_stimuli():
    """Selecting on the scored half would make noise look needed: of units without effect none stands out."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(80, 12))
    module = torch.nn.Sequential(torch.nn.Identity(), torch.nn.Linear(12, 1, bias=False))
    module[1].weight.data = torch.full((1, 12), 0.3)
    placed = []
    for seed in range(12):
        target = rng.normal(size=80)  # unrelated: every unit's impact is noise of the same size
        lost = cs.ablate(
            module,
            "0",
            stimuli=cs.stimuli(x, ids=np.arange(80)),
            target=target,
            evaluate="loss",
            order="impact",
            n_orders=15,
            single=False,
            check_how=False,
            n_boot=0,
            rng=seed,
        )
        placed.append(float(lost.curves["p"].sel(order="impact").values[0]))
    assert np.mean(np.array(placed) < 0.05) <= 0.25


def test_select_gives_the_stimuli_for_orders():
    lost = lesions(order="impact", select=shown(noise=0.02), n_orders=2)
    assert lost.curves["sequence"].values[0, 0, -1] == 0
    assert lost.settings["n_scored"] == 48
    assert lost.settings["n_chosen"] == 0


def test_what_a_long_run_takes_is_said_first(capsys, caplog):
    from consilience.analyses._ablate_runs import say_cost

    say_cost(4.0, 100, 0.5, "resumed", shown=True)
    assert not capsys.readouterr().err
    with caplog.at_level("INFO", logger="consilience"):
        say_cost(90.0, 1234, 0.5, "resumed", shown=None)  # no terminal here
    assert "1,234 lesions, about 90 s (resumed, 50% of a forward pass each)" in caplog.text
    assert capsys.readouterr().err.startswith("cs.ablate: 1,234 lesions")
    say_cost(90.0, 1234, 0.5, "resumed", shown=False)
    assert not capsys.readouterr().err


def test_warnings_point_at_the_line_of_the_caller():
    recorded = cs.responses(np.random.default_rng(0).poisson(3.0, (60, 4)) * 1.0, stimulus=np.arange(60))
    for call in (
        lambda: lesions(n_boot=20),
        lambda: cs.ablate(recorded, target=np.arange(60) % 2, n_boot=20),
    ):
        with pytest.warns(cs.ConsilienceWarning, match="few-draws") as caught:
            found = call()
        assert {one.filename for one in caught} == {__file__}
        assert "few-draws" in [one.code for one in found.warnings]
