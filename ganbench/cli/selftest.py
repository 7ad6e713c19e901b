"""`ganbench selftest`: whether this machine computes right."""

from typing import TYPE_CHECKING

import click

from ganbench.cli.console import emit_json, progress_bar

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ganbench.selftest import Check, Outcome

_GROUPS = ("checks", "passed", "of what")
_ABOUT = {
    "arithmetic": "metrics on numbers whose answers are known",
    "network": "features of pictures, by every back-end",
    "images": "real digits, and uniform noise",
}
_CHECKS = ("", "check", "found", "wanted", "within")
_FLOORS = ("metric", "better", "real digits (floor)", "noise (ceiling)")


@click.command("selftest")
@click.option("--device", default="auto", show_default=True, metavar="auto|cpu|cuda|cuda:N|mps")
@click.option("--all-backends", is_flag=True, help="Also those that take a minute to start: torch.compile.")
@click.option("--json", "json_file", metavar="FILE", help="Write all findings as JSON; - is stdout.")
@click.option("--verbose", is_flag=True, help="Show every check, not only those that failed.")
@click.option("--quiet", is_flag=True, help="No progress.")
def selftest(device: str, all_backends: bool, json_file: str | None, verbose: bool, quiet: bool) -> int:
    """Check that this machine computes right: known answers, the network, real images against noise.

    Needs no network and takes about a minute. The exit status is 1 where a check failed.
    """
    from ganbench.selftest import selftest as run

    with progress_bar(quiet=quiet) as progress:
        outcome = run(device=device, all_backends=all_backends, progress=progress)
    if json_file:
        emit_json(_as_json(outcome), json_file)
    if json_file != "-":
        _show(outcome, verbose=verbose)
    return 0 if outcome.passed else 1


def _as_json(outcome: "Outcome") -> str:
    from ganbench.serialize import plain, to_json

    checks = [{**plain(check), "passed": check.passed} for check in outcome.checks]
    return to_json(
        {
            "schema": "ganbench.selftest-result/1",
            "passed": outcome.passed,
            "checks": checks,
            "floors": plain(outcome.floors),
            "environment": plain(outcome.environment),
        }
    )


def _show(outcome: "Outcome", *, verbose: bool) -> None:
    from ganbench.cli.tables import print_paragraph
    from ganbench.selftest.floors import N

    failed = [check for check in outcome.checks if not check.passed]
    _table(_GROUPS, _group_rows(outcome), align="lrl")
    if shown := outcome.checks if verbose else failed:
        _table(_CHECKS, [_row(check) for check in shown], align="llrrr")
    # The first check that failed is nearest to the root of the trouble.
    for cure in dict.fromkeys(check.cure for check in failed):
        errors = dict.fromkeys(check.error for check in failed if check.cure == cure and check.error)
        print_paragraph(" ".join([cure, *(f"What was raised: {error}." for error in errors)]))
    if outcome.floors:
        print_paragraph(f"What {N} real digits and {N} images of noise score: a model of digits lies between.")
        _table(_FLOORS, _floor_rows(outcome), align="llrr")
        if blind := _blind(outcome):
            print_paragraph(blind)
    print_paragraph(_verdict(outcome, len(failed)))


def _table(headings: "Sequence[str]", rows: "Sequence[Sequence[str]]", *, align: str) -> None:
    from ganbench import formatting as fmt
    from ganbench.cli import console
    from ganbench.cli.tables import draw, print_plain

    if console.out.is_terminal:
        draw(headings, rows, align=align, console=console.out)
    else:
        print_plain("\n" + fmt.aligned([headings, *rows], align), console.out)


def _verdict(outcome: "Outcome", failed: int) -> str:
    n, where = len(outcome.checks), outcome.environment.get("device", "?")
    if not failed:
        return f"All {n} checks passed on {where}: numbers from this machine can be compared with those of others."
    return f"{failed} of {n} checks FAILED on {where}: do not publish numbers from this machine before they pass."


def _group_rows(outcome: "Outcome") -> list[list[str]]:
    rows = []
    for group, about in _ABOUT.items():
        checks = [check for check in outcome.checks if check.group == group]
        rows.append([group, f"{sum(check.passed for check in checks)} of {len(checks)}", about])
    return rows


def _row(check: "Check") -> list[str]:
    found = "-" if check.found is None else _figure(check.found)
    return ["ok" if check.passed else "FAILED", check.name, found, _figure(check.wanted), _figure(check.tolerance)]


def _figure(value: float) -> str:
    return f"{value:.5g}"


def _floor_rows(outcome: "Outcome") -> list[list[str]]:
    from ganbench import formatting as fmt

    return [
        [floor.label, f"{fmt.ARROWS[floor.direction]} {floor.direction}",
         *(fmt.figure(value, None, floor.direction) for value in (floor.real, floor.noise))]
        for floor in outcome.floors
    ]  # fmt: skip


def _blind(outcome: "Outcome") -> str:
    """Which scores do not tell noise from images, in one sentence; "" where all do."""
    names = [floor.label for floor in outcome.floors if not floor.noise_is_worse]
    if not names:
        return ""
    return (
        f"Noise does not read worse by: {', '.join(names)}. These look for copies or for variety and say nothing "
        "about how images look: read them beside a distance."
    )
