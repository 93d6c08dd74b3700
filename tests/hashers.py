"""Passwords in tests: the real hash, at a cost that a thousand logins can bear."""

from django.contrib.auth.hashers import Argon2PasswordHasher


class CheapArgon2PasswordHasher(Argon2PasswordHasher):
    """What it makes, the ordinary hasher of another process reads."""

    time_cost = 1
    memory_cost = 8
    parallelism = 1
