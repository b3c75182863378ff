"""Docstrings of attributes, as the source has them below each: for help and for tables."""

from __future__ import annotations

import ast
import inspect
import itertools
import textwrap


def attribute_docstrings(cls: type) -> dict[str, str]:
    """The text below each annotated attribute of a class itself, each in one line.

    Attributes without such a text, and those of base classes, are left out.
    """
    (body,) = ast.parse(textwrap.dedent(inspect.getsource(cls))).body
    statements = body.body if isinstance(body, ast.ClassDef) else []
    return {
        declared.target.id: " ".join(text.value.value.split())
        for declared, text in itertools.pairwise(statements)
        if isinstance(declared, ast.AnnAssign)
        and isinstance(declared.target, ast.Name)
        and isinstance(text, ast.Expr)
        and isinstance(text.value, ast.Constant)
        and isinstance(text.value.value, str)
    }
