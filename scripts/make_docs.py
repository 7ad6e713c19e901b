"""Generates the outputs and tables inside README.md and docs/*.md. With --check, says what would change.

    python scripts/make_docs.py [--check] [--without COMMAND] [FILE...]

Comments mark what is generated:

    <!-- run: COMMAND -->                      a shell command, and its stdout
    <!-- run exit=2: COMMAND -->               one that must fail with this status, and its stderr
    <!-- run lines=6: COMMAND -->              the first lines of the output only
    <!-- table: NAME -->                       a table made from the code (docs_tables.py)
    <!-- python --> and a block of Python      what it prints follows in a block of text
    <!-- file: PATH --> and a block            the block is written to PATH; nothing is generated

Runs and tables end with `<!-- /run -->` or `<!-- /table -->`. The commands, files and Python blocks of one document
are one session, in order, in one temporary folder, with an empty GANBENCH_HOME, no network and no colour. What
`pip install` installs in a session stays in it.

Outputs may differ in the last digits from one processor to another. Old and new text of a block are alike where all
words and whole numbers are equal, and numbers with decimals differ by ten units of the last printed place at most
(of the coarser of the two). A block that is alike is kept as it is.

`--without COMMAND` keeps the output of a command as it stands: for the test that has run it anyway, and compares.
"""

import argparse
import contextlib
import difflib
import io
import os
import re
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
COMMAND_LIMIT = 600  # seconds

_BLOCK = re.compile(
    r"(?P<run><!-- run(?P<options>(?: (?:exit|lines)=\d+)*): (?P<command>[^\n]+) -->\n)(?P<ran>.*?)<!-- /run -->"
    r"|(?P<table><!-- table: (?P<kind>[\w-]+) -->\n)(?P<rows>.*?)<!-- /table -->"
    r"|(?P<python><!-- python -->\n```python\n(?P<code>.*?)```\n)(?P<printed>\n```text\n.*?```\n)?"
    r"|(?P<file><!-- file: (?P<path>\S+) -->\n```\w*\n(?P<text>.*?)```\n)",
    re.DOTALL,
)
_MARK = re.compile(r"<!-- (?:run|table|python|file)\b")
_NUMBER = re.compile(r"(?<![\w.])-?\d+\.\d+(?:e[-+]\d+)?(?!\w|\.\d)")


class DocumentError(Exception):
    """A block cannot be generated: its command or code fails, or it is not well-formed."""


class Session:
    """The folder in which the blocks of one document run. Changes this process's folder and environment."""

    def __init__(self, folder: Path) -> None:
        self.work, self.home, self._site = folder / "work", folder / "home", folder / "site"
        for made in (self.work, self.home, self._site):
            made.mkdir()
        self._store = self.home / ".cache" / "ganbench"
        variables = self._environment()
        os.environ.clear()
        os.environ.update(variables)
        os.chdir(self.work)
        sys.path[:0] = [str(self.work), str(self._site)]
        self._names: dict[str, object] = {"__name__": "__main__"}

    def _environment(self) -> dict[str, str]:
        unwanted = ("GANBENCH_", "PIP_", "TORCH_HOME", "XDG_", "FORCE_COLOR", "COLORTERM", "PYTHONPATH", "LC_", "LANG")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(unwanted)}
        nowhere = "http://127.0.0.1:9"  # the discard port: whatever asks the network fails at once
        proxies = dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), nowhere)
        pip = {"PIP_TARGET": str(self._site), "PIP_NO_DEPS": "1", "PIP_NO_BUILD_ISOLATION": "0", "PIP_QUIET": "1",
               "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_INDEX": "1"}  # fmt: skip
        return kept | proxies | pip | {
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), kept.get("PATH", os.defpath)]),
            "HOME": str(self.home),
            "GANBENCH_HOME": str(self._store),
            "PYTHONPATH": str(self._site),
            "COLUMNS": "100",
            "NO_COLOR": "1",
            "TERM": "dumb",
            "LC_ALL": "C.UTF-8",
        }  # fmt: skip

    def run(self, command: str, status: int) -> str:
        """The stdout of a shell command; its stderr where it must fail. Raises DocumentError for another status."""
        done = subprocess.run(
            ["bash", "-o", "pipefail", "-c", command],
            capture_output=True,
            text=True,
            timeout=COMMAND_LIMIT,
            check=False,
        )
        if done.returncode != status:
            raise DocumentError(f"`{command}` gave status {done.returncode}, wanted {status}:\n{done.stderr}")
        return self._clean(done.stdout if status == 0 else done.stdout + done.stderr, command)

    def python(self, code: str) -> str:
        """What the code prints. Names live on from block to block. Raises DocumentError where it raises."""
        printed = io.StringIO()
        try:
            with contextlib.redirect_stdout(printed):
                exec(compile(code, "<document>", "exec"), self._names)
        except Exception as error:
            raise DocumentError(f"This code fails:\n{code}\n{traceback.format_exc()}") from error
        return self._clean(printed.getvalue(), code)

    def write(self, path: str, text: str) -> None:
        """Writes a file of the session."""
        target = self.work / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")

    def _clean(self, text: str, maker: str) -> str:
        """The text without the session's folders and trailing space. Raises DocumentError where a folder is left."""
        text = text.replace(str(self._store), "~/.cache/ganbench").replace(f"{self.work}/", "")
        for folder in (self.work.parent, REPOSITORY):
            if str(folder) in text:
                raise DocumentError(f"`{maker}` prints a folder of this machine, {folder}:\n{text}")
        return "".join(f"{line.rstrip()}\n" for line in text.rstrip().splitlines())


def remade(text: str, without: str = "") -> str:
    """The text of a document with its blocks made anew, but for that of one command. Raises DocumentError."""
    with tempfile.TemporaryDirectory(prefix="ganbench-docs-") as folder:
        session = Session(Path(folder).resolve())
        found = 0

        def replace(match: re.Match[str]) -> str:
            nonlocal found
            found += 1
            if without and match["command"] == without:
                return match[0]
            new = _block(match, session)
            return match[0] if alike(match[0], new) else new

        new = _BLOCK.sub(replace, text)
        os.chdir(REPOSITORY)
    marks = len(_MARK.findall(text))
    if marks != found:
        raise DocumentError(f"It has {marks} marks, and {found} of them are well-formed. Is an end or a block missing?")
    return new


def _block(match: re.Match[str], session: Session) -> str:
    if match["run"]:
        options = dict(option.split("=") for option in match["options"].split())
        output = _first(session.run(match["command"], int(options.get("exit", 0))), int(options.get("lines", 0)))
        return f"{match['run']}```console\n$ {match['command']}\n{output}```\n<!-- /run -->"
    if match["table"]:
        from docs_tables import TABLES

        return f"{match['table']}{TABLES[match['kind']]()}\n<!-- /table -->"
    if match["python"]:
        printed = session.python(match["code"])
        return match["python"] + (f"\n```text\n{printed}```\n" if printed else "")
    session.write(match["path"], match["text"])
    return match["file"]


def _first(text: str, lines: int) -> str:
    found = text.splitlines(keepends=True)
    return "".join([*found[:lines], "...\n"]) if 0 < lines < len(found) else text


def alike(old: str, new: str) -> bool:
    """Whether two texts are alike by the rule above. The number of spaces between words is not compared."""
    if _words(old) != _words(new):
        return False
    return all(_near(a, b) for a, b in zip(_NUMBER.findall(old), _NUMBER.findall(new), strict=True))


def _words(text: str) -> list[list[str]]:
    return [_NUMBER.sub("#", line).split() for line in text.splitlines()]


def _near(a: str, b: str) -> bool:
    return abs(float(a) - float(b)) <= 10.0001 * max(_unit(a), _unit(b))


def _unit(number: str) -> float:
    """One unit of the last printed place: 0.01 of "3.14", 1e-7 of "3.1e-6"."""
    mantissa, _, exponent = number.partition("e")
    return float(10.0 ** (int(exponent or 0) - len(mantissa.partition(".")[2])))


def documents() -> list[Path]:
    """README.md and the pages of docs/."""
    return [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").glob("*.md"))]


def shown(path: Path) -> str:
    """The path as people read it: inside the repository relative to it."""
    return str(path.relative_to(REPOSITORY) if path.is_relative_to(REPOSITORY) else path)


def changes(paths: Iterable[Path], without: str = "") -> list[tuple[Path, str, str]]:
    """For each document its path, its text and its text made anew. Two at a time, each in a process of its own."""
    paths = list(paths)
    texts = [path.read_text(encoding="utf-8") for path in paths]
    with ProcessPoolExecutor(2, mp_context=get_context("spawn"), max_tasks_per_child=1) as pool:
        made = [pool.submit(remade, text, without) for text in texts]
        found = []
        for path, text, future in zip(paths, texts, made, strict=True):
            try:
                found.append((path, text, future.result()))
            except DocumentError as error:
                raise DocumentError(f"{shown(path)}: {error}") from error
    return found


def main() -> int:
    """Writes the documents anew, or checks them: 1 where one would change or cannot be made."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="change nothing; exit 1 with a diff if something would")
    parser.add_argument("--without", default="", metavar="COMMAND", help="keep the output of this command as it stands")
    parser.add_argument("files", nargs="*", type=Path, help="documents; all of them by default")
    given = parser.parse_args()
    try:
        found = changes((path.resolve() for path in given.files or documents()), given.without)
    except DocumentError as error:
        print(error, file=sys.stderr)
        return 1
    changed = [(path, old, new) for path, old, new in found if old != new]
    for path, old, new in changed:
        name = shown(path)
        if given.check:
            lines = difflib.unified_diff(old.splitlines(), new.splitlines(), name, f"{name}, made anew", lineterm="")
            print("\n".join(lines))
        else:
            path.write_text(new, encoding="utf-8")
            print(f"{name} written")
    return 1 if given.check and changed else 0


if __name__ == "__main__":
    sys.exit(main())
