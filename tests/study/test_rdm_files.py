"""RDMs in plain files, with subjects and sessions, through the YAML."""

import numpy as np
import pytest

import consilience as cs


def _write(folder, extra="", rdm="rdm: correlation"):
    rng = np.random.default_rng(0)
    signal = rng.normal(size=(20, 5))
    np.save(folder / "model.npy", signal @ rng.normal(size=(5, 30)))
    v4 = signal @ rng.normal(size=(5, 40))
    np.save(
        folder / "rdms.npy", np.stack([1 - np.corrcoef(v4 + rng.normal(size=v4.shape)) for _ in range(4)])
    )
    (folder / "ids.txt").write_text("\n".join(f"photo{i}" for i in range(20)))
    (folder / "study.yaml").write_text(
        "seed: 1\noutput: out\nreport: false\nsystems:\n"
        "  model: {read: model.npy, ids: ids.txt}\n"
        f"  it: {{read: rdms.npy, ids: ids.txt, {rdm}, subject: [ann, ann, bob, bob], session: [1, 2, 1, 2]{extra}}}\n"
        "analyses:\n  - compare: {a: model, b: it, measure: [rsa, cka], n_boot: 20, n_perm: 20}\n"
    )
    return folder / "study.yaml"


def test_subjects_and_sessions_of_rdms_in_a_npy_file(tmp_path):
    run = cs.study.run(_write(tmp_path))
    assert not run.failures
    result = next(r for r in run.results.values() if type(r).__name__ == "Comparison")
    assert (result.data["n_subjects"] == 2).all()
    assert np.isfinite(result.data["ceiling_low"]).all()
    assert (result.data["value"] > 0.5).all()


def test_an_unknown_distance_names_the_nearest(tmp_path):
    with pytest.raises(cs.InputError, match=r"rdm.*correlation.*Did you mean 'correlation'"):
        cs.study.run(_write(tmp_path, rdm="rdm: corelation"))


def test_one_label_per_rdm(tmp_path):
    path = _write(tmp_path)
    path.write_text(path.read_text().replace("[ann, ann, bob, bob]", "[ann, bob]"))
    with pytest.raises(cs.InputError, match="subject has 2 ids for 4"):
        cs.study.run(path)
