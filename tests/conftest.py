"""What all tests share: hypothesis without deadlines; the first call of a thing compiles it."""

from hypothesis import settings

settings.register_profile("vtbook", deadline=None, print_blob=True)
settings.load_profile("vtbook")
