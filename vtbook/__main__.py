"""``python -m vtbook`` is the ``vtbook`` command."""

from vtbook.course.cli import main

if __name__ == "__main__":
    main()
