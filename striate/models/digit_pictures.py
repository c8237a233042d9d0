"""The output codes of LeNet-5 (1998): each digit as a picture of 7x12 pixels, drawn for this file.

LeCun et al. 1998, section II.B and figure 3, take the pictures of the full ASCII set as targets because
characters that look alike then have codes that lie near each other. The drawings there are not copied.
"""

from __future__ import annotations

from hashlib import sha256

import torch
from torch import Tensor

HEIGHT, WIDTH = 12, 7
FEATURES = HEIGHT * WIDTH  # 84: why layer F6 has 84 units

DIGITS = """
.......  .......  .......  .......  .......  .......  .......  .......  .......  .......
..###..  ...#...  ..###..  ..###..  ....#..  .#####.  ...##..  #######  ..###..  ..###..
.#...#.  ..##...  .#...#.  .#...#.  ...##..  .#.....  ..#....  ......#  .#...#.  .#...#.
#.....#  .#.#...  #.....#  ......#  ..#.#..  #......  .#.....  .....#.  #.....#  #.....#
#.....#  ...#...  ......#  ......#  ..#.#..  #.###..  #......  .....#.  #.....#  #.....#
#.....#  ...#...  .....#.  ...###.  .#..#..  ##...#.  #.###..  ....#..  .#...#.  .#....#
#.....#  ...#...  ....#..  ......#  .#..#..  ......#  ##...#.  ....#..  ..###..  ..####.
#.....#  ...#...  ...#...  ......#  #######  ......#  #.....#  ...#...  .#...#.  ......#
#.....#  ...#...  ..#....  ......#  ....#..  ......#  #.....#  ...#...  #.....#  .....#.
.#...#.  ...#...  .#.....  .#...#.  ....#..  .#...#.  .#...#.  ..#....  .#...#.  ....#..
..###..  .#####.  #######  ..###..  ....#..  ..###..  ..###..  ..#....  ..###..  .##....
.......  .......  .......  .......  .......  .......  .......  .......  .......  .......
"""


def codes(classes: int) -> Tensor:
    """Centres (classes, 84) of +1 (ink) and -1 (paper).

    Ten classes are the digits, 0 first. For any other number there is no picture to draw, and the codes are
    +-1 by chance, which the paper names as the other way; the chance is a hash of the class's index, so
    they are the same everywhere.
    """
    rows = [row.split() for row in DIGITS.split("\n") if row]
    if classes == len(rows[0]):
        ink = [[row[digit][x] == "#" for row in rows for x in range(WIDTH)] for digit in range(classes)]
    else:
        ink = [_bits(index) for index in range(classes)]
    return torch.tensor(ink).float() * 2 - 1


def _bits(index: int) -> list[bool]:
    digest = int.from_bytes(sha256(f"class {index}".encode()).digest(), "big")
    return [bool(digest >> bit & 1) for bit in range(FEATURES)]
