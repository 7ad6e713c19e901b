"""The figures of a board as people read them: the same on the terminal, in Markdown and in HTML."""

from fractions import Fraction

from ganbench import formatting as fmt
from ganbench.leaderboard.board import Board, Column, EyesCell, Row, Spread

FAILED = "failed"
NONE = "–"


def figure(value: float | None, column: Column) -> str:
    """A score; `failed` where there is none, which counts as infinitely bad."""
    if value is None:
        return FAILED
    return f"{value:g}" if column.counts else fmt.figure(value, None, column.direction or "higher")


def middle(spread: Spread, column: Column) -> str:
    """The median; a dash where there is no such score by nature."""
    return NONE if spread.untold else figure(spread.median, column)


def reach(spread: Spread, column: Column) -> str:
    """The smallest and the largest score, "7 to 8"; "" where they are one."""
    if spread.untold:
        return ""
    low, high = figure(spread.low, column), figure(spread.high, column)
    return "" if low == high else f"{low} to {high}"


def interval(spread: Spread, column: Column) -> str:
    """The interval of the median, "[7, 8]"; "" where there is none, or no run has a score."""
    if spread.ci95 is None or spread.low is None:
        return ""
    low, high = (figure(end, column) for end in spread.ci95)
    return f"[{low}, {high}]"


def eyes(cell: EyesCell | None) -> str:
    """What people said: "27.6 %", "363 ms"; "" where there is no study."""
    if cell is None:
        return ""
    if cell.value is None:
        return "–"
    return f"{100 * cell.value:.1f} %" if cell.unit == "share" else f"{cell.value:.0f} ms"


def eyes_below(cell: EyesCell) -> str:
    """Its interval, and of how many raters it is: "[24.1, 31.0], 30 raters"."""
    scale = 100 if cell.unit == "share" else 1
    ends = ", ".join(f"{scale * end:.{1 if cell.unit == 'share' else 0}f}" for end in cell.ci95 or ())
    return ", ".join([*([f"[{ends}]"] if ends else []), f"{cell.raters} raters"])


def heading(column: Column) -> str:
    """The label with an arrow towards the better."""
    return fmt.printable(column.label) + (f" {fmt.ARROWS[column.direction]}" if column.direction else "")


def rank(row: Row) -> str:
    """The rank with its interval: "2 [1, 3]"; a dash where there is none."""
    if row.rank is None or row.rank_interval is None:
        return NONE
    low, high = row.rank_interval
    return f"{row.rank}" if low == high else f"{row.rank} [{low}, {high}]"


def failures(row: Row) -> str:
    """How many runs diverged or failed: "1 of 5"."""
    failed = sum(status in ("diverged", "failed") for status in row.statuses)
    return f"{failed} of {len(row.statuses)}"


def flops(value: float) -> str:
    """5e+12 as "5.0e12"."""
    mantissa, _, exponent = f"{value:.1e}".partition("e")
    return f"{mantissa}e{int(exponent)}"


def duration(seconds: float) -> str:
    """Seconds as people say them."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def share(value: float) -> str:
    """1/8 for 0.125."""
    found = Fraction(value).limit_denominator(64)
    return str(found) if float(found) == value else f"{value:g}"


def win(value: float | None) -> str:
    """A probability with two decimals; "" on the diagonal."""
    return "" if value is None else f"{value:.2f}"


def first_words(board: Board) -> str:
    """What there is: how many runs, or how to make them."""
    runs = sum(len(row.seeds) for row in board.rows)
    if not runs:
        return "No record exists yet."
    still = f" {board.missing} of the track's runs have no record yet." if board.missing else ""
    return f"{runs} runs of {len(board.rows)} variants.{still}"


def commands(board: Board) -> tuple[str, str]:
    """What makes the records and the board."""
    return f"ganbench bench run {board.track}", f"ganbench board build {board.track}"


READING = (
    "Score: the last checkpoint, averaged weights, after a budget that is the same for all. A figure is the median "
    "over seeds; below it stand the smallest and the largest score, and in brackets the 95 % bootstrap interval of the "
    "median over seeds, which for five runs or fewer is their whole range. A run that diverged or failed is infinitely "
    "bad, and so is a score that could not be computed; none is left out of a median or an interval, and one that "
    'comes out so reads "failed". Rank: by the median of the first ranking key, ties by the next; in brackets its 95 % '
    "bootstrap interval over seeds. Rows with fewer than 3 runs, or with a run that a clock cut off, have no rank."
)
EYES = (
    "HYPE: what people said of one run's samples, in brackets the 95 % bootstrap interval over raters; 50 % is as real "
    "as the real ones. It is not ranked."
)
WINNING = (
    "The probability that a run of the row is better than a run of the column, over all pairs of their seeds: by the "
    "first ranking key, where that is equal by the next; ties count half."
)
_BESIDE = (
    "Medians over seeds. Raw: the plain weights at the end. Best: of the points of the budget the one whose first "
    "ranking key is best on the validation reference (of points in space, which have none, on its own samples), the "
    "earliest of equals, scored with fresh samples; so it may be worse than the last. Neither is ranked."
)
PUBLISHED = (
    "Numbers of the literature, as printed. They are not ranked with the rows of this board: each says what its "
    "protocol does otherwise."
)
EXTRAS = "Runs at another length. They are not ranked, and not compared with the rows above at equal budget."
CURVES = "Median and range over seeds at shares of the budget; grey: the other variants."
SAMPLES = "The first seed of each variant, as it came out."


def reading(board: Board) -> str:
    """How to read the table."""
    return f"{READING} {EYES}" if board.eyes else READING


def kinds_beside(board: Board) -> list[str]:
    """Which scores stand beside the ranked ones: `raw`, `best`, both or none."""
    return [kind for kind in ("raw", "best") if any(getattr(row, kind) for row in board.rows)]


def beside(board: Board) -> str:
    """What the scores beside the ranked ones are."""
    told = {"raw": [row.raw_n for row in board.rows], "best": [row.best_n for row in board.rows]}
    counts = {kind: {n for n in found if n} for kind, found in told.items()}
    sizes = [
        f"{kind} is scored on {fmt.count(found.pop())} samples" for kind, found in counts.items() if len(found) == 1
    ]
    return f"{_BESIDE} Here {' and '.join(sizes)}." if sizes else _BESIDE
