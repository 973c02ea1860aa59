# SPDX-License-Identifier: GPL-2.0-only
"""What of a cell's code stays on a slide that shows the question of a prediction in large letters."""

from __future__ import annotations

import ast


def beside_question(source: str) -> str:
    """A cell's code without what asks: the question will be there in large letters. ``x = predict(...)``, ``x``, and names that
    only this needs."""
    try:
        statements = ast.parse(source).body
    except SyntaxError:  # such as one with a magic command
        return source.strip()
    asks = [one for one in statements if "predict" in _called(one)]
    asked = {name for one in asks for name in _names(one, ast.Store)}
    asks += [one for one in statements if _is_name(one) and _names(one, ast.Load) <= asked]
    rest = [one for one in statements if one not in asks]
    needed = {name for one in rest if not _is_literal(one) for name in _names(one, ast.Load)}
    only_asked = {name for one in asks for name in _names(one, ast.Load)} - needed
    rest = [one for one in rest if not (_is_literal(one) and _names(one, ast.Store) <= only_asked)]
    gone = _lines(statements) - _lines(rest)
    return "\n".join(line for number, line in enumerate(source.splitlines(), 1) if number not in gone).strip()


def _is_name(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Name)


def _is_literal(statement: ast.stmt) -> bool:
    """Whether a statement only gives a name to a value that is written out there."""
    try:
        return isinstance(statement, ast.Assign | ast.AugAssign) and ast.literal_eval(statement.value) is not Ellipsis
    except ValueError:
        return False


def _lines(statements: list[ast.stmt]) -> set[int]:
    return {number for one in statements for number in range(one.lineno, (one.end_lineno or one.lineno) + 1)}


def _names(tree: ast.AST, use: type[ast.expr_context]) -> set[str]:
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, use)}


def _called(tree: ast.AST) -> set[str]:
    return {node.func.id for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)}
