"""Files of datasets that were downloaded: fetched whole, checked when fetched and when read."""

import hashlib
import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ganbench.errors import CorruptFile, Unavailable
from ganbench.files import CHUNK, atomic_write, locked, sha256_file, write_text
from ganbench.images.datasets._base import store
from ganbench.progress import Progress
