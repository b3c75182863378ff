"""One calculation of a worked solution, and the ways to write it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from econ_env.questions.arithmetic_templates import SYMBOLS, Operation


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """One calculation of a worked solution: ``left operation right = result``, all integers."""

    left: int
    operation: Operation
    right: int
    result: int

    def __str__(self) -> str:
        return self.written(())

    def written(self, parts: Sequence[int]) -> str:
        """The step as text, with the sum of ``parts`` before the result if there are any."""
        head = f"{self.left} {SYMBOLS[self.operation]} {self.right}"
        middle = f" = {' + '.join(map(str, parts))}" if parts else ""
        return f"{head}{middle} = {self.result}"

    @property
    def partitions(self) -> tuple[tuple[int, ...], ...]:
        """The partial products by which the step can be worked out; () stands for none.

        A product is worked out digit by digit of one factor or of the other. The two ways fail at
        different places, so that several attempts at one step check each other. Partial products
        may be left out only if a factor has one digit.
        """
        if self.operation != "multiply":
            return ((),)
        ways = [
            tuple(part * other for part in place_values(split))
            for split, other in ((self.right, self.left), (self.left, self.right))
        ]
        partitions = list(dict.fromkeys(way for way in ways if len(way) > 1))
        if not partitions or min(self.left, self.right) < 10:
            partitions.append(())
        return tuple(partitions)

    @property
    def workings(self) -> tuple[str, ...]:
        """The step as text, once for each of ``partitions``."""
        return tuple(self.written(parts) for parts in self.partitions)


def render_solution(workings: Sequence[str], answer: int) -> str:
    """Worked steps on one line, with the boxed answer at the end."""
    return f"{' ; '.join(workings)} ; \\boxed{{{answer}}}"


def place_values(number: int) -> tuple[int, ...]:
    """Place values of the digits of ``number``, zeros left out: 305 gives (300, 5)."""
    digits = str(number)
    return tuple(
        int(digit) * 10 ** (len(digits) - 1 - place)
        for place, digit in enumerate(digits)
        if digit != "0"
    )
