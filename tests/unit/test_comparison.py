"""Results stand side by side only where their numbers mean the same."""

import json
from dataclasses import replace

import pytest

from ganbench.cli.main import main
from ganbench.comparison import compare
from ganbench.errors import UsageError


def metric(result, key="frechet_distance", **changed):
    """The result with one metric changed."""
    return replace(result, metrics=result.metrics | {key: replace(result.metrics[key], **changed)})


def refusal(*results):
    with pytest.raises(UsageError) as caught:
        compare([(f"{name}.json", result) for name, result in zip("abc", results, strict=False)])
    return str(caught.value)


def test_the_best_of_each_row_is_marked_by_its_direction(make_result):
    a = make_result()
    b = metric(metric(a, value=30.0, ci95=(29.0, 31.0)), "precision", value=0.9)
    compared = compare([("a", a), ("b", b)])
    fid, kid, precision, coverage = compared.rows
    assert [cell.best for cell in fid.cells] == [True, False]
    assert [cell.best for cell in kid.cells] == [True, True]  # equal values are both best
    assert [cell.best for cell in precision.cells] == [False, True]
    assert [cell.best for cell in coverage.cells] == [False, False]
    assert coverage.cells[0].reason == "the reference has moments only"


@pytest.mark.parametrize(("ci95", "noise"), [((23.72, 25.0), True), ((23.73, 25.0), False), (None, False)])
def test_overlapping_intervals_are_within_the_noise(make_result, ci95, noise):
    a = make_result()
    row = compare([("a", a), ("b", metric(a, value=24.5, ci95=ci95))]).rows[0]
    assert [cell.within_noise for cell in row.cells] == [False, noise]


def test_a_metric_that_one_result_lacks_leaves_a_gap(make_result):
    a = make_result()
    b = replace(a, metrics={"precision": a.metrics["precision"]})
    compared = compare([("a", a), ("b", b)])
    assert compared.rows[0].cells[1] is None
    assert ["FID", "↓", "lower", "22.4", "*", "-"] in [line.split() for line in str(compared).splitlines()]


def test_text_names_what_is_shared_and_what_is_to_know(make_result):
    a = make_result()
    b = replace(a, samples=replace(a.samples, fingerprint="77" * 32), warnings=["blurry\x1b[2J"])
    text = str(compare([("a", a), ("b", b), ("c", b)]))
    assert text.startswith("1,000 samples each against cifar10:train (50,000 images, abababababab), protocol tf (")
    assert "Warning: a: many are duplicates" in text
    assert "Warning: b, c: blurry\ufffd[2J" in text
    assert "b and c are about the very same images." in text


def test_a_file_that_is_given_twice_is_said_to_be(make_result):
    text = str(compare([("a.json", make_result()), ("a.json", make_result())]))
    assert "a.json is given twice." in text


def test_protocols_that_differ_are_refused_with_both_and_their_fields(make_result):
    a, b = make_result(), make_result(protocol="clean")
    message = refusal(a, b)
    assert f"The protocol differs: tf ({a.protocol['fingerprint'][:12]}, resize tf1-bilinear" in message
    assert f"in a.json, clean ({b.protocol['fingerprint'][:12]}, resize bicubic-antialias" in message
    assert "in b.json." in message
    assert message.endswith("Evaluate again with the same --protocol, --ref, --num and metric parameters.")


def test_references_that_differ_are_refused(make_result):
    a = make_result()
    b = replace(a, reference=replace(a.reference, split="test", fingerprint="cd" * 32, n=10000))
    assert (
        "The reference differs: cifar10:train (abababababab, 50,000 images) in a.json, "
        "cifar10:test (cdcdcdcdcdcd, 10,000 images) in b.json." in refusal(a, b)
    )


def test_numbers_of_images_that_differ_are_refused(make_result):
    a = make_result()
    assert "The number of samples differs: 1000 in a.json, 500 in b.json." in refusal(a, make_result(n=500))
    assert "The n_fake of precision differs: 1000 in a.json, 9 in b.json." in refusal(
        a, metric(a, "precision", n_fake=9)
    )
    assert "The n_real of precision differs: 50000 in a.json, 9 in b.json." in refusal(
        a, metric(a, "precision", n_real=9)
    )


def test_parameters_that_differ_are_refused(make_result):
    a = make_result()
    assert "The k of precision differs: 3 in a.json, 5 in b.json." in refusal(
        a, metric(a, "precision", params={"k": 5})
    )
    assert "The k of precision differs: 3 in a.json, absent in b.json." in refusal(a, metric(a, "precision", params={}))


def test_the_file_that_differs_is_named(make_result):
    a = make_result()
    message = refusal(a, a, make_result(protocol="pytorch"))
    assert "in c.json" in message
    assert "in b.json" not in message


def test_many_differences_are_cut_short(make_result):
    a = make_result()
    b = metric(a, "precision", params={f"p{i}": i for i in range(20)})
    assert "(and 15 more)" in refusal(a, b)


def test_nothing_in_common_and_too_few_are_refused(make_result):
    a = make_result()
    only = [replace(a, metrics={key: a.metrics[key]}) for key in ("precision", "coverage")]
    assert "a.json and b.json have no metric in common" in refusal(*only)
    assert "1 result was given; a comparison needs at least 2" in refusal(a)


def test_the_command_prints_a_table_and_json(make_result, tmp_path, capsys):
    files = [str(tmp_path / name) for name in ("a.json", "b.json")]
    for file in files:
        (tmp_path / file).write_text(make_result().to_json())
    assert main(["compare", *files]) == 0
    heading = capsys.readouterr().out.splitlines()[2]
    assert heading.split() == ["metric", "better", "a", "b"]
    assert main(["compare", *files, "--json", "-"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert data["schema"] == "ganbench.comparison/1"
    assert data["rows"][0]["cells"][0] == {
        "value": 22.431789, "ci95": [21.1234, 23.7201], "reason": None, "best": True, "within_noise": False
    }  # fmt: skip


def test_the_command_takes_a_file_of_several_results(make_result, tmp_path, capsys):
    texts = [make_result(source=name).to_json() for name in ("first", "second")]
    (tmp_path / "both.json").write_text(f"[{texts[0]}, {texts[1]}]")
    assert main(["compare", str(tmp_path / "both.json")]) == 0
    assert capsys.readouterr().out.splitlines()[2].split() == ["metric", "better", "first", "second"]


def test_the_command_refuses_with_status_2(make_result, tmp_path, capsys):
    good, bad = tmp_path / "good.json", tmp_path / "bad.json"
    good.write_text(make_result().to_json())
    bad.write_text("{}")
    assert main(["compare", str(good), str(bad)]) == 2
    assert "bad.json is no result: its schema is None" in capsys.readouterr().err
    assert main(["compare", str(good)]) == 2
    assert "a comparison needs at least 2" in capsys.readouterr().err
    bad.write_text(make_result(protocol="clean").to_json())
    assert main(["compare", str(good), str(bad)]) == 2
    assert "These results cannot be compared. The protocol differs: tf" in capsys.readouterr().err


def test_a_value_is_ranked_by_its_distance_from_the_ideal(make_result):
    a = metric(make_result(), value=-3.0, ci95=None, ideal=0.0)
    b, c = metric(a, value=1.0), metric(a, value=14.0)
    row = compare([("a", a), ("b", b), ("c", c)]).rows[0]
    assert [cell.best for cell in row.cells] == [False, True, False]
    assert row.better == "→ 0"


def test_what_has_no_best_value_marks_none(make_result):
    a = metric(make_result(), unranked="copies score high")
    compared = compare([("a", a), ("b", metric(a, value=3.0))])
    assert [cell.best for cell in compared.rows[0].cells] == [False, False]
    assert compared.rows[0].better == "· no rank"
    assert "no rank" in str(compared)


def test_what_no_result_has_is_no_row(make_result):
    a = metric(make_result(), value=None, ci95=None, reason="why not")
    text = str(compare([("a", a), ("b", a)]))
    assert "In none of them: FID" in text
    assert not any(line.startswith("FID") for line in text.splitlines())


def test_a_difference_in_number_is_said_once(make_result):
    a = make_result()
    fewer = {key: replace(each, n_fake=7) for key, each in a.metrics.items()}
    b = replace(a, samples=replace(a.samples, n=7), metrics=fewer)
    message = refusal(a, b)
    assert "number of samples differs" in message
    assert "n_fake" not in message
