"""The ``vtbook`` command, and what a course needs around the chapters.

``cli`` declares the commands; each has its module: ``lab``, ``run``, ``listing`` (disasm),
``assembling`` (asm), ``bench``, ``doctor``. ``programs`` turns a file name into something a machine
loads, ``keyboard`` brings standard input to the guest, ``messages`` is how errors look and which
exit status they have. Nothing heavy is imported before a command needs it.
"""
