"""ganbench inside other people's code: each module imports the package that it is named after, nothing else does."""
