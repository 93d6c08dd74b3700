"""Settings of a process whose machine's clock is CLOCK_OFF_MINUTES off, ahead or (below 0) behind.

It is moved under Python's own functions before anything else is imported, and goes on ticking; the
database's clock is another machine's. So nothing has to be installed for it that pip does not bring.
"""

import os
from datetime import UTC, datetime, timedelta

import time_machine

OFF = timedelta(minutes=int(os.environ["CLOCK_OFF_MINUTES"]))
time_machine.travel(datetime.now(UTC) + OFF, tick=True).start()

from tests.faults.settings import *  # noqa: E402, F403 the clock comes first
