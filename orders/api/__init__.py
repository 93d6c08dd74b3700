"""The story for integrators: carts, checkouts, order groups, orders, payments, shipments."""
