"""The network of the shipped classifiers: small enough to travel with the package, read without unpickling code."""

from torch import Tensor, nn

SIDE = 28  # pixels: the side of its input
_GROUPS = ((32,), (48, 64), (96, 128))  # channels of the convolutions before each halving of the side


class ClassifierNet(nn.Module):
    """Five 3 x 3 convolutions with batch normalisation, three times max pooling, one linear layer: 0.2 M weights.

    Args:
        classes: number of logits.
    """

    def __init__(self, classes: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        before = 1
        for group in _GROUPS:
            for channels in group:
                convolution = nn.Conv2d(before, channels, 3, padding=1, bias=False)
                layers += [convolution, nn.BatchNorm2d(channels), nn.ReLU(inplace=True)]
                before = channels
            layers.append(nn.MaxPool2d(2))
        self.features = nn.Sequential(*layers)
        side = SIDE // 2 ** len(_GROUPS)
        self.dropout = nn.Dropout(0.3)
        self.head = nn.Linear(before * side * side, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Gray images, float32 (n, 1, 28, 28), x / 127.5 - 1, to logits (n, classes)."""
        logits: Tensor = self.head(self.dropout(self.features(x).flatten(1)))
        return logits
