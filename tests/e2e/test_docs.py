"""The documents: their commands run, their outputs are real, their links lead somewhere."""

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from ganbench.cli.main import cli

REPOSITORY = Path(__file__).parents[2]
DOCUMENTS = [REPOSITORY / "README.md", REPOSITORY / "CHANGELOG.md", *sorted((REPOSITORY / "docs").glob("*.md"))]
SCRIPT = REPOSITORY / "scripts" / "make_docs.py"

FENCE = re.compile(r"^```(?P<language>\w*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[[^\]]*\]\((?P<target>[^)\s]+)\)")
INLINE = re.compile(r"`(ganbench [^`\n]+)`")
SHELL = ("", "sh", "console", "bash")

named = pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)


def make_docs(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, SCRIPT, *arguments], capture_output=True, text=True, check=False)


@named
def test_what_is_generated_is_up_to_date(document: Path) -> None:
    # The self-test takes half a minute; the test of it compares what it prints with the document.
    done = make_docs("--check", "--without", "ganbench selftest", str(document))
    assert done.returncode == 0, f"Run: python scripts/make_docs.py\n{done.stdout}{done.stderr}"


def slug(heading: str) -> str:
    """The anchor that GitHub gives to a heading."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


def anchors(document: Path) -> set[str]:
    text = FENCE.sub("", document.read_text(encoding="utf-8"))
    return {slug(heading) for heading in re.findall(r"^#+ (.+)$", text, re.MULTILINE)}


@named
def test_links_inside_the_repository_lead_somewhere(document: Path) -> None:
    text = FENCE.sub("", document.read_text(encoding="utf-8"))
    for target in LINK.findall(text):
        if target.startswith(("https://", "http://")):
            continue
        path, _, anchor = target.partition("#")
        place = (document.parent / path).resolve() if path else document
        assert place.exists(), f"{document.name} links to {target}, and there is no {place}"
        assert not anchor or anchor in anchors(place), f"{document.name} links to {target}: no such heading"


def commands(text: str) -> Iterator[str]:
    """The ganbench commands of a document: in blocks of shell, and in code inside sentences."""
    for block in FENCE.finditer(text):
        if block["language"] in SHELL:
            lines = block["text"].splitlines()
            wanted = [line for line in lines if line.startswith("$ ")] or lines
            yield from (part for line in wanted if (part := line.removeprefix("$ ")).startswith("ganbench "))
    yield from INLINE.findall(FENCE.sub("", text))


def check_parses(command: str) -> None:
    """Raises click's UsageError where a command has no such subcommand, argument or option."""
    words = [word for word in shlex.split(command, comments=True)[1:] if word not in ("--debug", "...")]
    found: click.Command = cli
    context = click.Context(cli, info_name="ganbench")
    while isinstance(found, click.Group):
        name, *words = words
        child = found.get_command(context, name)
        if child is None:
            raise click.UsageError(f"there is no command {name!r}")
        found, context = child, click.Context(child, parent=context, info_name=name)
        if not words and isinstance(found, click.Group):
            return  # `ganbench ref` names the group itself
    found.make_parser(context).parse_args(list(words))


@named
def test_commands_have_the_options_that_are_written(document: Path) -> None:
    for command in commands(document.read_text(encoding="utf-8")):
        try:
            check_parses(command)
        except (click.UsageError, ValueError) as error:
            pytest.fail(f"{document.name}: `{command}`: {error}")


def test_commands_that_do_not_parse_are_noticed() -> None:
    check_parses("ganbench eval samples --ref digits --num 200")
    with pytest.raises(click.UsageError, match="--reference"):
        check_parses("ganbench eval samples --reference digits")
    with pytest.raises(click.UsageError, match="no command 'mend'"):
        check_parses("ganbench ref mend x")


@pytest.mark.parametrize(
    ("old", "new", "same"),
    [
        ("FD  5.87  5.06 to 6.69", "FD 5.88 5.05 to 6.70", True),
        ("FD 5.87", "FD 5.77", True),
        ("FD 5.87", "FD 5.76", False),
        ("5.9", "5.87", True),
        ("1.23e-5", "1.31e-5", True),
        ("1.23e-5", "1.23e-4", False),
        ("898 images", "899 images", False),
        ("recall 0.79", "Recall 0.79", False),
        ("torch 2.14.1", "torch 2.14.2", False),
        ("99ae303915a0", "99ae303915a1", False),
        ("one\n\ntwo", "one\ntwo", False),
    ],
)
def test_only_last_digits_may_differ(old: str, new: str, same: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(SCRIPT.parent))
    from make_docs import alike

    assert alike(old, new) is same


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("<!-- run: echo other -->\n```console\n$ echo other\nold\n```\n<!-- /run -->\n", "+other"),
        ("<!-- run: false -->\n<!-- /run -->\n", "`false` gave status 1, wanted 0"),
        ("<!-- run exit=2: true -->\n<!-- /run -->\n", "`true` gave status 0, wanted 2"),
        ("<!-- run: true -->\nno end\n", "1 marks, and 0 of them are well-formed"),
        ("<!-- run: pwd -->\n<!-- /run -->\n", "prints a folder of this machine"),
        ("<!-- python -->\n```python\n1 / 0\n```\n", "ZeroDivisionError"),
        ('<!-- python -->\n```python\nprint("new")\n```\n\n```text\nold\n```\n', "+new"),
    ],
)
def test_a_document_that_is_not_right_is_noticed(text: str, message: str, tmp_path: Path) -> None:
    document = tmp_path / "page.md"
    document.write_text(text)
    done = make_docs("--check", str(document))
    assert done.returncode == 1
    assert message in done.stdout + done.stderr
    assert document.read_text() == text


def test_one_command_can_be_left_out(tmp_path: Path) -> None:
    document = tmp_path / "page.md"
    left, ran = (
        f"<!-- run: echo {word} -->\n```console\n$ echo {word}\n{said}\n```\n<!-- /run -->\n"
        for word, said in (("left", "old"), ("ran", "ran"))
    )
    document.write_text(left + ran)
    assert make_docs("--check", "--without", "echo left", str(document)).returncode == 0
    assert make_docs("--check", "--without", "echo ran", str(document)).returncode == 1


def test_a_document_is_written_and_then_right(tmp_path: Path) -> None:
    document = tmp_path / "page.md"
    document.write_text(
        "<!-- file: a/b.txt -->\n```\nfirst\nsecond\n```\n\n<!-- run lines=1: cat a/b.txt -->\n<!-- /run -->\n\n"
        "<!-- python -->\n```python\nx = 2\nprint(x / 3)\n```\n\n<!-- python -->\n```python\nx += 1\nprint(x)\n```\n"
    )
    assert make_docs(str(document)).returncode == 0
    assert "```console\n$ cat a/b.txt\nfirst\n...\n```\n<!-- /run -->" in document.read_text()
    assert "print(x)\n```\n\n```text\n3\n```\n" in document.read_text()
    assert make_docs("--check", str(document)).returncode == 0
