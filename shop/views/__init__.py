"""The shop's pages: parse, one service call, present."""
