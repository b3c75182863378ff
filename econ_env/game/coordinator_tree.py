"""The tree of coordinators, and the vote that turns the answers of a group into one.

Executors form groups of at most ``group_size``. Each group has a local coordinator that turns the
global strategy into its own and commits for its group (section 4.4 and Algorithm 2 of the paper).
The coordinator of the whole team reads commitments of local coordinators, never responses.

The paper has two levels, and its central coordinator's prompt grows with the number of groups,
which groups are meant to prevent. Here commitments are coordinated in groups of at most
``group_size`` again, level by level, until one is left: 27 executors in groups of 3 give 9
commitments, then 3, then 1. No prompt grows with the number of executors, and up to
``group_size ** 2`` executors the tree is exactly the paper's. A flat team is a tree of one node.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations

COORDINATOR = "coordinator"
"""Name of the coordinator of the whole team, the root of the tree."""

Equivalent = Callable[[str, str], bool]


@dataclass(frozen=True, kw_only=True, slots=True)
class Node:
    """A coordinator and the members whose answers it reads."""

    index: int
    """Position in ``Tree.nodes``."""
    agent: str
    """``coordinator`` for the root, else ``coordinator_<index>``."""
    members: tuple[str, ...]
    """Names of the executors (level 0) or of the coordinators below, in order."""
    children: tuple[int, ...]
    """Indices of the members: of executors on level 0, of nodes on higher levels."""
    level: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Tree:
    """All coordinators of a team, from the groups of executors up to the root."""

    levels: tuple[tuple[Node, ...], ...]
    """``levels[0]``: one node per group of executors; the last level is the root alone."""
    nodes: tuple[Node, ...]
    """All nodes, level after level."""
    group_of: tuple[int, ...]
    """Index of the group of each executor."""

    @property
    def groups(self) -> tuple[Node, ...]:
        """The coordinators of level 0, one per group of executors."""
        return self.levels[0]


@lru_cache(maxsize=64)
def build_tree(n_agents: int, group_size: int | None) -> Tree:
    """The tree over ``executor_0`` to ``executor_{n_agents - 1}``.

    There are as few groups as ``group_size`` allows. Their sizes differ by at most one, larger ones
    first: 4 executors in groups of 3 become 2 + 2, not 3 + 1. A single commitment that is left
    over on a level joins the next level as it is, without a coordinator.

    Args:
        n_agents: number of executors, >= 1.
        group_size: maximum size of a group, >= 2; None: one group of all.

    Raises:
        ValueError: an argument is out of range.
    """
    if n_agents < 1:
        raise ValueError(f"n_agents must be at least 1, got {n_agents}")
    if group_size is not None and group_size < 2:
        raise ValueError(
            f"group_size must be at least 2, got {group_size}: groups of one would never become "
            "fewer. Leave it None for one flat team"
        )
    size = n_agents if group_size is None else group_size
    levels: list[tuple[Node, ...]] = []
    nodes: list[Node] = []
    below = [(f"executor_{i}", i) for i in range(n_agents)]
    while not levels or len(below) > 1:
        chunks = _chunks(below, size)
        level = []
        above = []
        for chunk in chunks:
            if levels and len(chunk) == 1:
                above.append(chunk[0])
                continue
            node = Node(
                index=len(nodes),
                agent=COORDINATOR if len(chunks) == 1 else f"{COORDINATOR}_{len(nodes)}",
                members=tuple(name for name, _ in chunk),
                children=tuple(child for _, child in chunk),
                level=len(levels),
            )
            nodes.append(node)
            level.append(node)
            above.append((node.agent, node.index))
        levels.append(tuple(level))
        below = above
    groups = levels[0]
    group_of = tuple(node.index for node in groups for _ in node.children)
    return Tree(levels=tuple(levels), nodes=tuple(nodes), group_of=group_of)


def _chunks(items: list[tuple[str, int]], size: int) -> list[list[tuple[str, int]]]:
    count = -(-len(items) // size)  # rounded up
    small, larger = divmod(len(items), count)
    chunks = []
    start = 0
    for number in range(count):
        end = start + small + (number < larger)
        chunks.append(items[start:end])
        start = end
    return chunks


def same(first: str | None, second: str | None, equivalent: Equivalent) -> bool:
    """True if two answers mean the same; False if one is missing (None), even if both are."""
    if first is None or second is None:
        return False
    return first == second or equivalent(first, second)


def consensus(answers: Sequence[str | None], equivalent: Equivalent) -> str | None:
    """The first answer, if all members answered and any two mean the same; else None.

    All pairs are compared, since "50%" equals both 50 and 0.5, which do not equal each other.
    """
    if None in answers:
        return None
    pairs = combinations(dict.fromkeys(answers), 2)
    return answers[0] if all(same(*pair, equivalent) for pair in pairs) else None


def majority(answers: Sequence[str | None], equivalent: Equivalent) -> str | None:
    """The answer with the most votes, as its first giver wrote it; None if no member answered.

    Answers that are equivalent to the same first answer share their votes. On a tie the answer
    that was given first wins.
    """
    kinds, votes = _count(answers, equivalent)
    return kinds[votes.index(max(votes))] if kinds else None


def strict_majority(answers: Sequence[str | None], equivalent: Equivalent) -> str | None:
    """The answer of more than half of all members, those without an answer counted; or None."""
    kinds, votes = _count(answers, equivalent)
    return next((k for k, v in zip(kinds, votes, strict=True) if 2 * v > len(answers)), None)


def clear_lead(answers: Sequence[str | None], equivalent: Equivalent) -> str | None:
    """The answer that is at least two votes ahead, so that no further vote can matter; or None."""
    kinds, votes = _count(answers, equivalent)
    first, second = sorted([*votes, 0, 0], reverse=True)[:2]
    return kinds[votes.index(first)] if first - second >= 2 else None


def _count(answers: Sequence[str | None], equivalent: Equivalent) -> tuple[list[str], list[int]]:
    """The different answers in the order of their first givers, and the votes for each."""
    kinds: list[str] = []
    votes: list[int] = []
    for answer in answers:
        if answer is None:
            continue
        # An answer votes for the first kind that it is equivalent to, else it opens a new one.
        for kind, known in enumerate(kinds):
            if same(known, answer, equivalent):
                votes[kind] += 1
                break
        else:
            kinds.append(answer)
            votes.append(1)
    return kinds, votes


def stands(
    value: str | None, answers: Sequence[str | None], equivalent: Equivalent
) -> tuple[str | None, bool]:
    """Apply rule ``guarded`` to a coordinator's value.

    A value that some member gave stands. Any other is replaced by the members' majority; it is
    novel if the coordinator had a value. If no member answered, there is no majority and the
    coordinator's own value stands.

    Returns:
        The value that stands, and True if the coordinator's value was novel.
    """
    if any(same(value, answer, equivalent) for answer in answers):
        return value, False
    fallback = majority(answers, equivalent)
    if fallback is None:
        return value, False
    return fallback, value is not None
