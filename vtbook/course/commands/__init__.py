"""The subcommands of ``vtbook``, one module a subject: their options and their help.

Each module adds its commands to `vtbook.course.commands.app.app`; what a command does is imported
when it is called, so that ``vtbook --help`` loads nothing heavy. `vtbook.course.cli` lists the
modules, in the order of the help.
"""
