"""Signs that an answer does what answers need not: a reason to look at it, never for points."""

from __future__ import annotations

import ast

ATTRIBUTES = {
    "_exit": "os._exit",
    "_getframe": "looks at the frames of its callers",
    "__code__": "changes or reads the code of a function",
    "__closure__": "reads the closure of a function",
    "f_back": "looks at the frames of its callers",
    "f_globals": "looks at the frames of its callers",
    "f_locals": "looks at the frames of its callers",
    "get_objects": "goes through all objects of the process",
    "get_referrers": "goes through all objects of the process",
    "settrace": "sets a trace function",
    "setprofile": "sets a profiler",
    "set_custom_exc": "takes the place of error reporting",
    "run_cell": "runs or replaces the running of cells",
}
MODULES = {
    "builtins",
    "ctypes",
    "gc",
    "inspect",
    "multiprocessing",
    "signal",
    "socket",
    "subprocess",
    "threading",
}
NAMES = {"get_ipython": "uses get_ipython", "__builtins__": "uses __builtins__"}


def signs(source: str) -> list[str]:
    """What in an answer is worth a look, in a few words each, without repetition."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []
    found: list[str] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            found += [f"imports {n}" for n in names if n.partition(".")[0] in MODULES]
            found += [f"imports {n}" for n in names if n.startswith("vtbook.course")]
        elif isinstance(node, ast.Attribute) and node.attr in ATTRIBUTES:
            found.append(ATTRIBUTES[node.attr])
        elif isinstance(node, ast.Name) and node.id in NAMES:
            found.append(NAMES[node.id])
        elif isinstance(node, ast.FunctionDef) and node.name == "__eq__":
            found.append("defines __eq__")
    return list(dict.fromkeys(found))
