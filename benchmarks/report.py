"""RESULTS.md and results.json."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.measure import Line, Run

FOLDER = Path(__file__).resolve().parent
Measured = tuple[Line, list[dict[str, Run]]]


def ratio(line: Line, runs: Mapping[str, Run]) -> float:
    """The best of the others by ours, or with `most` ours by theirs; of times, or of peaks."""

    def cost(run: Run) -> float:
        return run.peak if line.memory else run.seconds

    names = [contender.name for contender in line.contenders]
    ours, best = cost(runs[names[0]]), min(cost(runs[name]) for name in names[1:])
    return ours / best if line.most else best / ours


def write(
    found: Sequence[tuple[Line, list[dict[str, Run]]]], machine: Mapping[str, Any], *, folder: Path = FOLDER
) -> None:
    """Both files."""
    told = [
        {
            "title": line.title,
            "wanted": line.wanted,
            "rounds": [{name: asdict(run) for name, run in runs.items()} for runs in rounds],
            "ratios": [ratio(line, runs) for runs in rounds],
        }
        for line, rounds in found
    ]
    (folder / "results.json").write_text(json.dumps({"machine": machine, "lines": told}, indent=1) + "\n")
    (folder / "RESULTS.md").write_text(_page(found, machine))


def _page(found: Sequence[Measured], machine: Mapping[str, Any]) -> str:
    about = ", ".join(f"{key} {value}" for key, value in machine.items())
    head = (
        "# How fast it is\n\n`python -m benchmarks` made this page: every contender in a process of its own, by turns, "
        f"on the same inputs. Each line was measured in {len(found[0][1])} rounds, and all of them stand here. Read "
        f"ratios: times are this machine's.\n\nMachine: {about}."
    )
    return "\n\n".join([head, *(_section(line, rounds) for line, rounds in found)]) + "\n"


def _section(line: Line, rounds: Sequence[Mapping[str, Run]]) -> str:
    heads = [f"round {i + 1}" for i in range(len(rounds))]
    rows = [f"| | {' | '.join(heads)} |", f"| --- |{' ---: |' * len(heads)}"]
    for contender in line.contenders:
        cells = [_cell(line, runs[contender.name]) for runs in rounds]
        rows.append(f"| {contender.name} | {' | '.join(cells)} |")
    if line.wanted is not None or line.memory:
        cells = [f"**{ratio(line, runs):.2f}**" for runs in rounds]
        aim = "" if line.wanted is None else f", aimed at: {'at most' if line.most else 'at least'} {line.wanted:g}"
        what = "ours over theirs" if line.most else "the best of the others over ours"
        rows.append(f"| **ratio** ({what}{aim}) | {' | '.join(cells)} |")
    return "\n\n".join([f"## {line.title}", "\n".join(rows), *([line.notes] if line.notes else [])])


def _cell(line: Line, run: Run) -> str:
    if line.memory:
        return f"{run.peak / 1e6:,.0f} MB"
    return f"{run.seconds:.3g} s" if run.seconds < 100 else f"{run.seconds:.0f} s"
