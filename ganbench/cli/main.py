"""`ganbench`: the commands, each imported only when it is called."""

import errno
import sys
import traceback
from importlib import import_module

import click

from ganbench import __version__
from ganbench.errors import GanbenchError

# command -> (module, one line for --help); the line stands here so that help imports no command.
_COMMANDS = {
    "eval": ("ganbench.cli.eval", "Score samples against a reference, in one network pass."),
    "compare": ("ganbench.cli.compare", "Set results side by side, if they can be compared."),
    "ref": ("ganbench.cli.ref", "Reference statistics: list, show, make, verify, import, export."),
    "weights": ("ganbench.cli.weights", "Network weights: list, add, verify."),
    "data": ("ganbench.cli.data", "Datasets: list, get, export."),
    "train": ("ganbench.cli.train", "Train a variant under a budget, exactly resumable."),
    "sample": ("ganbench.cli.sample", "Samples of a trained run."),
    "explore": ("ganbench.cli.explore", "What a trained run has learnt: walks, sweeps, classes, as pictures."),
    "bench": ("ganbench.cli.bench", "The runs of a track: run, status, reproduce."),
    "list": ("ganbench.cli.list", "What there is: metrics, protocols, extractors, datasets."),
    "board": ("ganbench.cli.board", "Leaderboards out of records: build, check, show."),
    "human": ("ganbench.cli.human", "Human eyes: HYPE as a page that anyone can serve: new, serve, score."),
    "doctor": ("ganbench.cli.doctor", "What this machine can do."),
    "selftest": ("ganbench.cli.selftest", "Whether this machine computes right."),
    "quickstart": ("ganbench.cli.quickstart", "The main job, offline, on embedded data, in about a minute."),
}


class _Commands(click.Group):
    """A group whose members are imported when called, and which turns our errors into one message."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        name = f"{cmd_name}_" if cmd_name in ("eval", "list") else cmd_name  # do not shadow Python's own
        command = getattr(import_module(_COMMANDS[cmd_name][0]), name)
        assert isinstance(command, click.Command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in _COMMANDS and not args[0].startswith("-"):
            from ganbench.registry import unknown

            raise click.UsageError(str(unknown("command", args[0], list(_COMMANDS))), ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, summary) in _COMMANDS.items()])


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="ganbench")
def cli() -> None:
    """How good is this generative model, and can I trust the number?

    Try `ganbench quickstart`, then `ganbench eval samples/ --ref cifar10`. Results go to stdout, talk to stderr.
    Every command takes --debug, which shows the traceback behind an error.
    """


def main(arguments: list[str] | None = None) -> int:
    """Runs one command and returns its exit status: 0 done, 1 failed from outside, 2 wrong usage or input.

    Called by the console script, which exits with what this returns.
    """
    given = sys.argv[1:] if arguments is None else arguments
    try:
        # A traceback is for us, not for users: --debug anywhere on the line asks for one.
        code = cli.main([a for a in given if a != "--debug"], prog_name="ganbench", standalone_mode=False)
        return code if isinstance(code, int) else 0
    except Exception as error:
        if "--debug" in given:
            traceback.print_exc()
        return _told(error)


def _told(error: Exception) -> int:
    """Says what went wrong in one message, and returns the exit status that belongs to it."""
    match error:
        case click.exceptions.Exit():
            return error.exit_code
        case click.Abort():
            click.echo("Stopped.", err=True)
            return 130
        case click.ClickException():
            error.show()
            return error.exit_code
        case GanbenchError():
            _say(str(error))
            return error.exit_code
        case OSError() if error.errno == errno.ENOSPC:
            _say(f"The disk is full: {error}. Free some space and run the same command again.")
            return 1
        case MemoryError():
            _say("The memory is not enough. Use a smaller --batch-size, or fewer images with --num.")
            return 1
        case _:
            _say(f"An error that ganbench did not foresee: {type(error).__name__}: {error}. --debug shows where.")
            return 1


def _say(message: str) -> None:
    click.echo(f"{click.style('Error:', fg='red', bold=True)} {message}", err=True)
