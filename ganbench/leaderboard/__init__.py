"""Boards: a pure function of a track and its committed records. Imports no torch."""
