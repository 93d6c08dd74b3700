"""The verbs of the story: forward in cart, place, pay, fulfil, complete; back in cancel, expire."""
