"""began a quarter as wide, for budgets of minutes on a CPU: n = 16 channels."""

from typing import ClassVar

from ganbench.nets.began import BeganNets


class BeganNano(BeganNets):
    """For images of 32 or 64 pixels; smaller ones are padded."""

    width: ClassVar[int] = 16
