"""The answers of a study as CSV: one line each, with all that is known of it; raters are numbers."""

import csv
import io
from dataclasses import fields
from pathlib import Path

from ganbench.human.score import Judgement, collect, score_of


def sheet(folder: Path) -> str:
    """The text of the file. `counted` says whether the rater is in the score; an empty field is no number."""
    found = collect(folder)
    counted = {each.rater for each in score_of(found).by_rater if each.counted}
    names = [each.name for each in fields(Judgement)]
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([*names, "counted"])
    for each in found.judgements:
        writer.writerow([*(_cell(getattr(each, name)) for name in names), _cell(each.rater in counted)])
    return out.getvalue()


def _cell(value: object) -> object:
    return int(value) if isinstance(value, bool) else "" if value is None else value
