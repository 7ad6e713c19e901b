"""A report reads well and hides nothing; its HTML stands alone, whatever files are called."""

import base64
import io
import json
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from ganbench import formatting as fmt
from ganbench.errors import BadInput, UsageError
from ganbench.gallery import Gallery, Pair, Picture, png_data_uri
from ganbench.report import Report
from ganbench.results import MetricResult, SampleInfo

HOSTILE = "<script>alert('1')</script>\"onload=x&amp;.png"
VOID = {"meta", "link", "img", "br"}


def picture(name, side=8, value=7):
    return Picture(name, np.full((3, side, side), value, np.uint8))


def gallery(name="a.png"):
    return Gallery([picture(name)], [picture("train/1")], [Pair(picture(name), picture("train/2"), 3.25)])


class Page(HTMLParser):
    """Collects tags, attributes and text, and checks that tags nest."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.texts, self.open = [], [], []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open[-1:] != ["style"]:
            self.texts.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.texts).split())

    def all(self, tag):
        return [attrs for name, attrs in self.tags if name == tag]


def page_of(report, tmp_path):
    report.to_html(tmp_path / "r.html")
    return Page((tmp_path / "r.html").read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("value", "ci95", "shown"),
    [
        (22.43179, (21.1, 23.7), "22.4"),
        (22.43179, (22.42, 22.44), "22.432"),
        (1234.5678, (1000.0, 1400.0), "1235"),
        (22.43179, None, "22.43"),
        (0.00123456, None, "0.00123"),
        (-0.0000290786, None, "-0.0000291"),
        (-3.2e-12, None, "-3.2e-12"),
        (0.0, None, "0"),
        (0.0, (-0.01, 0.01), "0.000"),
        (5.0, (5.0, 5.0), "5.000"),
        (44850.0, None, "44850"),
        (8.0, None, "8"),
    ],
)
def test_numbers_have_the_digits_their_interval_supports(value, ci95, shown):
    assert fmt.number(value, ci95) == shown


def test_shares_line_up_and_distances_keep_leading_digits():
    assert [fmt.figure(v, None, "higher") for v in (0.02, 0.0, 0.87312, 11.2368)] == [
        "0.020",
        "0.000",
        "0.873",
        "11.24",
    ]
    assert fmt.figure(0.00123456, None, "lower") == "0.00123"
    assert fmt.figure(0.0, (0.0, 0.0), "higher") == "0.000"
    assert fmt.interval(0.0, (0.0, 0.0)) == ""
    assert fmt.figure(None, None, "lower") == "-"
    assert [fmt.figure(v, None, "higher") for v in (1.0, 2.0, 10.0)] == ["1.000", "2", "10"]


def test_text_lines_up_wide_characters():
    assert fmt.aligned([["文", "1"], ["ab", "22"]], "lr").splitlines() == ["文   1", "ab  22"]


def test_printable_replaces_control_and_direction_characters():
    assert fmt.printable("a\x1b[31m\nb\u202ec\udce9") == "a\ufffd[31m b\ufffdc\ufffd"


def test_text_has_the_table_the_facts_and_the_warnings(make_result):
    text = str(Report(make_result()))
    lines = [line.split() for line in text.splitlines()]
    assert lines[0] == ["samples", "against", "cifar10:train"]
    assert ["FID", "22.4", "21.1", "to", "23.7", "↓", "lower", "1,000", "50,000"] in lines
    assert ["KID", "0.00123", "↓", "lower", "1,000", "50,000"] in lines
    assert "reads about 5.8 higher than with unlimited samples." in text
    assert "\n\nNot computed:\n  Coverage: the reference has moments only\n\n" in text
    assert "Coverage" not in {line[0] for line in lines[:6] if line}
    assert f"tf, {make_result().protocol['fingerprint'][:12]}" in text
    assert text.endswith("Warning: many are duplicates")
    assert repr(Report(make_result())) == text


def with_modes(make_result, **changed):
    """A result that also has a count of modes, whose perfect sampler is known."""
    modes = MetricResult(
        value=1.0, label="Modes", direction="higher", params={}, n_fake=1000, n_real=None,
        details={"ceiling_modes": 7.9999999999, "all_modes": 8.0},
        series={"class": [0, 1, 2], "share": [0.5, 0.5, 0.0], "prior": [0.25, 0.5, 0.25]},
    )  # fmt: skip
    return make_result(metrics=make_result().metrics | {"modes": replace(modes, **changed)})


def test_what_a_perfect_sampler_reaches_stands_beside_the_value(make_result, tmp_path):
    result = with_modes(make_result)
    assert "Modes: A perfect sampler of 1,000 reaches 8." in str(Report(result))
    assert ["Modes", "1", "↑", "higher", "1,000", "-"] in [line.split() for line in str(Report(result)).splitlines()]
    assert "perfect sampler 8" in page_of(Report(result), tmp_path).text
    others = with_modes(make_result, details={"ceiling": 0.9, "ceiling_std": 0.01, "ceiling_images": 1000.0})
    assert "erfect sampler" not in str(Report(others)) + page_of(Report(others), tmp_path).text


def test_metrics_without_a_value_stand_together_by_their_reason(make_result, tmp_path):
    missing = replace(make_result().metrics["coverage"], reason="word " * 30 + "end")
    metrics = make_result().metrics | {
        "density": replace(missing, label="Density"),
        "coverage": missing,
        "ppl": replace(missing, label="PPL", reason="G"),
    }
    text = str(Report(make_result(metrics=metrics)))
    block = text[text.index("Not computed:") :].split("\n\n")[0].splitlines()
    assert block[1].startswith("  Coverage, Density: word word")
    assert block[2].startswith("    word")
    assert block[3:] == ["  PPL: G"]
    assert max(len(line) for line in block) <= 100
    page = page_of(Report(make_result(metrics=metrics)), tmp_path)
    assert "Coverage, Density word word" in page.text
    nothing = make_result(metrics={"ppl": metrics["ppl"]})
    assert "metric" not in str(Report(nothing)).split("Not computed:")[0]
    assert "interval" not in Report(nothing)._repr_html_()


def test_html_draws_columns_and_lists_the_rest(make_result, tmp_path):
    result = with_modes(make_result)
    pairs = {"fake": list(range(30)), "real": list(range(30, 60)), "distance": [i + 0.25 for i in range(30)]}
    kid = replace(result.metrics["kernel_distance"], series=pairs)
    page = page_of(Report(replace(result, metrics=result.metrics | {"kernel_distance": kid})), tmp_path)
    drawn = [attrs for attrs in page.all("svg") if attrs.get("role") == "img"]
    assert [attrs["aria-label"] for attrs in drawn] == ["Modes: share, prior by class"]
    assert [attrs["class"] for attrs in page.all("path")].count("bars c0") == 2  # the drawing and its legend
    assert "KID fake, real, distance: 30 rows" in page.text
    assert "20 of 30 rows" in page.text
    assert "19 49 19.25" in page.text
    assert "20 50 20.25" not in page.text
    assert not [value for _, attrs in page.tags for key, value in attrs.items() if key in ("style", "xlink:href")]


def test_html_of_points_speaks_of_points(make_result, tmp_path):
    protocol = {"name": "points", "fingerprint": "0" * 64}
    reference = replace(make_result().reference, name="ring8", split=None, n=None)
    page = page_of(Report(replace(make_result(reference=reference), protocol=protocol)), tmp_path)
    assert "1,000 points scored against ring8, known by its formula" in page.text
    assert "Pictures" not in page.text
    assert "images" not in page.text.split("Comparable only")[0]


def test_an_unknown_metric_is_named_with_its_neighbour(make_result):
    report = Report(make_result())
    with pytest.raises(UsageError, match=r"Unknown metric 'fid'\. Did you mean 'frechet_distance'"):
        report["fid"]
    with pytest.raises(KeyError, match=r"Unknown metric 'precison'\. Did you mean 'precision'"):
        report["precison"]
    assert report.get("nope") is None
    assert "precision" in report
    assert list(report) == ["frechet_distance", "kernel_distance", "precision", "coverage"]


def test_json_keeps_full_precision_and_comes_back_equal(make_result, tmp_path):
    report = Report(make_result(), gallery())
    report.to_json(tmp_path / "r.json")
    data = json.loads((tmp_path / "r.json").read_text())
    assert data["metrics"]["frechet_distance"]["value"] == 22.431789
    assert data["metrics"]["coverage"] | {"params": 0} == data["metrics"]["coverage"] | {"params": 0, "value": None}
    assert Report.from_json(str(tmp_path / "r.json")).result == report.result


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "cannot be read"),
        ("{", "is not JSON"),
        ("[" * 100_000, "is not JSON"),
        ("{}", "its schema is None, wanted 'ganbench.result/1'"),
        ('{"schema": "ganbench.record/1"}', "its schema is 'ganbench.record/1'"),
        ('{"schema": "ganbench.result/1", "value": NaN}', "NaN is no number in JSON"),
        ('{"schema": "ganbench.result/1"}', "is not a valid Result: protocol: Field required"),
        ("[]", "holds 0 results"),
    ],
)
def test_what_is_no_result_is_refused(content, message, tmp_path):
    path = tmp_path / "r.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(BadInput, match=r"r\.json") as caught:
        Report.from_json(path)
    assert message in str(caught.value)


def test_html_tells_all_and_loads_nothing(make_result, tmp_path):
    page = page_of(Report(make_result(), gallery()), tmp_path)
    for text in ("FID", "22.4", "21.1 to 23.7", "bias about 5.8", "Not computed, and what would enable it",
                 "Coverage the reference has moments only",
                 "many are duplicates", "subset_std 0.000310", "ganbench eval samples --ref cifar10", "ab" * 32,
                 "distance 3.250", "reads about 5.8 higher than with unlimited samples", "tf1-bilinear",
                 "ganbench 0.1.0"):  # fmt: skip
        assert text in page.text
    assert page.all("html") == [{"lang": "en"}]
    assert not {"script", "iframe", "object", "form", "base"} & {tag for tag, _ in page.tags}
    addresses = [attrs[key] for _, attrs in page.tags for key in ("src", "href") if key in attrs]
    assert len(addresses) == 5  # the empty icon, the sheets, the pair
    assert all(address.startswith("data:") for address in addresses)
    assert not [key for _, attrs in page.tags for key in attrs if key.startswith("on")]
    assert "http" not in (tmp_path / "r.html").read_text()


def test_html_is_accessible(make_result, tmp_path):
    page = page_of(Report(make_result(), gallery()), tmp_path)
    assert all(attrs["alt"] for attrs in page.all("img"))
    assert all(attrs["scope"] in ("row", "col") for attrs in page.all("th"))
    ids = [attrs["id"] for _, attrs in page.tags if "id" in attrs]
    assert len(ids) == len(set(ids))
    assert {attrs["aria-labelledby"] for attrs in page.all("section") if "aria-labelledby" in attrs} == set(ids)
    assert len(page.all("h1")) == 1
    assert page.all("td")[0]["title"] == "22.431789"


def test_html_escapes_what_others_wrote(make_result, tmp_path):
    result = replace(
        make_result(source=HOSTILE),
        warnings=[HOSTILE],
        command=HOSTILE,
        environment={HOSTILE: HOSTILE},
        protocol=make_result().protocol | {"extractor": HOSTILE},
        metrics={"precision": replace(make_result().metrics["precision"], label=HOSTILE, params={HOSTILE: HOSTILE})},
    )
    report = Report(result, gallery(HOSTILE))
    page = page_of(report, tmp_path)
    assert page.all("script") == []
    assert not [key for _, attrs in page.tags for key in attrs if key.startswith("on")]
    assert page.text.count("<script>alert('1')</script>") >= 8
    assert f"sample {HOSTILE}" in [attrs["alt"] for attrs in page.all("img")]
    assert "<script" not in report._repr_html_()


def test_html_of_a_name_that_is_no_unicode(make_result, tmp_path):
    result = make_result(samples=SampleInfo(source="caf\udce9\u202e", fingerprint="0", n=2))
    assert "caf\ufffd\ufffd" in page_of(Report(result, gallery("\udce9")), tmp_path).text


def test_json_of_a_name_that_is_no_unicode(make_result, tmp_path):
    result = make_result(samples=SampleInfo(source="caf\udce9", fingerprint="0", n=2))
    Report(result).to_json(tmp_path / "r.json")
    assert Report.from_json(tmp_path / "r.json").result.samples.source == "caf?"


def test_html_says_which_pictures_are_not_at_hand(make_result, tmp_path):
    alone = page_of(Report(make_result()), tmp_path)
    assert "this report was made from numbers alone" in alone.text
    assert "Nearest neighbours" not in alone.text
    fakes = page_of(Report(make_result(), Gallery(fake=[picture("a")])), tmp_path)
    assert "Only the statistics of the reference are at hand" in fakes.text


def test_html_shows_pairs_closest_first(make_result, tmp_path):
    pairs = [Pair(picture(f"f{d}"), picture(f"r{d}"), d) for d in (3.0, 1.0, 2.0)]
    page = page_of(Report(make_result(), Gallery([picture("a")], [], pairs)), tmp_path)
    alts = [attrs["alt"] for attrs in page.all("img") if "nearest" in attrs["alt"]]
    assert alts == ["nearest reference image r1.0", "nearest reference image r2.0", "nearest reference image r3.0"]


def test_html_shows_the_closest_in_their_own_order(make_result, tmp_path):
    closest = [Pair(picture("f1"), picture("r1"), 5.5, 0.25), Pair(picture("f2"), picture("r2"), 1.0, 0.75)]
    page = page_of(Report(make_result(), Gallery([picture("a")], [], closest=closest)), tmp_path)
    alts = [attrs["alt"] for attrs in page.all("img")][1:]
    assert alts == ["sample f1", "nearest reference image r1", "sample f2", "nearest reference image r2"]
    assert "distance 5.500 , ratio 0.250 f1 r1" in page.text
    assert "not at hand here: their positions" not in page.text
    assert "drawn at random" not in page.text


def test_html_names_positions_of_reals_that_are_not_at_hand(make_result, tmp_path):
    closest = [Pair(picture("f1"), 40123, 5.0, 0.25)]
    page = page_of(Report(make_result(), Gallery([picture("a")], [], [], closest)), tmp_path)
    assert [attrs["alt"] for attrs in page.all("img")] == ["sample a", "sample f1"]
    assert "not at hand here: their positions in it stand in their place" in page.text
    assert "f1 position 40123" in page.text


def test_html_of_a_reference_of_unknown_size(make_result, tmp_path):
    reference = replace(make_result().reference, n=None, split=None)
    report = Report(make_result(reference=reference))
    assert "unknown number of images" in page_of(report, tmp_path).text
    assert "cifar10, unknown number of images" in str(report)


def test_a_notebook_gets_a_fragment(make_result):
    fragment = Report(make_result())._repr_html_()
    Page(fragment)
    assert fragment.lstrip().startswith('<div class="ganbench-report">')
    assert "<style" not in fragment


@pytest.mark.parametrize(("height", "width", "size"), [(5, 9, (9, 5)), (300, 600, (128, 64))])
def test_pictures_are_png_no_larger_than_needed(height, width, size):
    pixels = np.random.default_rng(0).integers(0, 256, (3, height, width), dtype=np.uint8)
    uri = png_data_uri(Picture("a", pixels))
    kind, _, data = uri.partition(",")
    assert kind == "data:image/png;base64"
    image = Image.open(io.BytesIO(base64.b64decode(data)))
    assert image.size == size
    if height == 5:
        assert np.array_equal(np.asarray(image).transpose(2, 0, 1), pixels)


def test_a_reading_stands_beside_the_table(make_result):
    result = make_result()
    odd = replace(result.metrics["precision"], ideal=0.0, reading="0 is ideal: fresh draws score 0 ± 0.61.")
    told = str(Report(replace(result, metrics=result.metrics | {"precision": odd})))
    assert "Precision: 0 is ideal: fresh draws score 0 ± 0.61." in told
    row = next(line for line in told.splitlines() if line.startswith("Precision "))
    assert "→ 0" in row


@pytest.mark.parametrize(
    ("value", "wanted"), [(184828489003643.0, "1.848e+14"), (123456789.0, "123456789"), (-2e9, "-2.000e+09")]
)
def test_large_numbers_have_an_exponent(value, wanted):
    assert fmt.number(value) == wanted


def test_a_reading_stands_below_the_table_of_a_page(make_result, tmp_path):
    result = make_result()
    odd = replace(result.metrics["precision"], ideal=0.0, reading="0 is <ideal>.")
    Report(replace(result, metrics=result.metrics | {"precision": odd})).to_html(tmp_path / "odd.html")
    page = (tmp_path / "odd.html").read_text(encoding="utf-8")
    assert "<p><strong>Precision.</strong> 0 is &lt;ideal&gt;.</p>" in page
    assert "the nearer the better" in page
    Report(result).to_html(tmp_path / "plain.html")
    assert "the nearer the better" not in (tmp_path / "plain.html").read_text(encoding="utf-8")
