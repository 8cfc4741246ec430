"""objects92: what is in it, against what was published."""

import dataclasses

import numpy as np
import pytest

import consilience as cs

pytestmark = pytest.mark.data


@pytest.fixture(scope="module")
def objects():
    try:
        return cs.datasets.load("objects92")
    except cs.InputError as error:
        if error.code == "not-cached":
            pytest.skip(str(error))
        raise


def triangle(data):
    rows, columns = np.triu_indices(data.sizes["stimulus"], 1)
    return data.mean("rdm").values[rows, columns]


def test_stimuli(objects):
    stimuli = objects.stimuli
    assert stimuli.shape == (92, 175, 175, 3)
    assert stimuli.dtype == np.uint8
    assert stimuli.attrs["kind"] == "images"
    ids = stimuli["stimulus"].values
    assert len(set(ids.tolist())) == 92
    assert ids[14] == "human_face_03"
    assert stimuli["number"].values.tolist() == list(range(92))
    assert "consilience_warnings" not in stimuli.attrs


def test_categories(objects):
    table = objects.categories
    assert list(table.columns) == ["category", "human", "face", "animal", "natural", "number"]
    assert table["category"].value_counts().to_dict() == {
        "human bodypart": 12,
        "human face": 12,
        "nonhuman bodypart": 12,
        "nonhuman face": 12,
        "natural inanimate": 23,
        "artificial inanimate": 21,
    }
    assert int(table["animal"].sum()) == 48
    assert table.index.tolist() == objects.stimuli["stimulus"].values.tolist()
    assert (objects.stimuli["face"].values == table["face"].to_numpy()).all()


def test_systems_share_the_ids(objects):
    assert list(objects.systems) == ["monkey_IT", "human_IT", "behaviour"]
    ids = objects.stimuli["stimulus"].values.tolist()
    for data in [*objects.systems.values(), *objects.models.values()]:
        assert data.dims == ("rdm", "stimulus", "stimulus_")
        assert data["stimulus"].values.tolist() == data["stimulus_"].values.tolist() == ids


def test_human_subjects_and_sessions(objects):
    human = objects.systems["human_IT"]
    assert human["subject"].values.tolist() == ["BE", "BE", "KO", "KO", "SN", "SN", "TI", "TI"]
    assert human["session"].values.tolist() == [1, 2] * 4
    assert human.attrs["distance"] == objects.systems["monkey_IT"].attrs["distance"] == "correlation"
    assert len(set(objects.systems["behaviour"]["subject"].values.tolist())) == 16
    assert objects.systems["behaviour"].attrs["distance"] == "unknown"


def test_published_relations(objects):
    human, monkey = triangle(objects.systems["human_IT"]), triangle(objects.systems["monkey_IT"])
    assert np.corrcoef(human, monkey)[0, 1] == pytest.approx(0.4912, abs=1e-4)
    behaviour = triangle(objects.systems["behaviour"])
    assert np.corrcoef(human, behaviour)[0, 1] == pytest.approx(0.4675, abs=1e-4)
    # the order of the stimuli is right: faces are near each other, animals are far from things
    for name, data in objects.systems.items():
        rdm, face, animal = (
            data.mean("rdm").values,
            objects.stimuli["face"].values,
            objects.stimuli["animal"].values,
        )
        faces = rdm[np.ix_(face, face)][np.triu_indices(face.sum(), 1)].mean()
        assert faces < rdm[np.ix_(animal, ~animal)].mean(), name


def test_models(objects):
    assert list(objects.models) == [
        "animacy",
        "FaceBodyManmadeNatobj",
        "EVA",
        "HMAX",
        "V1",
        "Silhouette",
        "RADON",
    ]
    animacy, animal = objects.models["animacy"].values[0], objects.stimuli["animal"].values
    np.testing.assert_array_equal(animacy, animal[:, None] != animal[None, :])


def test_it_says_where_it_comes_from(objects):
    assert "Kriegeskorte" in objects.citation
    assert "Kiani" in objects.citation
    assert "Mur" in objects.citation
    assert objects.licence == "MIT"
    assert "rsatoolbox 0.0.4" in repr(objects)
    with pytest.raises(dataclasses.FrozenInstanceError):
        objects.licence = "other"
    with pytest.raises(TypeError):
        objects.systems["mine"] = objects.systems["human_IT"]
