"""Harts that run the definitions of ``vtbook.isa``.

``Hart`` is the state and the plain-Python machine (``plain.step``); ``Interpreter`` drives the same
state in compiled code. ``layout`` holds the state's record, ``csr`` the table of control and status
registers, ``traps`` the causes. How definitions become machine code: ``lowering`` (operations),
``compiler`` (numba and LLVM), ``threaded`` (the loop), ``runtime`` (what the loop calls).
"""
