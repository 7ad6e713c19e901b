"""info28 a quarter as wide, for budgets of minutes on a CPU: FC 256, channels 32 and 64 (0.85 M each)."""

from typing import ClassVar

from ganbench.nets.info28 import Info28


class Info28Nano(Info28):
    """For images whose sides are multiples of 4."""

    widths: ClassVar[tuple[int, int, int]] = (32, 64, 256)
