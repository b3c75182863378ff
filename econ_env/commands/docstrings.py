"""Docstrings of attributes, read from the source, for help texts and tables of settings."""

from __future__ import annotations

import ast
import inspect
import itertools
import textwrap


def attribute_docstrings(cls: type) -> dict[str, str]:
    """The docstring below each annotated attribute of ``cls``, by name, each on one line.

    Attributes without a docstring, and those of base classes, are left out.
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
