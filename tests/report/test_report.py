"""The report: one page, nothing live in it but our script, every number in it, the same bytes each time."""

from __future__ import annotations

import base64
import csv
import gzip
import hashlib
import io
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from importlib import resources

import numpy as np
import pytest
import synthetic_results as made

import consilience as cs
from consilience import report
from consilience._core._errors import InputError
from consilience._results import CLASSES, PLOTS, SECTIONS, resolve
from consilience.report._answer import answer
from consilience.report._figures import FIGURES
from consilience.report._sentences import SENTENCES, sentences
from consilience.report._tables import csv_text, json_text
from consilience.report._words import findings, headline, listed, plural

VOID = {"meta", "link", "br", "hr", "img", "input"}
ALLOWED = (
    "html head meta link title style body a div nav p ol ul li main header section h1 h2 h3 article span "
    "svg rect line circle dl dt dd b strong details summary figure figcaption table thead tbody tr th td "
    "code pre footer script defs g path use image text clippath "
)


class Page(HTMLParser):
    """Elements, attributes and visible text, as a browser would see them."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.text: list[str] = []
        self.scripts: list[str] = []
        self.open: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, {key: value or "" for key, value in attrs}))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, {key: value or "" for key, value in attrs}))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, f"</{tag}> closes something else"

    def handle_data(self, data):
        if self.open and self.open[-1] == "script":
            self.scripts.append(data)
        elif not (self.open and self.open[-1] == "style"):
            self.text.append(data)

    def all(self, key: str) -> list[str]:
        return [attrs[key] for _, attrs in self.elements if key in attrs]

    @property
    def words(self) -> str:
        return " ".join("".join(self.text).split())


def check_closed(html: str) -> Page:
    """Nothing live but our script, no address outside the page, ids unique and found."""
    page = Page(html)
    assert page.open == []
    assert {tag for tag, _ in page.elements} <= set(ALLOWED.split())
    names = {key for _, attrs in page.elements for key in attrs}
    assert not [
        key for key in names if key.startswith("on") or key in ("srcdoc", "action", "formaction", "src")
    ]
    assert len(page.scripts) == 1
    assert all(h.startswith(("#", "data:")) for h in page.all("href"))
    assert [h for h in page.all("href") if h.startswith("data:text/html")] == []
    ids = page.all("id")
    assert len(set(ids)) == len(ids)
    targets = [h[1:] for h in page.all("href") if h.startswith("#")]
    targets += re.findall(r"url\(#([^)]+)\)", " ".join(v for _, a in page.elements for v in a.values()))
    targets += [name for entry in page.all("aria-labelledby") for name in entry.split()]
    assert set(targets) <= set(ids)
    digest = base64.b64encode(hashlib.sha256(page.scripts[0].encode()).digest()).decode()
    policy = next(
        a["content"] for tag, a in page.elements if a.get("http-equiv") == "Content-Security-Policy"
    )
    assert f"script-src 'sha256-{digest}'" in policy
    assert "default-src 'none'" in policy
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e\ud800-\udfff]", html)
    assert "http://" not in html
    assert "https://" not in html
    assert "@import" not in html
    return page


def downloads(page: Page) -> dict[str, bytes]:
    links = [attrs for tag, attrs in page.elements if tag == "a" and "download" in attrs]
    return {a["download"]: base64.b64decode(a["href"].split("base64,", 1)[1]) for a in links}


@pytest.fixture(scope="module")
def results():
    return {"layers": made.comparison(), "RDMs": made.rdms()}


@pytest.fixture(scope="module")
def page(results):
    run = {
        "seed": 7,
        "seconds": {"compare": 1.25},
        "blocks": [{"step": "record", "state": "from the store"}],
        "warnings": [{"code": "run-code", "message": "The run was odd.", "remedy": "Look."}],
    }
    html = report.render(
        results,
        title="Which layer is like IT?",
        question="Is it the last?",
        study="title: demo\nseed: 7\n",
        stimuli=made.stimuli(),
        run=run,
    )
    assert len(html) < 4_000_000
    return check_closed(html)


def test_the_answer_is_in_plain_words(page):
    assert "_blocks.12 is the layer most like monkey_IT and human_IT." in page.words
    assert (
        "Of 18 layers, _blocks.12 is the most like monkey_IT: rsa = 0.41 (95 % interval over stimuli and "
        "subjects" in page.words
    )
    assert "% of the upper end of the noise ceiling (0.49 to 0.58)" in page.words
    assert "Training matters: the same network untrained reaches" in page.words


def test_question_settings_methods_citations_and_provenance_are_there(page):
    for words in (
        "Is it the last?",
        "18 layers: _blocks.0, _blocks.1, _blocks.2, …, _fc",
        "baseline.untrained",
        "n_boot",
        "Intervals come from 1,000 bootstrap draws",
        "@article{kriegeskorte2008representational",
        "seed: 7",
        "numpy",
        "from the store",
        "1.25",
        "few-subjects",
        "Read the interval as conditional on them.",
        "The run was odd.",
    ):
        assert words in page.words, words


def test_each_figure_has_a_caption_and_words_for_those_who_do_not_see_it(page):
    figures = [attrs for tag, attrs in page.elements if tag == "figure"]
    assert len(figures) == 6
    assert sum(tag == "figcaption" for tag, _ in page.elements) == 6
    labelled = [attrs for tag, attrs in page.elements if tag == "svg" and attrs.get("role") == "img"]
    assert len(labelled) >= 11
    assert all(attrs["aria-label"] for attrs in labelled)
    assert "interval over stimuli, conditional on the subjects" in page.words
    assert "n = 92 stimuli, 4 subjects" in page.words


def test_pictures_of_stimuli_are_stored_once(page):
    stored = [attrs["href"] for tag, attrs in page.elements if tag == "image" and "id" in attrs]
    assert len(stored) == len(set(stored))
    used = [attrs for tag, attrs in page.elements if tag == "use" and attrs["href"].startswith("#p-")]
    assert len(used) == 4 * 92 + 4 * 2
    assert all(h.startswith("data:image/png;base64,") for h in stored)


def test_the_rdms_carry_what_hovering_shows(page):
    (figure,) = [attrs for tag, attrs in page.elements if "data-ranks" in attrs]
    ranks = np.frombuffer(base64.b64decode(figure["data-ranks"].split()[0]), np.uint8)
    assert len(ranks) == 92 * 91 // 2
    assert ranks.max() == 100
    assert len(json.loads(figure["data-names"])) == len(figure["data-pictures"].split()) == 92
    assert sum(attrs.get("class") == "rdm" for _, attrs in page.elements) == 4


def test_downloads_hold_every_number(page, results):
    files = downloads(page)
    frame = results["layers"].to_frame()
    rows = list(csv.DictReader(io.StringIO(files["layers.csv"].decode())))
    assert len(rows) == len(frame) == 72
    assert [float(row["value"]) for row in rows] == frame["value"].tolist()
    assert rows[0]["n_units_b"] == ""
    table = json.loads(files["layers.json"])
    assert table["columns"] == list(frame.columns)
    assert [row[table["columns"].index("ci_low")] for row in table["rows"]] == frame["ci_low"].tolist()
    assert len(list(csv.reader(io.StringIO(files["layers-untrained.csv"].decode())))) == 3 * 72 + 1
    assert len(json.loads(files["rdms-pairs.json"])["rows"]) == 92 * 91 // 2


def test_the_tables_are_complete_without_scripts_up_to_200_rows(page):
    body = page.words
    assert "Every pair 72 rows" in body
    assert "The first 200 rows are shown; all 216 are in the downloads." in body
    assert "Not asked for or without value here, so not shown: n_units_b." in body


def test_the_same_results_give_the_same_bytes():
    def once():
        step = made.comparison(a=["a", "b", "c"], measures=["rsa"], seeds=1)
        return report.render(
            {"x": step, "y": made.rdms(systems=["s", "t", "u"], n=8)}, title="t", stimuli=made.stimuli()
        )

    assert once() == once()


def test_hostile_text_is_inert_wherever_it_stands():
    bad = made.HOSTILE
    step = made.comparison(a=bad, b=bad[:2], measures=bad[11:12], seeds=1)
    from consilience._core._errors import Caution

    step = replace(
        step,
        warnings=tuple(Caution(t, t, t) for t in bad),
        methods=tuple(bad),
        seed=bad[0],
        settings={t: [t, {t: t}] for t in bad},
        versions={t: t for t in bad},
        references=(*bad, "kriegeskorte2008matching"),
    )
    shapes = made.rdms(systems=bad[:4], n=len(bad), ids=bad)
    html = report.render(
        {bad[0]: step, bad[1]: shapes},
        title=bad[0] + bad[4],
        question="\n".join(bad),
        study="\n".join(bad),
        stimuli=made.stimuli(len(bad), size=8, ids=bad),
        run={t: {t: t} for t in bad} | {"list": [{t: t} for t in bad]},
        failures=[{"step": t, "error": t, "code": t} for t in bad],
    )
    page = check_closed(html)
    assert len(html) < 4_000_000
    for shown in (
        "<script>alert(1)</script>",
        '"><img src=x onerror=alert(1)>',
        "{{7*7}}",
        "{% raw %}",
        "</style>",
        "javascript:alert(1)",
        "emoji 🧠🐒",
        "\\u202eevil",
        "nul\\x00byte",
        "$\\frac{1}{2}$",
        "\\x1b[31mred",
        "]]></svg>",
        "&amp; &lt;",
        "lone \\ud800",
    ):
        assert shown in page.words, shown
    assert page.words.count("{{7*7}}") > 10
    html.encode("utf-8")
    (name,) = [n for n in downloads(page) if n.endswith("script.csv")]
    column = [row["a"] for row in csv.DictReader(io.StringIO(downloads(page)[name].decode()))]
    assert {"'=1+1", "'+cmd", "'@SUM(A1)", "'-2+3"} <= set(column)
    assert not [cell for cell in column if cell.startswith(("=", "+", "-", "@"))]


def test_csv_marks_formulas_in_text_and_leaves_numbers():
    rows = [("=1+1", -0.5), ("\tx", float("nan")), ("plain", 3), (" =x", np.float64(0.1))]
    assert (
        csv_text(["name", "value"], rows) == "name,value\r\n'=1+1,-0.5\r\n'\\tx,\r\nplain,3\r\n' =x,0.1\r\n"
    )


def test_json_is_ascii_and_has_null_for_what_is_not_finite():
    assert (
        json_text(["a"], [(float("inf"),), ("</script>é",)])
        == '{"columns":["a"],"rows":[[null],["</script>\\u00e9"]]}'
    )


def test_no_results_says_so():
    page = check_closed(report.render({}, title="nothing"))
    assert "No results: nothing was computed." in page.words
    assert "Nothing was recorded." in page.words


def test_only_failures_are_shown():
    page = check_closed(
        report.render({}, title="t", failures=[{"step": "compare", "error": "Boom.", "code": "bad-input"}])
    )
    for words in ("No results: the step failed.", "1 step failed: compare", "Boom.", "bad-input"):
        assert words in page.words


def test_failures_stand_beside_results():
    html = report.render(
        {"one": made.comparison(a=["x"], bare=True, seeds=0)},
        title="t",
        failures=[{"step": "rdms", "error": "no"}],
    )
    page = check_closed(html)
    assert "x is most like monkey_IT: rsa" in page.words
    assert "Neither an interval nor a test was asked for" in page.words
    assert "No noise ceiling exists for monkey_IT, so how much is left to explain is not known." in page.words
    assert "No noise ceiling: it needs several subjects or repeats." in page.words
    assert "Failed steps" in page.words


def test_a_result_without_a_section_shows_its_table():
    page = check_closed(report.render({"best": made.comparison(seeds=0).best()}, title="t"))
    assert "By rsa, _blocks." in page.words
    assert "on other stimuli than it was chosen on." in page.words
    assert "naive_value" in page.words
    assert page.all("id").count("fig-best-figure") == 1


def test_equal_names_after_cleaning_get_sections_of_their_own():
    small = made.comparison(a=["x"], bare=True, seeds=0, measures=["rsa"])
    page = check_closed(report.render({"a b": small, "a-b": small, "answer": small}, title="t"))
    assert {"a-b", "a-b-2", "answer-2"} <= set(page.all("id"))
    assert sorted(n for n in downloads(page) if n.endswith("csv")) == ["a-b-2.csv", "a-b.csv", "answer-2.csv"]


def test_two_thousand_systems_stay_small_and_complete():
    many = made.comparison(a=[f"unit {i}" for i in range(2000)], seeds=0, measures=["rsa"])
    html = report.render({"many": many}, title="t")
    assert len(html) < 3_000_000
    page = check_closed(html)
    assert "The first 200 rows are shown; all 4,000 are in the downloads." in page.words
    packed = downloads(page)["many.csv.gz"]
    assert gzip.decompress(packed).count(b"\r\n") == 4001


def test_many_systems_and_measures_are_cut_and_counted():
    wide = made.comparison(a=["x", "y"], b=[f"b{i}" for i in range(9)], measures=["m"], seeds=0)
    long = made.comparison(a=["x"], b=["y"], measures=[f"m{i}" for i in range(7)], seeds=0)
    page = check_closed(report.render({"wide": wide, "long": long}, title="t"))
    assert "The first 6 of 9 systems are drawn; all are in the tables." in page.words
    assert "The first 6 of 7 measures are drawn; all are in the tables." in page.words
    assert "8 more in the sections below" in page.words


def test_write_replaces_whole_files_only(tmp_path, monkeypatch):
    target = tmp_path / "report.html"
    target.write_text("old")
    assert report.write(target, {}, title="new") == target
    assert "<title>new</title>" in target.read_text(encoding="utf-8")
    monkeypatch.setattr(
        "os.replace", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device"))
    )
    with pytest.raises(InputError, match="No space left"):
        report.write(target, {}, title="newer")
    assert "<title>new</title>" in target.read_text(encoding="utf-8")
    assert [p.name for p in tmp_path.iterdir()] == ["report.html"]


def test_write_says_what_is_wrong_with_a_path(tmp_path):
    with pytest.raises(InputError, match="is a folder; give a file name"):
        report.write(tmp_path, {}, title="t")
    with pytest.raises(InputError, match="does not exist; create it first"):
        report.write(tmp_path / "no" / "r.html", {}, title="t")


@pytest.mark.parametrize("path", [None, 3, "", "a\x00b", "\udce9.html"])
def test_write_refuses_what_is_no_file_name(path):
    with pytest.raises(InputError, match=r"^report\.write: "):
        report.write(path, {}, title="t")


def test_what_is_no_result_is_refused():
    with pytest.raises(InputError, match="must be a mapping of step name -> result"):
        report.render([1], title="t")
    with pytest.raises(InputError, match="'x' must be a result, got 3"):
        report.render({"x": 3}, title="t")


def test_every_section_resolves_and_stands_alone():
    for kind in SECTIONS:
        assert callable(resolve(SECTIONS, kind))
    html = report.rdms_section(made.rdms(systems=["a", "b", "c"], n=8), stimuli=made.stimuli())
    assert 'id="p-' in html
    assert report.comparison_section(made.comparison(a=["x"], seeds=0)).startswith(
        '<section class="step" id="comparison"'
    )


def test_templates_are_package_data():
    folder = resources.files("consilience.report") / "templates"
    names = {"page.html.j2", "section.html.j2", "page.css", "page.js"}
    assert names <= {entry.name for entry in folder.iterdir()}


# -- the words -----------------------------------------------------------------------------------------------


def changed(name: str, value: float, **more: float):
    """A comparison whose nested best has one field replaced everywhere."""
    step = made.comparison(measures=["rsa"], b=["IT"])
    best = step.best_a.copy(deep=True)
    for key, entry in {name: value, **more}.items():
        best[key] = best[key].copy(data=np.full(best[key].shape, entry))
    return replace(step, best_a=best)


def said(step) -> str:
    (found,) = findings(step)
    return f"{headline([found])} {' '.join(found.sentences)}"


def test_a_best_that_chance_explains_is_not_called_best():
    words = said(changed("p", 0.3))
    assert words.startswith(
        "No layer can be told from chance. No layer can be told from chance for IT: the best, _blocks.13, "
        "has rsa"
    )
    assert "of the upper end of the noise ceiling" not in words


def test_what_chance_explains_is_not_said_to_be_as_good_as_a_perfect_model():
    inside = changed("value", 0.02, p=0.6)
    for name, value in (("ceiling_low", 0.01), ("ceiling_high", 0.1)):
        inside.data[name] = inside.data[name] * 0 + value
    words = said(inside)
    assert "No layer can be told from chance" in words
    assert "perfect model" not in words
    assert "The noise ceiling (0.01" in words
    assert "starts no higher: these data tell no good model from chance." in words


def test_an_interval_over_zero_counts_where_there_is_no_test():
    assert said(changed("p", np.nan, ci_both_low=-0.1)).startswith("No layer can be told from chance")
    assert said(changed("p", np.nan, ci_both_low=0.1)).startswith("_blocks.13 is the layer most like IT.")


def test_training_is_credited_only_with_a_difference_that_is_sure():
    assert "Training does not explain it" in said(changed("difference", -0.02))
    assert "Whether training matters is open" in said(changed("difference_both_low", -0.02))
    assert "Training matters" in said(changed("difference_both_low", 0.02))


def test_the_ceiling_is_compared_and_an_unsettled_choice_is_said():
    assert "inside the noise ceiling (0.49 to 0.58)" in said(changed("value", 0.55))
    assert "above the noise ceiling" in said(changed("value", 0.75))
    assert "The choice is not settled: _blocks.13 came first in 30 % of the splits" in said(
        changed("share", 0.3)
    )


def test_without_a_nested_choice_the_bias_is_said():
    step = replace(made.comparison(measures=["rsa"], b=["IT"]), best_a=None)
    words = said(step)
    assert words.startswith("_blocks.13 has the highest rsa with IT: 0.42.")
    assert "which biases the value up" in words


def test_values_that_do_not_exist_are_said_not_to():
    step = made.comparison(a=["x"], b=["IT"], measures=["rsa"], bare=True, seeds=0)
    step = replace(step, data=step.data.assign(value=step.data["value"] * np.nan))
    assert said(step) == "The comparison has no values. No value of rsa exists for x and IT."
    check_closed(report.render({"x": step}, title="t"))


def test_small_words():
    assert (plural(1, "stimulus"), plural(2, "stimulus"), plural(1000, "copy")) == (
        "1 stimulus",
        "2 stimuli",
        "1,000 copies",
    )
    assert listed(["a", "b", "c"]) == "a, b and c"


def test_what_other_measures_say_stands_in_the_answer():
    result = made.comparison()
    best = result.best_a.copy(deep=True)
    best["chosen"].values = np.array([["_fc", "_fc"], ["_fc", "_conv_head"]], dtype=object)
    text = report.render({"t": replace(result, best_a=best)}, title="t")
    assert "By rsa, " in text
    assert "By cka, too, it is _fc." in text
    assert "By cka it is _conv_head (" in text


def test_the_ceiling_is_one_over_subjects_or_over_repeats():
    result = made.comparison(seeds=0)
    assert "noise ceiling over subjects, leaving each out" in report.render({"t": result}, title="t")
    data = result.data.assign(n_subjects=result.data["n_subjects"] * 0 + 1)
    text = report.render({"t": replace(result, data=data)}, title="t")
    assert "noise ceiling from random halves of the repeats" in text
    assert "part of what comes back in every repeat is left unexplained" in text
    assert "subjects share" not in text


def test_why_there_is_no_ceiling_is_said():
    result = made.comparison(seeds=0)
    nan = result.data["value"] * np.nan
    data = result.data.assign(ceiling_low=nan, ceiling_high=nan).assign_attrs(by="category")
    text = report.render({"t": replace(result, data=data)}, title="t")
    assert "No noise ceiling exists for monkey_IT (stimuli were averaged by category)" in text
    assert "No noise ceiling: stimuli were averaged by category." in text


@pytest.mark.parametrize("name", CLASSES)
def test_every_class_of_result_is_told_in_words(name):
    if name in SECTIONS:
        assert callable(resolve(SECTIONS, name))
        return
    assert name in SENTENCES, f"write what a {name} says in words: SENTENCES in report/_sentences.py"
    assert name in FIGURES, "write the caption of its figure: FIGURES in report/_figures.py"
    assert name in PLOTS


def some_results():
    rng = np.random.default_rng(0)
    ids = [f"<b>{i}</b>" for i in range(16)]
    signal = rng.normal(size=(16, 4))
    x, y, z = (
        cs.responses(
            signal @ rng.normal(size=(4, 12)) + k * rng.normal(size=(16, 12)), stimulus=ids, system=name
        )
        for k, name in enumerate(("one", "two", "<script>three</script>"))
    )
    models = {"one": x, "two": y}
    trials = cs.responses(
        rng.normal(size=(12, 3, 4)),
        kind="rate",
        dims=("trial", "time", "unit"),
        time=[0.0, 0.1, 0.2],
        stimulus=list("abcd") * 3,
        repeat="count",
    )
    target = cs.rdm_data(cs.measures.rdm(rng.normal(size=(4, 6)), square=True), stimulus=list("abcd"))
    placed = trials.isel(time=0, drop=True).assign_coords(x=("unit", np.arange(4.0)))
    few = {"n_boot": 10, "n_perm": 10, "rng": 0}
    compared = cs.compare({**models, "four": z.roll(unit=1)}, z, measure=["rsa", "cka"], **few)
    yield "agreement", compared.agreement()
    yield "contrasts", compared.contrasts()
    yield "equivalence", cs.equivalence({"one": x}, {"two": y, "<i>": z}, margin=0.5, n_boot=20, rng=0)
    yield "influence", cs.influence(models, z, measure=["rsa", "cka"])
    yield "deciding", cs.deciding_stimuli(x, y, z)
    yield "partition", cs.partition(z, models, **few)
    yield "space", cs.shape_space({**models, "<i>": z}, "cka", **few)
    yield "encoding", cs.encode(models, z, cv=4, n_boot=10, n_perm=0, rng=0)
    yield "evaluation", cs.evaluate_models(models, z, **few)
    yield "psth", cs.psth(trials)
    yield "movie", cs.rdm_movie(trials, noise=None, models={"m<": target}, **few)
    yield "light", cs.searchlight(placed, target, n_units=3, **few)


@pytest.mark.filterwarnings("ignore::consilience.ConsilienceWarning")
def test_sections_of_all_kinds_of_results():
    results = dict(some_results())
    page = check_closed(report.render(results, title="t"))
    for name, result in results.items():
        said = sentences(result)
        assert said, name
        assert all(one.endswith(".") and "nan" not in one for one in said), said
        assert visible_words(said[0]) in page.words, said
        assert f"fig-{name}-figure" in page.all("id")
        assert f"{name}.csv" in downloads(page)


def visible_words(text):
    return " ".join(text.split())[:60]


def _close_pair(noise: float, n_boot: int = 200):
    rng = np.random.default_rng(4)
    ids = [f"i{k}" for k in range(24)]
    signal = rng.normal(size=(24, 20))
    near = {name: cs.responses(signal + rng.normal(size=(24, 20)), stimulus=ids) for name in ("one", "two")}
    near["far"] = cs.responses(signal + noise * rng.normal(size=(24, 20)), stimulus=ids)
    return cs.compare({"m": cs.responses(signal, stimulus=ids)}, near, n_boot=n_boot, n_perm=0, rng=0)


def test_the_headline_says_where_the_first_is_not_told_apart_from_the_next():
    result = _close_pair(5.0)
    words = headline(findings(result), result)
    assert re.search(
        r"m is most like (one|two): rsa 0\.\d\d, but not told apart from the next, (two|one) \(0\.", words
    )
    pair = replace(result, data=result.data.sel(b=["one", "far"]), draws=result.draws.sel(b=["one", "far"]))
    assert "told apart" not in headline(findings(pair), pair)
    without = _close_pair(5.0, n_boot=0)
    assert "told apart" not in headline(findings(without), without)


@pytest.mark.filterwarnings("ignore::consilience._core._errors.ConsilienceWarning")
def test_the_answer_has_a_sentence_of_every_step():
    rng = np.random.default_rng(1)
    ids = [f"i{k}" for k in range(10)]
    values = np.tile(rng.normal(size=(10, 6)), (4, 1)) + rng.normal(size=(40, 6))
    trials = cs.responses(values, stimulus=ids * 4, repeat="count", system="vel")
    other = cs.responses(rng.normal(size=(10, 6)), stimulus=ids, system="m1")
    result = cs.rdms(trials, n_boot=0, rng=0)
    result = replace(result, data=result.data.assign(reliability=("system", [0.9])))
    steps = {f"influence {k}": cs.influence(trials, other) for k in range(7)} | {"pictures": result}
    said = answer(steps, [])
    assert len(said["sentences"]) >= 7
    assert said["sentences"][-1][1][0].startswith("RDMs of two halves of the trials agree: r of vel 0.90")
    flat = cs.rdms({"m1": other}, n_boot=0, rng=0)
    assert (
        "How reliable the RDMs over 10 stimuli are is not known"
        in answer({"pictures": flat}, [])["sentences"][0][1][0]
    )


@pytest.mark.filterwarnings("ignore::consilience._core._errors.ConsilienceWarning")
def test_captions_name_what_is_there():
    rng = np.random.default_rng(1)
    ids = [f"i{k}" for k in range(12)]
    rdm = {
        n: cs.rdm_data(cs.measures.rdm(rng.normal(size=(12, 5)), square=True), stimulus=ids) for n in "xyz"
    }
    bare = cs.partition(rdm["x"], {"y": rdm["y"], "z": rdm["z"]}, n_boot=0, n_perm=0, rng=0)
    words = FIGURES["VariancePartition"].said(bare)
    assert "Grey band" not in words
    assert "subjects" not in words
    assert "Upright tick" not in words
    one = cs.evaluate_models({"y": rdm["y"], "z": rdm["z"]}, rdm["x"], n_boot=0, n_perm=0, rng=0)
    assert FIGURES["ModelEvaluation"].said(one) == "Value of each model."
    x = rng.normal(size=(200, 2))
    series = [cs.responses(v, dims=("time", "unit"), time=np.arange(200) / 10) for v in (x, x + 0 * x)]
    series[1] = series[1] + rng.normal(size=(200, 2))
    found = cs.encode(series[0], series[1], n_boot=50, n_perm=0, rng=0)
    words = FIGURES["Encoding"].said(found)
    assert "held-out stretches" in words
    assert "Grey band: interval of the median" in words


@pytest.mark.filterwarnings("ignore::consilience.ConsilienceWarning")
def test_models_of_counts_say_how_much_deviance_they_explain():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(400, 2))
    counts = rng.poisson(np.exp(np.c_[0.8 * x[:, 0] - 0.5, np.full(400, -0.5)]))
    time = np.arange(400) / 20
    driven, alone = (
        cs.responses(v, dims=("time", "unit"), time=time, kind=kind)
        for v, kind in ((x, "activation"), (counts, "count"))
    )
    found = cs.encode(driven, alone, model=cs.models.GLM(), n_boot=60, n_perm=0, rng=0)
    said = sentences(found)[1]
    assert said.startswith("In the median unit ")
    assert "bits per spike" in said
    assert said.endswith("the interval lies above 0 in 1 of 2.")
