"""Pictures of `cs.ablate`: what the panels are called."""

import warnings

import numpy as np
import pytest

import consilience as cs


@pytest.mark.parametrize("numbers", [False, True])
def test_columns_of_class_panels_are_called_what_they_are(numbers):
    pytest.importorskip("matplotlib")
    rng = np.random.default_rng(0)
    x = rng.normal(size=(60, 4))
    target = x[:, :2] if numbers else np.where(x[:, 0] > 0, "left", "right")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", cs.ConsilienceWarning)
        made = cs.ablate(
            cs.responses(x, stimulus=np.arange(60)), target=target, how="mean", curves=False, n_boot=0, rng=0
        )
    figure = made.plot(classes=True).figure
    titles = {ax.get_title(loc="left") for ax in figure.axes}
    assert ("mean: by target" in titles) == numbers
    assert ("mean: by class" in titles) != numbers
