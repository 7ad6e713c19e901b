"""The errors that a user can meet. Each message says what was found, what was wanted and what to do."""


class GanbenchError(Exception):
    """Something outside the command line prevents the work: no network, a full disk, a file that is absent."""

    exit_code = 1


class UsageError(GanbenchError):
    """The command, an argument or an input cannot be used as it is."""

    exit_code = 2


class BadInput(UsageError):
    """A file or array that was given cannot be read as what it should be."""


class BadImage(BadInput):
    """One image cannot be decoded. `--on-bad-image skip` passes over these and only these."""


class Unavailable(GanbenchError):
    """Weights, statistics or a dataset are needed and cannot be had here."""


class CorruptFile(GanbenchError):
    """A stored file no longer has the bytes that were written. The store rebuilds such a file where it can."""
