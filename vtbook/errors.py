"""Every error that vtbook raises on purpose derives from one base class."""


class VtbookError(Exception):
    """Something the caller gave cannot be used; the message says what, where and what to do."""
