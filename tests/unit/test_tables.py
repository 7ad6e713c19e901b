"""What the terminal shows: tables, warnings, and never what a file name would make of them."""

import io
import json
import sys
from types import ModuleType

import pytest
from rich.console import Console

from ganbench.cli.main import main
from ganbench.cli.tables import print_comparison, print_paragraph, print_report
from ganbench.comparison import compare
from ganbench.gallery import Gallery, Picture
from ganbench.report import Report
from ganbench.results import SampleInfo


def terminal(width=110):
    return Console(file=io.StringIO(), force_terminal=True, color_system="standard", width=width, highlight=False)


def pipe():
    return Console(file=io.StringIO(), force_terminal=False)


def shown(console):
    return console.file.getvalue()


def test_a_terminal_gets_a_table_and_yellow_warnings(make_result):
    console = terminal()
    print_report(Report(make_result()), console)
    text = shown(console)
    assert "─────" in text
    assert "21.1 to 23.7" in text
    assert "Not computed:\n  Coverage: the reference has moments only\n" in text
    assert "\x1b[33mWarning: many are duplicates\x1b[0m" in text


def test_anything_else_gets_plain_text(make_result):
    console, report = pipe(), Report(make_result())
    print_report(report, console)
    assert shown(console) == f"{report}\n"


def test_names_are_neither_markup_nor_escapes(make_result):
    source = "[bold]x[/] \x1b[2J"
    console = terminal()
    print_report(Report(make_result(source=source, warnings=[source])), console)
    assert shown(console).count("[bold]x[/] \ufffd[2J") == 3  # title, facts, warning
    assert "\x1b[2J" not in shown(console)


def test_an_encoding_without_arrows_gets_letters(make_result):
    raw = io.BytesIO()
    console = Console(file=io.TextIOWrapper(raw, encoding="ascii"), force_terminal=False)
    print_report(Report(make_result(source="日本")), console)
    console.file.flush()
    text = raw.getvalue().decode("ascii")
    assert text.startswith("?? against cifar10:train")
    assert "v lower" in text
    assert "^ higher" in text


def test_a_comparison_is_drawn_or_plain(make_result):
    compared = compare([("a", make_result()), ("b[red]", make_result())])
    drawn, plain = terminal(), pipe()
    print_comparison(compared, drawn)
    print_comparison(compared, plain)
    assert "b[red]" in shown(drawn)
    assert "22.4 *" in shown(drawn)
    assert shown(plain) == f"{compared}\n"


def test_paragraphs_are_wrapped_but_paths_are_not():
    console = pipe()
    print_paragraph("word " * 30 + "/a-path/" * 20, console)
    lines = shown(console).splitlines()
    assert lines[0] == ""
    assert max(len(line) for line in lines[:2]) <= 100
    assert "/a-path/" * 20 in lines


@pytest.fixture
def quick(monkeypatch, make_result):
    """The calls of `evaluate` by quickstart, which here scores nothing and returns a ready result."""
    calls = []

    def evaluate(*, fake, real, protocol, offline, progress):
        images = list(fake.images())
        calls.append((fake.name, real, protocol, offline, images))
        progress("samples", len(images), len(images))
        samples = SampleInfo(source=fake.name, fingerprint=fake.fingerprint, n=len(images))
        pictures = Gallery(fake=[Picture(image.name, image.pixels) for image in images[:3]])
        return Report(make_result(protocol="embedded", samples=samples), pictures)

    # The real engine is tried end to end; here it would only cost time.
    api = ModuleType("ganbench.api")
    api.evaluate = evaluate
    monkeypatch.setitem(sys.modules, "ganbench.api", api)
    return calls


BRIEF = ("--budget", "1e10flop")  # of the GAN: a step or two


def test_quickstart_scores_five_versions_of_equally_many_images(quick, tmp_path, capsys):
    assert main(["quickstart", "--out", str(tmp_path / "q"), "--num", "20", *BRIEF]) == 0
    names = [
        "digits:test",
        "digits:test, blurred",
        "digits:test, noisy",
        "digits:test, two classes",
        "a GAN of half a minute",
    ]
    assert [call[0] for call in quick] == names
    assert {call[1:4] for call in quick} == {("digits", "embedded", True)}
    assert [len(call[4]) for call in quick] == [20, 20, 20, 20, 20]
    assert len({image.digest for call in quick for image in call[4]}) >= 60
    out = capsys.readouterr().out
    assert ["metric", "better", "real", "blurred", "noisy", "two", "classes"] in [
        line.split() for line in out.splitlines()
    ]
    assert f"Report with pictures: {tmp_path / 'q' / 'index.html'}" in out


def test_quickstart_keeps_two_classes_and_degrades_the_same_images(quick, tmp_path, capsys):
    from ganbench.images.datasets._base import open_dataset

    assert main(["quickstart", "--out", str(tmp_path), "--quiet", *BRIEF]) == 0
    real, blurred, noisy, two, _ = (call[4] for call in quick)
    held_out = open_dataset("digits", "test")
    label_of = {image.digest: held_out.labels[image.index] for image in held_out.images()}
    assert {int(label_of[image.digest]) for image in two} == {0, 1}
    assert {int(label_of[image.digest]) for image in real} == set(range(10))
    assert len({image.digest for image in two}) == len(two) == 177
    assert [image.name for image in blurred] == [image.name for image in real] == [image.name for image in noisy]


def test_quickstart_writes_pages_that_link_to_one_another(quick, tmp_path, capsys):
    assert main(["quickstart", "--out", str(tmp_path), "--num", "20", "--json", "-", "--quiet", *BRIEF]) == 0
    data = json.loads(capsys.readouterr().out)
    assert [version["name"] for version in data["versions"]] == [
        "real",
        "blurred",
        "noisy",
        "two-classes",
        "gan-samples",
    ]
    index = (tmp_path / "index.html").read_text(encoding="utf-8")
    for version in data["versions"]:
        stem = version["name"]
        assert f'href="{stem}.html"' in index
        assert (tmp_path / f"{stem}.html").is_file()
        assert (
            Report.from_json(tmp_path / f"{stem}.json").result.to_json()
            == json.dumps(version["result"], indent=1, ensure_ascii=False) + "\n"
        )
    assert "http" not in index
    assert index.count("<img ") == 15
    assert main(["compare", *(str(tmp_path / f"{v['name']}.json") for v in data["versions"])]) == 0


def test_quickstart_refuses_more_images_than_two_classes_have(quick, tmp_path, capsys):
    assert main(["quickstart", "--out", str(tmp_path), "--num", "500"]) == 2
    assert "--num is 500, but the classes 0 and 1 have 177 held-out images" in capsys.readouterr().err
    assert quick == []
