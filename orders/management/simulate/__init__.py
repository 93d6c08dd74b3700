"""Visitors and merchants who keep a demo alive: `manage.py simulate`."""
