"""The settings as the type checker reads them: with values for what has no default."""

import os

for name in ("SECRET_KEY", "ORDER_NUMBER_KEY"):
    os.environ.setdefault(name, "only-for-types")
os.environ.setdefault("DATABASE_URL", "postgresql://localhost/none")

from config.settings import *  # noqa: E402, F403
