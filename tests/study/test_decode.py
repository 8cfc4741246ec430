"""The analysis `decode` of a study."""

from __future__ import annotations

import numpy as np
import pytest

import consilience as cs
from consilience import InputError
from consilience.study import run

HEAD = "seed: 1\noutput: out\nreport: false\nsystems:\n  it: {read: it.npy, ids: ids.txt, labels: {category: c.txt}}\n"


def test_a_label_is_decoded(tmp_path):
    rng = np.random.default_rng(0)
    y = np.tile(["a", "b"], 15)
    x = rng.normal(size=(30, 5)) + (y == "a")[:, None]
    np.save(tmp_path / "it.npy", x)
    (tmp_path / "ids.txt").write_text("\n".join(f"s{i}" for i in range(30)))
    (tmp_path / "c.txt").write_text("\n".join(y))
    path = tmp_path / "study.yaml"
    more = "model: {name: LDA, shrinkage: 0.5}, n_boot: 100, n_perm: 20"
    path.write_text(f"{HEAD}analyses:\n  - decode: {{data: it, target: category, {more}, name: told}}\n")
    done = run(path)
    assert done.exit_code == 0, done.failures
    data = cs.responses(x, stimulus=[f"s{i}" for i in range(30)], category=y)
    direct = cs.decode(
        data,
        "category",
        model=cs.models.LDA(shrinkage=0.5),
        n_boot=0,
        n_perm=0,
        rng=done.results["told"].seed,
    )
    assert done.results["told"].value == pytest.approx(direct.value)
    for wrong, said in (
        ("target: categry", "categry"),
        ("cv: 3", "target"),
        ("target: category, score: acuracy", "accuracy"),
    ):
        path.write_text(f"{HEAD}analyses:\n  - decode: {{data: it, {wrong}}}\n")
        with pytest.raises(InputError, match=said):
            run(path)
